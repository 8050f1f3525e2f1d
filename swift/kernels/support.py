"""Which architectures attention by sample is proven for. Knows no torch, so that a plan can ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["VARLEN_ARCHITECTURES", "supports_varlen"]

VARLEN_ARCHITECTURES: tuple[str, ...] = (
    "ApertusForCausalLM",
    "ArceeForCausalLM",
    "Cohere2ForCausalLM",
    "CohereForCausalLM",
    "DeepseekV2ForCausalLM",
    "DeepseekV3ForCausalLM",
    "Ernie4_5ForCausalLM",
    "Exaone4ForCausalLM",
    "GPTNeoXForCausalLM",
    "Gemma2ForCausalLM",
    "Gemma3ForCausalLM",
    "GemmaForCausalLM",
    "Glm4ForCausalLM",
    "GlmForCausalLM",
    "GraniteForCausalLM",
    "GraniteMoeForCausalLM",
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "MixtralForCausalLM",
    "NemotronForCausalLM",
    "Olmo2ForCausalLM",
    "Olmo3ForCausalLM",
    "OlmoForCausalLM",
    "Phi3ForCausalLM",
    "PhiForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen2MoeForCausalLM",
    "Qwen3ForCausalLM",
    "Qwen3MoeForCausalLM",
    "SeedOssForCausalLM",
    "SmolLM3ForCausalLM",
    "StableLmForCausalLM",
    "Starcoder2ForCausalLM",
)
"""As ``architectures`` in config.json names them. A contract test holds each to transformers' eager attention."""


def supports_varlen(config: Mapping[str, Any]) -> bool:
    """Whether a flat batch with per-sample attention is right for the model of this ``config.json`` content.

    Code that comes with the weights (``auto_map``) is another implementation under the same name: not proven.
    """
    if config.get("auto_map"):
        return False
    return any(name in VARLEN_ARCHITECTURES for name in config.get("architectures") or ())
