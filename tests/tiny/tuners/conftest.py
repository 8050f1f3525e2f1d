"""A tiny Qwen2 with known weights, and settings as a plan would hold them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from swift.llm.plan.plans import TunerPlan


@pytest.fixture
def make_model() -> Callable[..., Any]:
    """The same random weights each time it is called."""

    def make(*, tied: bool = False, dtype: torch.dtype = torch.float32) -> Any:
        torch.manual_seed(0)
        config = Qwen2Config(
            vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=tied, bos_token_id=1, eos_token_id=2,
            pad_token_id=0,
        )  # fmt: skip
        return Qwen2ForCausalLM(config).to(dtype).eval()

    return make


@pytest.fixture
def lora() -> Callable[..., TunerPlan]:
    """LoRA settings; keyword arguments are options, but for the three fields of the plan."""

    def make(*targets: str, regex: str | None = None, saved: tuple[str, ...] = (), **options: Any) -> TunerPlan:
        return TunerPlan(
            sft_type="lora", code="swift.tuners.lora.tuner:LoraTuner", target_modules=targets, target_regex=regex,
            modules_to_save=saved, options=options,
        )  # fmt: skip

    return make
