"""``tuner_backend unsloth``: what it needs, and what the plan says then."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from world import CPU, GPU, ROW, resolve

from swift.utils.errors import PlanError

READY = replace(GPU, versions={**GPU.versions, "unsloth": "2026.1.1", "bitsandbytes": "0.50.0"})


def plan(**given: Any) -> Any:
    return resolve(machine=given.pop("machine", READY), row=given.pop("row", ROW), tuner_backend="unsloth", **given)


def test_the_model_comes_through_it_in_padded_batches() -> None:
    made = plan(max_length=512)
    assert (made.model.loader, made.tuner.code) == (
        "swift.llm.model.loaders:unsloth",
        "swift.tuners.unsloth:UnslothLora",
    )
    assert (made.model.max_model_len, made.data.padding_free) == (512, False)
    assert made.reasons["model.loader"] == "flag --tuner_backend: loaded and attached through unsloth"
    whole = plan(sft_type="full")
    assert (whole.model.loader, whole.tuner.code) == (
        "swift.llm.model.loaders:unsloth_full",
        "swift.tuners.full.tuner:FullTuner",
    )
    assert plan(quantization_bit=4).model.quantization["quantization_bit"] == 4


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"machine": CPU}, "needs? a CUDA GPU, and this machine has none. Leave it out: peft trains the same adapter"),
        ({"machine": GPU}, "the package unsloth is not installed. In an environment of its own: pip install unsloth"),
        ({"sft_type": "vera"}, "trains lora and full; --sft_type is vera"),
        ({"row": replace(ROW, modality=("text", "image"))}, "tiny-chat is no plain language model"),
        ({"quantization_bit": 8}, "holds weights plain or in 4 bits of bitsandbytes"),
        ({"use_dora": True}, "--use_dora true: is not what unsloth attaches"),
        ({"target_regex": ".*q_proj"}, "--target_regex: is not what unsloth attaches"),
        ({"packing": True}, "--packing true: unsloth's attention does not keep samples of one row apart"),
    ],
)
def test_what_it_cannot_do_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(PlanError, match=told):
        plan(**given)
