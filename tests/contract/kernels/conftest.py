"""Tiny random models of every family that attention by sample is proven for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers

BASE: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
WINDOW = {"sliding_window": 5}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
MLA = {
    "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 6, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "moe_intermediate_size": 16, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
    "n_shared_experts": 1, "num_key_value_heads": 4,
}  # fmt: skip
# Settings that a family needs, or that switch on what makes it different: windows shorter than the samples, experts.
SPECIAL: dict[str, dict[str, Any]] = {
    "Apertus": {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
    "Cohere2": WINDOW,
    "DeepseekV2": {**MLA, "q_lora_rank": None, "topk_method": "greedy"},
    "DeepseekV3": {**MLA, "q_lora_rank": 8},
    "Gemma": {"head_dim": 8},
    "Gemma2": {"head_dim": 8, **WINDOW},
    "Gemma3": {"head_dim": 8, **WINDOW},
    "Mistral": WINDOW,
    "Mixtral": {"num_local_experts": 4, **WINDOW},
    "Olmo3": WINDOW,
    "Phi3": WINDOW,
    "Qwen2": {"use_sliding_window": True, "max_window_layers": 1, **WINDOW},
    "Qwen2Moe": {**EXPERTS, "shared_expert_intermediate_size": 16},
    "Qwen3": {"head_dim": 8},
    "Qwen3Moe": EXPERTS,
    "Starcoder2": WINDOW,
}


@pytest.fixture
def make_family() -> Callable[[str], Any]:
    """From ``...ForCausalLM`` to a tiny random model of it, with transformers' eager attention, in evaluation mode."""

    def make(architecture: str) -> Any:
        cls = getattr(transformers, architecture)
        settings = {**BASE, **SPECIAL.get(architecture.removesuffix("ForCausalLM"), {})}
        torch.manual_seed(1)
        return cls(cls.config_class(**settings, attn_implementation="eager")).eval()

    return make
