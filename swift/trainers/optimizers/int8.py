"""Weights held in 8 bits while they are trained (Q-GaLore: Zhang et al. 2024, arXiv:2407.08296, sections 3.3 and 3.4).

A matrix is kept as unsigned 8-bit integers, each group of 256 values with its least value and its step, and never as floats as a
whole: a layer makes floats of its own matrix while it multiplies, in the forward pass and again in the backward pass. Gradients
are floats. An update is added to the floats of one matrix, and the sum is rounded back stochastically,

    code = floor(v + u),  u uniform in [0, 1),  v = (w - least) / step

whose expected value is w: updates far below one step are not lost, they move a share of the values by a whole step.

For torch such a matrix is an fp32 tensor, so names, shapes, gradients, clipping and groups of parameters are as ever.
``state_dict()`` of its layer holds plain floats, so checkpoints are plain weights; the codes themselves are the optimizer's to
keep, which is why a run goes on exactly. Knows no optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from swift.trainers.optimizers.projection import dequantize, quantize

__all__ = ["GROUP", "Int8Weight", "hold_in_8_bits"]

GROUP = 256
"""Values that share a least value and a step (section 4.1 of the paper)."""


class Int8Weight(torch.Tensor):
    """A matrix in 8 bits that reads as fp32. Only :meth:`hold` and ``copy_`` write it; other writes raise TypeError."""

    packed: dict[str, Any]

    @staticmethod
    def __new__(cls, packed: dict[str, Any]) -> Int8Weight:
        """Wrap what `quantize` packed."""
        made: Int8Weight = torch.Tensor._make_wrapper_subclass(
            cls, tuple(packed["shape"]), dtype=torch.float32, device=packed["codes"].device
        )
        return made

    def __init__(self, packed: dict[str, Any]) -> None:
        self.packed = packed

    @classmethod
    def of(cls, values: torch.Tensor) -> Int8Weight:
        """The values, rounded to nearest."""
        return cls(quantize(values, 8, GROUP))

    def floats(self) -> torch.Tensor:
        """The values that it stands for, fp32, a new tensor of the same shape."""
        return dequantize(self.packed)

    def hold(self, values: torch.Tensor, seed: int | None = None) -> None:
        """Hold ``values`` from now on: rounded stochastically with random numbers of ``seed``, or to nearest (None)."""
        self.hold_packed(quantize(values, 8, GROUP, seed=seed))

    def hold_packed(self, packed: dict[str, Any]) -> None:
        """Hold what was packed elsewhere, bit for bit."""
        for name in ("codes", "low", "step"):
            self.packed[name].copy_(packed[name])

    @property
    def num_bytes(self) -> int:
        """Bytes that it takes."""
        return sum(one.nbytes for one in self.packed.values() if isinstance(one, torch.Tensor))

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"Int8Weight(shape={tuple(self.shape)}, device={self.device})"

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """A linear layer saves the codes for its backward pass; all else goes by :meth:`__torch_dispatch__`."""
        if func is nn.functional.linear and isinstance(args[1], Int8Weight):
            return _multiply(*args, **(kwargs or {}))
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Any other operation sees the floats."""
        aten = torch.ops.aten
        if func is aten.copy_.default and isinstance(args[0], Int8Weight):
            source = args[1]
            args[0].hold_packed(source.packed) if isinstance(source, Int8Weight) else args[0].hold(source.float())
            return args[0]
        if func in (aten.detach.default, aten.alias.default):
            return cls(args[0].packed)  # the same codes
        if func._schema.is_mutable and any(isinstance(one, Int8Weight) for one in args[:1]):
            raise TypeError(f"{func}: a weight in 8 bits is written by its optimizer alone")
        plain = torch.utils._pytree.tree_map_only(Int8Weight, Int8Weight.floats, (args, kwargs or {}))
        return func(*plain[0], **plain[1])


class _Linear(torch.autograd.Function):
    """x Wᵀ with W in 8 bits; the gradients are those of the floats of W."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: Int8Weight) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.packed = weight.packed  # written in place between steps only, never between a forward pass and its backward
        return x @ dequantize(weight.packed).to(x.dtype).T  # (..., out)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        (x,), (grad,) = ctx.saved_tensors, grads
        towards_x = grad @ dequantize(ctx.packed).to(grad.dtype) if ctx.needs_input_grad[0] else None
        towards_weight = None
        if ctx.needs_input_grad[1]:
            towards_weight = (grad.reshape(-1, grad.shape[-1]).T @ x.reshape(-1, x.shape[-1])).float()
        return towards_x, towards_weight


def _multiply(x: torch.Tensor, weight: Int8Weight, bias: torch.Tensor | None = None) -> torch.Tensor:
    """A linear layer, in the dtype of autocast where that is on."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        x = x.to(torch.get_autocast_dtype(kind))
    with torch.autocast(kind, enabled=False):
        product: torch.Tensor = _Linear.apply(x, weight)  # type: ignore[no-untyped-call]
        return product if bias is None else product + bias.to(product.dtype)


def hold_in_8_bits(model: nn.Module, chosen: Sequence[nn.Parameter]) -> int:
    """Put the weights of linear layers that are among ``chosen`` into 8 bits, in place; return how many there are.

    Their layers' ``state_dict()`` holds floats from then on.
    """
    ids, count = {id(one) for one in chosen}, 0
    for module in model.modules():
        if isinstance(module, nn.Linear) and id(module.weight) in ids:
            packed = Int8Weight.of(module.weight.detach())
            module.weight = nn.Parameter(packed, requires_grad=module.weight.requires_grad)
            module.register_state_dict_post_hook(_as_floats)  # type: ignore[no-untyped-call]
            count += 1
    return count


def _as_floats(module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    held = state.get(f"{prefix}weight")
    if isinstance(held, Int8Weight):
        state[f"{prefix}weight"] = held.floats()
