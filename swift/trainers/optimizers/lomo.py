"""LOMO and AdaLomo: each weight moves inside the backward pass, so that no two gradients live at a time.

LOMO (Lv et al. 2023, arXiv:2306.09782) is gradient descent; AdaLomo (Lv et al. 2023, arXiv:2310.10195, algorithm 1) keeps row and
column means of the squared gradient and normalises each update by its own size and the weight's:

    r = β r + (1 - β) mean over columns of g²,  c = β c + (1 - β) mean over rows,  β = 1 - t^-0.8
    u = g / √(r c / mean(r)),  û = u / max(1, RMS(u)) · max(1e-3, RMS(W)),  W = (1 - lr · decay) · W - lr · û

The authors' package does not save AdaLomo's means and keeps them on a GPU; here each parameter has an optimizer of this house,
which is saved and goes on exactly. Such a step is made of one backward pass: nothing is added up over batches, or clipped together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from swift.trainers.optimizers.context import OptimizerContext
from swift.trainers.optimizers.layerwise import Layerwise
from swift.trainers.optimizers.single import SingleRule

__all__ = ["AdaLomo", "Lomo", "adalomo", "lomo"]


class Lomo(SingleRule):
    """Gradient descent with decoupled decay."""

    def direction(self, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> torch.Tensor:
        """The gradient."""
        return gradient


class AdaLomo(SingleRule):
    """Adafactor's second moment and an update as large as the weight's own size asks for."""

    def direction(self, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> torch.Tensor:
        """The update u of the head of the module, before it is scaled by the weight."""
        state["step"] = state.get("step", 0) + 1
        keep = 1 - state["step"] ** group["decay_rate"]
        square = gradient.square() + group["eps"]
        dims = {"row": -1, "column": -2} if gradient.ndim > 1 else {"all": None}
        for name, dim in dims.items():
            now = square if dim is None else square.mean(dim)
            state[name] = now.clone() if name not in state else state[name].lerp_(now, 1 - keep)
        if gradient.ndim > 1:
            row, column = state["row"], state["column"]
            root = ((row / row.mean(-1, keepdim=True)).unsqueeze(-1) * column.unsqueeze(-2)).sqrt()
        else:
            root = state["all"].sqrt()
        update = gradient / root
        clipped: torch.Tensor = update / (_rms(update) / group["clip_threshold"]).clamp(min=1)
        return clipped

    def _move(self, one: nn.Parameter, group: dict[str, Any]) -> None:
        update = self.direction(one.grad.float(), self.state[one], group)  # type: ignore[union-attr]
        update = update * _rms(one.float()).clamp(min=group["least_size"])
        one.mul_(1 - group["lr"] * group["weight_decay"])
        one.add_(update.to(one.dtype), alpha=-group["lr"])


def _rms(values: torch.Tensor) -> torch.Tensor:
    return values.square().mean().sqrt()


def lomo(groups: Sequence[dict[str, Any]], context: OptimizerContext) -> Layerwise:
    """LOMO; ``--optim_args`` has nothing to set."""
    context.options({})
    return Layerwise(groups, Lomo)


def adalomo(groups: Sequence[dict[str, Any]], context: OptimizerContext) -> Layerwise:
    """AdaLomo with ``--optim_args``: decay_rate (-0.8), clip_threshold (1), eps (1e-30), least_size (1e-3)."""
    options = context.options({"decay_rate": -0.8, "clip_threshold": 1.0, "eps": 1e-30, "least_size": 1e-3})
    return Layerwise(groups, lambda one: AdaLomo(one, **options))
