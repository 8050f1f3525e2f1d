"""Linear layers as the engine runs them: fast on a CPU, and with another LoRA adapter for each part of a flat batch.

The base's matrix is read once for all tokens; each adapter's factors act on its own tokens. peft's layers choose adapters
by row of a padded batch only, so a model that is open in the engine has these in their place until it is closed.

Alphabet: ``T`` tokens, ``C`` input width, ``O`` output width, ``R`` rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import nn

from swift.utils.errors import EngineError

__all__ = ["Delta", "Parts", "ServedLinear", "linear"]

Parts: TypeAlias = Sequence[tuple[int | None, slice]]
"""Which adapter (None: the one the model was opened with, if any) acts on which rows."""


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """``x`` (…, T, C) times ``weight`` (O, C), plus ``bias``.

    fp32 on a CPU goes to oneDNN instead of MKL: on AMD's cores 2.4 times as fast for 16 rows and more (torch 2.13), and a
    row's result does not depend on the other rows, if there is another at all. It makes code for each number of rows that it
    meets, and keeps it (a third of a MiB a number and shape): rows of zeros leave only some 50 numbers.
    """
    if x.dtype != torch.float32 or weight.dtype != torch.float32 or x.device.type != "cpu" or not _HAS_ONEDNN:
        return F.linear(x, weight, bias)
    rows = x.numel() // x.shape[-1]
    if rows == 0:
        return F.linear(x, weight, bias)
    spare = _round(rows) - rows
    if spare:
        filled = F.pad(x.reshape(rows, -1), (0, 0, 0, spare))
        found: torch.Tensor = _ONEDNN(filled, weight, bias, "none", [], "")[:rows]
        return found.reshape(*x.shape[:-1], found.shape[1])
    result: torch.Tensor = _ONEDNN(x, weight, bias, "none", [], "")
    return result


def _round(rows: int) -> int:
    """As many rows or somewhat more, at least 2."""
    if rows <= 16:
        return max(rows, 2)
    unit = 16 if rows <= 512 else 128
    return -(-rows // unit) * unit


_HAS_ONEDNN: bool = torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")
_ONEDNN: Any = torch.ops.mkldnn._linear_pointwise if _HAS_ONEDNN else None


def _apply(layer: Any, x: torch.Tensor) -> torch.Tensor:
    return linear(x, layer.weight, layer.bias)


@dataclass(frozen=True, slots=True)
class Delta:
    """What LoRA adds to one layer: ``up`` (O, R) holds the scale already, ``down`` is (R, C)."""

    down: torch.Tensor
    up: torch.Tensor

    def of(self, x: torch.Tensor) -> torch.Tensor:
        """The addition for ``x`` (…, C), (…, O)."""
        return linear(linear(x.to(self.down.dtype), self.down), self.up)


@dataclass(slots=True)
class Serving:
    """What all layers of one open model share: whose the rows are, by how many rows there are.

    Two counts occur in a step: all its tokens, and those that go through the head.
    """

    parts: Mapping[int, Parts] = field(default_factory=dict)
    everywhere: int | None = None
    """The adapter of all rows where ``parts`` is empty."""


class ServedLinear(nn.Module):
    """In the place of a linear layer (or of peft's around one): ``own`` is what stood there, ``base`` what is below adapters."""

    def __init__(self, own: nn.Module, base: nn.Module, serving: Serving) -> None:
        super().__init__()
        self.own = own
        self.deltas: dict[int | None, tuple[Delta, ...]] = {}
        self._serving = serving
        # Not a second child: parameters have one name.
        self._base = (base,)
        # Hooks, quantised weights and weights that are elsewhere (accelerate) are the layer's own business.
        self._is_plain = (
            type(base) is nn.Linear and type(base.weight) is nn.Parameter and "forward" not in vars(base)
            and not base._forward_hooks and not base._forward_pre_hooks
        )  # fmt: skip

    @property
    def base(self) -> nn.Module:
        """The layer without any adapter."""
        return self._base[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` (…, T, C) to (…, T, O)."""
        base = self._base[0]
        result: torch.Tensor = _apply(base, x) if self._is_plain else base(x)
        if not self.deltas:
            return result
        if not self._serving.parts:
            for delta in self.deltas.get(self._serving.everywhere, ()):
                result = result + delta.of(x).to(result.dtype)
            return result
        parts = self._serving.parts.get(x.shape[-2])
        if parts is None:
            raise EngineError("this model's layers see other rows than the batch has: its adapters cannot be mixed.")
        for adapter, rows in parts:
            for delta in self.deltas.get(adapter, ()):
                result[..., rows, :] += delta.of(x[..., rows, :]).to(result.dtype)
        return result

    def __getattr__(self, name: str) -> Any:
        # Models look at their layers' weights and widths here and there.
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("own"), name)
