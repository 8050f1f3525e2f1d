"""LoRA beside a frozen linear layer as one step of autograd: ``y = W x + b + s · B A x``, without the copies in between.

peft computes the two branches apart: it turns the input into the dtype of the factors (fp32), which autocast turns back, scales the large
product instead of the small one, and adds it in a pass of its own; the same again backwards. Here the small product is scaled, and both
directions add the low-rank part inside the matrix product. The layer stays peft's object, with peft's weights, names and files.

Alphabet: ``T`` tokens, ``K`` inputs, ``M`` outputs, ``R`` rank, ``s`` scale.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["fuse", "linear_with_lora"]


def linear_with_lora(
    x: torch.Tensor,  # (..., K)
    weight: torch.Tensor,  # (M, K), frozen
    bias: torch.Tensor | None,  # (M,), frozen
    a: torch.Tensor,  # (R, K)
    b: torch.Tensor,  # (M, R)
    scale: float,
    dropped: torch.Tensor | None = None,  # (..., K): the input of A, where dropout makes it another than x
) -> torch.Tensor:
    """``x Wᵀ + bias + scale · (dropped or x) Aᵀ Bᵀ``, differentiable in x, dropped, a and b. All are of one dtype. Returns (..., M)."""
    out: torch.Tensor = _LinearWithLora.apply(x, weight, bias, a, b, scale, dropped)  # type: ignore[no-untyped-call]
    return out


class _LinearWithLora(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
        dropped: torch.Tensor | None,
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])  # (T, K)
        inner = rows if dropped is None else dropped.reshape(rows.shape)
        low = (inner @ a.t()).mul_(scale)  # (T, R)
        out = F.linear(rows, weight, bias).addmm_(low, b.t())  # (T, M)
        ctx.save_for_backward(inner, weight, a, b, low)
        ctx.scale, ctx.apart, ctx.shape = scale, dropped is not None, x.shape
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inner, weight, a, b, low = ctx.saved_tensors
        grad = grad.reshape(-1, grad.shape[-1])  # (T, M)
        grad_low = (grad @ b).mul_(ctx.scale)  # (T, R)
        grad_a = grad_low.t() @ inner if ctx.needs_input_grad[3] else None
        grad_b = grad.t() @ low if ctx.needs_input_grad[4] else None
        grad_x = grad @ weight if ctx.needs_input_grad[0] else None
        if ctx.apart:
            grad_dropped = (grad_low @ a).view(ctx.shape) if ctx.needs_input_grad[6] else None
        else:
            grad_dropped = None
            if grad_x is not None:
                grad_x.addmm_(grad_low, a)
        return (None if grad_x is None else grad_x.view(ctx.shape)), None, None, grad_a, grad_b, None, grad_dropped


def fuse(model: nn.Module) -> int:
    """Let every plain LoRA layer of peft in ``model`` run `linear_with_lora`; returns how many there are.

    A layer that is more at the moment of a call (several adapters, DoRA, merged, a trained or quantised weight) does what peft does.
    """
    if "peft" not in sys.modules:  # then there is none
        return 0
    from peft.tuners.lora.layer import Linear

    found = [module for module in model.modules() if type(module) is Linear and type(module.base_layer) is nn.Linear]
    if found:
        fused = _fused_class()
        for module in found:
            module.__class__ = fused
    return len(found)


_CLASSES: dict[type, type] = {}


def _fused_class() -> type:
    """peft's layer with another forward. Made late, because peft is imported late."""
    from peft.tuners.lora.layer import Linear

    if Linear in _CLASSES:
        return _CLASSES[Linear]

    class FusedLinear(Linear):
        """`Linear` whose plain case is one step of autograd; there is nothing else to it."""

        def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            name = None if args or kwargs else _only_plain_adapter(self)
            if name is None:
                return super().forward(x, *args, **kwargs)
            base: Any = self.base_layer
            first: Any = self.lora_A[name]
            second: Any = self.lora_B[name]
            a, b = first.weight, second.weight
            device = x.device.type
            auto = torch.is_autocast_enabled(device)
            dtype = torch.get_autocast_dtype(device) if auto else x.dtype
            if not auto and not (base.weight.dtype == a.dtype == b.dtype == dtype):
                return super().forward(x)
            dropout = self.lora_dropout[name]
            inner = None if isinstance(dropout, nn.Identity) or not self.training else dropout(x)
            with torch.autocast(device, enabled=False):
                return linear_with_lora(
                    x.to(dtype), base.weight.to(dtype), None if base.bias is None else base.bias.to(dtype), a.to(dtype),
                    b.to(dtype), self.scaling[name], None if inner is None else inner.to(dtype),
                )  # fmt: skip

    _CLASSES[Linear] = FusedLinear
    return FusedLinear


def _only_plain_adapter(layer: Any) -> str | None:
    """The one active adapter, if it is factors and a scale beside a frozen weight and nothing else."""
    base = layer.base_layer
    if layer.disable_adapters or layer.merged or base.weight.requires_grad:
        return None
    if base.bias is not None and base.bias.requires_grad:
        return None
    active = [name for name in layer.active_adapters if name in layer.lora_A]
    if len(active) != 1 or active[0] in layer.lora_variant or layer.lora_bias.get(active[0]):
        return None
    factors = (layer.lora_A[active[0]], layer.lora_B[active[0]])
    if any(type(factor) is not nn.Linear for factor in factors) or any(_has_hooks(m) for m in (base, *factors)):
        return None
    return str(active[0])


def _has_hooks(module: nn.Module) -> bool:
    """Whether somebody waits for this module to be called; it is not, here."""
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)
