"""One optimizer for each parameter, run inside the backward pass: a gradient is used and freed as soon as it is whole.

Only for updates that are made of one backward pass, with gradients that are not clipped together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

__all__ = ["Layerwise"]


class Layerwise(torch.optim.Optimizer):
    """``make(groups)`` makes the optimizer of one parameter; ``step`` has nothing left to do."""

    def __init__(
        self, groups: Sequence[dict[str, Any]], make: Callable[[Sequence[dict[str, Any]]], torch.optim.Optimizer]
    ) -> None:
        super().__init__([dict(group) for group in groups], {"lr": 0.0, "weight_decay": 0.0})
        self._hooks: list[Any] = []
        self._parts: dict[int, tuple[int, torch.optim.Optimizer]] = {}  # with the number of the group
        for number, group in enumerate(self.param_groups):
            for one in group["params"]:
                self._parts[id(one)] = (number, make([{**group, "params": [one]}]))
                self._hooks.append(one.register_post_accumulate_grad_hook(self._use))

    @torch.no_grad()
    def _use(self, parameter: nn.Parameter) -> None:
        number, part = self._parts[id(parameter)]
        for group in part.param_groups:
            group["lr"] = self.param_groups[number]["lr"]
        part.step()
        parameter.grad = None

    def detach(self) -> None:
        """Use no gradient any more: another optimizer takes over."""
        for hook in self._hooks:
            hook.remove()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Nothing: every step was taken in the backward pass."""
        assert closure is None

    def state_dict(self) -> dict[str, Any]:
        """The states of all the optimizers, in the order of the parameters."""
        return {**super().state_dict(), "parts": [part.state_dict() for _, part in self._parts.values()]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on exactly from :meth:`state_dict`."""
        super().load_state_dict({"state": {}, "param_groups": state_dict["param_groups"]})
        for (_, part), state in zip(self._parts.values(), state_dict["parts"], strict=True):
            part.load_state_dict(state)
