"""APOLLO: plain gradients, each row or column as long as Adam would make it (Zhu et al. 2024, arXiv:2412.05270, algorithm 1).

    R  = P G                 P random, entries N(0, 1/r), made anew from the seed every ``gap`` steps
    R~ = Adam(R)             moments of the low rank
    s  = |R~| / |R|          one for each channel of the longer side, or one for the matrix
    W -= lr · scale · s G    after a limit on how fast |s G| may grow

P is not kept: the seed, the number of the parameter and the number of the renewal give it back. Parameters that are no
matrices, and matrices not larger than the rank, are moved by Adam.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from swift.trainers.optimizers.context import OptimizerContext
from swift.trainers.optimizers.groups import embedding_parameters, head_parameters
from swift.trainers.optimizers.single import SingleRule, adam_moments

__all__ = ["Apollo", "build", "build_mini"]

GROWTH = 1.01
"""How much longer a scaled gradient may be than the one before (the paper's γ)."""


class Apollo(SingleRule):
    """See the head of the module. ``scale_type`` is ``channel`` or ``tensor``; groups with ``rank`` 0 are plain AdamW."""

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        *,
        rank: int = 128,
        gap: int = 200,
        scale: float = 1.0,
        scale_type: str = "channel",
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        seed: int = 42,
    ) -> None:
        super().__init__(groups, rank=rank, gap=gap, scale=scale, scale_type=scale_type, betas=tuple(betas), eps=eps)
        self._seed = seed
        self._numbers = {id(one): n for n, one in enumerate(p for g in self.param_groups for p in g["params"])}

    def _move(self, one: Any, group: dict[str, Any]) -> None:
        self.state[one].setdefault("number", self._numbers[id(one)])
        super()._move(one, group)

    def direction(self, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> torch.Tensor:
        """The scaled gradient, or Adam's direction for what is not projected."""
        betas, eps, rank = group["betas"], group["eps"], group["rank"]
        if gradient.ndim != 2 or rank == 0 or min(gradient.shape) <= rank:
            return adam_moments(gradient, state, betas, eps)
        tall = gradient.shape[0] >= gradient.shape[1]
        wide = gradient.T if tall else gradient  # (shorter, longer)
        low = (
            self.random(wide.shape[0], rank, state["number"], state.get("step", 0) // group["gap"], wide) @ wide
        )  # (r, longer)
        adapted = adam_moments(low, state, betas, eps)
        if group["scale_type"] == "tensor":
            factors = adapted.norm() / (low.norm() + 1e-8)
        else:
            factors = adapted.norm(dim=0) / (low.norm(dim=0) + 1e-8)  # (longer,)
        scaled = wide * factors
        limited: torch.Tensor = self._limited(scaled.T if tall else scaled, state) * group["scale"]
        return limited

    def random(self, side: int, rank: int, number: int, renewal: int, like: torch.Tensor) -> torch.Tensor:
        """The random projection of parameter ``number`` after so many renewals.  # (rank, side)"""
        # on the CPU, so that the same numbers come out on every device
        generator = torch.Generator().manual_seed((self._seed * 1_000_003 + number) * 1_000_003 + renewal)
        return (torch.randn(rank, side, generator=generator) / math.sqrt(rank)).to(like.device)

    @staticmethod
    def _limited(scaled: torch.Tensor, state: dict[str, Any]) -> torch.Tensor:
        length = scaled.norm()
        if "length" in state:
            limit = state["length"] * GROWTH
            shrink = torch.where(length > limit, limit / length.clamp(min=1e-12), torch.ones_like(length))
            scaled, length = scaled * shrink, length * shrink
        state["length"] = length
        return scaled


def build(groups: Sequence[dict[str, Any]], context: OptimizerContext) -> Apollo:
    """APOLLO with ``--optim_args``: rank (128), update_proj_gap (200), scale (1), scale_type (channel)."""
    return _build(groups, context, {"rank": 128, "update_proj_gap": 200, "scale": 1.0, "scale_type": "channel"})


def build_mini(groups: Sequence[dict[str, Any]], context: OptimizerContext) -> Apollo:
    """APOLLO-Mini: rank 1, one factor for a matrix, scaled by √128 as in the paper (section 4.2)."""
    return _build(groups, context, {"rank": 1, "update_proj_gap": 200, "scale": math.sqrt(128), "scale_type": "tensor"})


def _build(groups: Sequence[dict[str, Any]], context: OptimizerContext, options: dict[str, Any]) -> Apollo:
    options = context.options(options, {"scale_type": ("channel", "tensor")})
    # embeddings and head are not projected: their rows are tokens, most without a gradient
    apart = {id(one) for one in [*embedding_parameters(context.model), *head_parameters(context.model)]}
    split: list[dict[str, Any]] = []
    for group in groups:
        plain = [one for one in group["params"] if id(one) in apart]
        rest = [one for one in group["params"] if id(one) not in apart]
        split += [{**group, "params": plain, "rank": 0}] if plain else []
        split += [{**group, "params": rest}] if rest else []
    return Apollo(split, rank=options["rank"], gap=options["update_proj_gap"], scale=options["scale"],
                  scale_type=options["scale_type"], betas=context.betas, eps=context.eps, seed=context.seed)  # fmt: skip
