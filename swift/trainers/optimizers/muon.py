"""Muon for matrices, AdamW for the rest (Jordan et al. 2024; the step size of Liu et al. 2025, arXiv:2502.16982).

torch has Muon; embeddings, head, vectors and what has no two axes do not suit it. Both parts take the same learning rate:
torch scales Muon's update to the size that AdamW's has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from swift.trainers.optimizers.context import OptimizerContext
from swift.trainers.optimizers.groups import embedding_parameters, head_parameters

__all__ = ["Several", "build"]


class Several(torch.optim.Optimizer):
    """Several optimizers as one. Their groups are shared, so a change of a rate reaches them."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self.parts = list(parts)
        super().__init__([group for part in self.parts for group in part.param_groups], {})
        self._share()

    def _share(self) -> None:
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of each."""
        assert closure is None  # the loop computes the loss itself
        for part in self.parts:
            if part.param_groups:
                part.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of each."""
        return {"state": {}, "param_groups": [], "parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on exactly from :meth:`state_dict`."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share()


def build(groups: Sequence[dict[str, Any]], context: OptimizerContext) -> Several:
    """Muon with ``--optim_args``: momentum (0.95), nesterov (true), ns_steps (5)."""
    options = context.options({"momentum": 0.95, "nesterov": True, "ns_steps": 5})
    apart = {id(one) for one in [*embedding_parameters(context.model), *head_parameters(context.model)]}
    matrices: list[dict[str, Any]] = []
    rest: list[dict[str, Any]] = []
    for group in groups:
        inside = [one for one in group["params"] if one.ndim == 2 and id(one) not in apart]
        outside = [one for one in group["params"] if one.ndim != 2 or id(one) in apart]
        matrices += [{**group, "params": inside}] if inside else []
        rest += [{**group, "params": outside}] if outside else []
    parts: list[torch.optim.Optimizer] = []
    if matrices:
        parts.append(torch.optim.Muon(matrices, adjust_lr_fn="match_rms_adamw", **options))
    if rest:
        parts.append(torch.optim.AdamW(rest, betas=context.betas, eps=context.eps))
    return Several(parts)
