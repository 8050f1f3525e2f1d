"""What one collated step contains. Knows no tokenizer and no model.

Alphabet: ``B`` samples, ``T`` tokens of one sample (padded: of the longest), ``ΣT`` tokens of all samples, ``N`` samples of a flat batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import torch

IGNORED = -100


class Weighted(TypedDict, total=False):
    """What any batch may have: how much each token's loss counts."""

    loss_scale: torch.Tensor  # float32, in the shape of labels


class FlatBatch(Weighted):
    """Samples one after another in a single row, without padding; ``labels[t]`` is the token at t, predicted at t - 1.

    ``labels`` is -100 where no loss is taken, and at the first token of each sample. Sample n holds the tokens
    ``cu_seqlens[n]`` to ``cu_seqlens[n + 1]``.
    """

    input_ids: torch.Tensor  # (1, ΣT) int64
    position_ids: torch.Tensor  # (1, ΣT) int64, from 0 in each sample
    labels: torch.Tensor  # (1, ΣT) int64
    cu_seqlens: torch.Tensor  # (N + 1,) int32
    max_seqlen: int


class PaddedBatch(Weighted):
    """Samples as rows of equal length; ``attention_mask`` is 0 on padding, ``labels`` is -100 there."""

    input_ids: torch.Tensor  # (B, T) int64
    attention_mask: torch.Tensor  # (B, T) int64
    labels: torch.Tensor  # (B, T) int64


Batch = FlatBatch | PaddedBatch
"""What `collate` returns and the model's step takes."""


def count_tokens(batch: Mapping[str, torch.Tensor]) -> int:
    """Tokens that are not padding."""
    mask = batch.get("attention_mask")
    return int(mask.sum()) if mask is not None else batch["input_ids"].numel()


def count_trained(batch: Mapping[str, torch.Tensor]) -> int:
    """Positions that carry loss: the first column has nothing before it that could predict it."""
    return int(torch.count_nonzero(batch["labels"][..., 1:] != IGNORED))


def sample_of(batch: Mapping[str, torch.Tensor], positions: torch.Tensor) -> torch.Tensor:
    """The number of the sample in which each position lies; `positions` (K,) index the flattened batch.  # (K,) int64"""
    if "cu_seqlens" not in batch:
        return positions // batch["labels"].shape[1]
    return torch.searchsorted(batch["cu_seqlens"][1:].to(positions.dtype), positions, right=True)


def without_loss(batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same batch with nothing to train on: what a rank computes when it has run out of samples."""
    return {**batch, "labels": torch.full_like(batch["labels"], IGNORED)}
