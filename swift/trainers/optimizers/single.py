"""The frame of our own optimizers: one update rule for one parameter, and a state that is saved and resumed bit for bit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

__all__ = ["SingleRule"]


class SingleRule(torch.optim.Optimizer):
    """Moves each parameter that has a gradient by :meth:`direction`, after decoupled weight decay.

    W = (1 - lr · decay) · W - lr · direction. States are fp32 whatever the type of the weights.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], **defaults: Any) -> None:
        super().__init__([dict(group) for group in groups], {"lr": 0.0, "weight_decay": 0.0, **defaults})

    @abstractmethod
    def direction(self, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> torch.Tensor:
        """Where to go, in the shape of ``gradient`` (fp32); ``state`` is this parameter's own, empty at first."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        assert closure is None  # the loop computes the loss itself
        for group in self.param_groups:
            for one in group["params"]:
                if one.grad is not None:
                    self._move(one, group)

    def _move(self, one: nn.Parameter, group: dict[str, Any]) -> None:
        towards = self.direction(one.grad.float(), self.state[one], group)  # type: ignore[union-attr]
        one.mul_(1 - group["lr"] * group["weight_decay"])
        one.add_(towards.to(one.dtype), alpha=-group["lr"])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on exactly from a saved state."""
        super().load_state_dict(state_dict)
        # torch has cast every state tensor to the type of its parameter: take them as they were
        numbers = [number for group in state_dict["param_groups"] for number in group["params"]]
        parameters = [one for group in self.param_groups for one in group["params"]]
        for number, one in zip(numbers, parameters, strict=True):
            saved = state_dict["state"].get(number)
            if saved is not None:
                self.state[one] = {name: value.to(one.device, copy=True) if isinstance(value, torch.Tensor) else value
                                   for name, value in saved.items()}  # fmt: skip


def adam_moments(
    gradient: torch.Tensor,
    state: dict[str, Any],
    betas: tuple[float, float],
    eps: float,
    square: torch.Tensor | None = None,
) -> torch.Tensor:
    """Adam's bias-corrected m / (√v + eps) for one more ``gradient``; ``square`` takes the place of its square in v."""
    if not state.get("step"):
        state["step"] = 0
        state["first"] = torch.zeros_like(gradient)
        state["second"] = torch.zeros_like(gradient if square is None else square)
    state["step"] += 1
    first, second = state["first"], state["second"]
    first.lerp_(gradient, 1 - betas[0])
    second.mul_(betas[1]).add_(gradient.square() if square is None else square, alpha=1 - betas[1])
    corrected = (second / (1 - betas[1] ** state["step"])).sqrt_().add_(eps)
    direction: torch.Tensor = first / (1 - betas[0] ** state["step"]) / corrected
    return direction
