"""Best fit over a whole epoch of real rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from swift.llm.dataset import PackedDataset, prepare
from swift.llm.plan.plans import DataPlan, TemplatePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import load_tokenizer

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no data under {SHARED}")
def test_packs_of_alpaca_are_full(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(SHARED / "tokenizers" / "qwen3")
    template = open_template("qwen2_5", tokenizer, TemplatePlan(template_type="qwen2_5", max_length=2048))
    plan = DataPlan(
        dataset=(str(SHARED / "sft" / "alpaca_en_demo.json"),), cache_dir=str(tmp_path), packing=True, max_length=2048
    )
    first, again = (prepare(plan, template, progress=False).train for _ in range(2))
    assert isinstance(first, PackedDataset)
    assert isinstance(again, PackedDataset)
    assert first.efficiency >= 0.98
    assert first.lengths.tolist() == again.lengths.tolist()
