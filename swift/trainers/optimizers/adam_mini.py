"""Adam-mini: one second moment for each block of weights (Zhang et al. 2024, arXiv:2406.16793, algorithm 1).

A block is what the Hessian keeps apart: a head of the query and key projections, an output of every other matrix (a row of
torch's weight), a token of the embeddings and the head, and a whole vector. Everything else is AdamW.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from swift.trainers.optimizers.context import OptimizerContext
from swift.trainers.optimizers.single import SingleRule, adam_moments

__all__ = ["AdamMini", "build"]


class AdamMini(SingleRule):
    """Adam with one second moment for ``block`` rows of a matrix (a setting of the group), or for a whole vector."""

    def __init__(
        self, groups: Sequence[dict[str, Any]], *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        super().__init__(groups, block=1, betas=tuple(betas), eps=eps)

    def direction(self, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> torch.Tensor:
        """Adam's direction, its second moment the mean over each block."""
        if gradient.ndim < 2:
            return adam_moments(gradient, state, group["betas"], group["eps"], gradient.square().mean())
        blocks = gradient.reshape(gradient.shape[0] // group["block"], -1)  # (blocks, weights of one)
        square = blocks.square().mean(1, keepdim=True)
        return adam_moments(blocks, state, group["betas"], group["eps"], square).reshape(gradient.shape)


def build(groups: Sequence[dict[str, Any]], context: OptimizerContext) -> AdamMini:
    """Adam-mini; rows of query and key projections are taken by heads where the model's configuration says their width."""
    context.options({})
    width = _head_width(context.model)
    by_heads = {id(weight) for name, weight in context.model.named_parameters()
                if weight.ndim == 2 and ("q_proj.weight" in name or "k_proj.weight" in name)
                and width and weight.shape[0] % width == 0}  # fmt: skip
    split: list[dict[str, Any]] = []
    for group in groups:
        heads = [one for one in group["params"] if id(one) in by_heads]
        rest = [one for one in group["params"] if id(one) not in by_heads]
        split += [{**group, "params": heads, "block": width}] if heads else []
        split += [{**group, "params": rest}] if rest else []
    return AdamMini(split, betas=context.betas, eps=context.eps)


def _head_width(model: Any) -> int | None:
    config = model.config.get_text_config()
    width = getattr(config, "head_dim", None)
    heads = getattr(config, "num_attention_heads", None)
    return int(width) if width else int(config.hidden_size // heads) if heads else None
