"""Losses as pure functions on tensors. Knows no model, no loop and no data.

Alphabet: ``K`` trained tokens of a batch.
"""

from __future__ import annotations

import torch


def step_share(total: torch.Tensor, num_tokens: torch.Tensor | int, world_size: int = 1) -> torch.Tensor:
    """One batch's share of the loss of its optimiser step: `total` () over all the tokens that the step trains on.

    `num_tokens` counts the trained tokens of all accumulated batches on all ranks, so the shares of a step add up to the
    mean over its tokens, however it was cut. Data-parallel training averages gradients over ranks; `world_size` undoes that.
    """
    return total * world_size / num_tokens
