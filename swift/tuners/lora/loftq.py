"""LoftQ (Li et al., 2023) in one round: weights rounded to four bits, and factors that start from what that loses.

peft's own runs on GPUs only (its ``loftq_init`` moves every weight to "cuda", seen in 0.21); rounding is bitsandbytes' in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import Linear

__all__ = ["SETTINGS", "round_base", "start_from_loss"]

SETTINGS = {"loftq_bits": 4, "loftq_iter": 1}
"""As peft names them in the file. One round: the coarse weights then depend on the weights alone, and come out the same when
the adapter is laid over them again."""

_BLOCK = 64  # values that share a scale, as in QLoRA


def start_from_loss(model: PeftModel) -> None:
    """``W`` becomes ``Q = nf4(W)``; ``B A`` the best approximation of ``W - Q`` of that rank (the paper's algorithm 1, T = 1)."""
    for layer in _layers(model):
        rank = layer.r["default"]
        whole = layer.get_base_layer().weight.data.float()  # (out, in)
        coarse = _nf4(whole)
        u, s, v = torch.linalg.svd(whole - coarse, full_matrices=False)
        root = s[:rank].sqrt()
        b, a = layer.lora_B["default"].weight, layer.lora_A["default"].weight
        b.data = (u[:, :rank] * root).to(b.dtype).contiguous()  # (out, R)
        a.data = (root[:, None] * v[:rank]).to(a.dtype).contiguous()  # (R, in)
        _replace(layer, coarse)


def round_base(model: PeftModel) -> None:
    """The coarse weights alone, for factors that come from a file."""
    for layer in _layers(model):
        _replace(layer, _nf4(layer.get_base_layer().weight.data.float()))


def _layers(model: PeftModel) -> Iterator[Any]:
    return (layer for layer in model.modules() if isinstance(layer, Linear))


def _replace(layer: Any, weight: torch.Tensor) -> None:
    base = layer.get_base_layer().weight
    base.data = weight.to(base.dtype)


def _nf4(weight: torch.Tensor) -> torch.Tensor:
    """The weight as four bits leave it, in fp32."""
    if weight.is_meta:
        return weight
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    packed, state = quantize_4bit(weight.contiguous(), quant_type="nf4", blocksize=_BLOCK, compress_statistics=False)
    coarse: torch.Tensor = dequantize_4bit(packed, state)
    return coarse
