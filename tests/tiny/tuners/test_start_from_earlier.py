"""A new run may start from an earlier one's weights: its first loss is the loss of the model that was saved."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parent))
from proof import ROWS

from swift.llm.arguments.commands import SftArguments
from swift.llm.sft import sft_main

METHODS: dict[str, dict[str, Any]] = {
    "lora": {"lora_rank": 3, "lora_dropout": 0.0, "target_modules": ("o_proj", "MLP")},
    "lora with modules trained in full": {"lora_dropout": 0.0, "modules_to_save": ("LN", "EMBEDDING")},
    "dora": {"lora_dropout": 0.0, "use_dora": True},
    "pissa": {"lora_dropout": 0.0, "init_lora_weights": "pissa"},
    "longlora": {"sft_type": "longlora", "lora_dropout": 0.0},
    "ia3": {"sft_type": "ia3", "learning_rate": 0.3},
    "vera": {"sft_type": "vera", "vera_rank": 16, "vera_dropout": 0.0, "learning_rate": 0.3},
    "adapter": {"sft_type": "adapter"},
    "reft": {"sft_type": "reft"},
}
RUNS = [*((name, "fp32") for name in METHODS), ("lora with modules trained in full", "bf16"), ("reft", "bf16")]


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "logging.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.parametrize(("name", "dtype"), RUNS)
def test_the_first_loss_is_that_of_the_saved_model(name: str, dtype: str, model_folder: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(ROWS, encoding="utf-8")
    every_row = {"batch_size": 8, "gradient_accumulation_steps": 1, "dataset_test_ratio": 0.0}
    first = sft_main(
        SftArguments(**{
            "model_id_or_path": str(model_folder), "dataset": (str(rows),), "max_steps": 3, "save_steps": 2, "logging_steps": 1,
            "learning_rate": 0.05, "lr_scheduler_type": "constant", "warmup_ratio": 0.0, "max_length": 64, "dtype": dtype,
            "report_to": ("none",), "output_dir": str(tmp_path / "output"), **every_row, **METHODS[name],
        })
    )  # fmt: skip
    run = Path(first.last_checkpoint).parent
    earlier = run / "checkpoint-2"
    again = sft_main(
        SftArguments(
            resume_from_checkpoint=str(earlier), resume_only_model=True, dataset=(str(rows),), max_steps=1, save_steps=1,
            learning_rate=1e-6, logging_steps=1, max_length=64, report_to=("none",), output_dir=str(tmp_path / "output"), **every_row,
        )
    )  # fmt: skip
    new_run = Path(again.last_checkpoint).parent
    assert new_run != run
    before, _, after_two_steps = losses(run)
    assert abs(before - after_two_steps) > 0.01  # what is taken over can be told apart from what training starts with
    assert losses(new_run)[0] == pytest.approx(after_two_steps, rel=1e-5 if dtype == "fp32" else 2e-3)
    plan = json.loads((new_run / "plan.json").read_text())
    assert plan["tuner"] == json.loads((run / "plan.json").read_text())["tuner"]
    file = "adapter_model.safetensors" if (earlier / "adapter_config.json").is_file() else "model.safetensors"
    assert load_file(Path(again.last_checkpoint) / file).keys() == load_file(earlier / file).keys()
