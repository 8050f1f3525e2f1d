"""Samples to one batch of tensors: flat (padding-free) or padded. Knows no model and no template.

torch is imported when the first batch is made, not with this module. Arrays are filled in numpy and handed over whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from swift.llm.core import Encoded

__all__ = ["Collator"]

IGNORED = -100  # the label that no loss is taken on, as in torch's cross_entropy


@dataclass(frozen=True, slots=True)
class Collator:
    """Turns samples, or packs of samples, into a batch. ``pad_to``: token counts are rounded up to a multiple of it.

    Flat: ``input_ids``, ``position_ids``, ``labels`` (1, T) int64, ``cu_seqlens`` (N+1,) int32, ``max_seqlen`` int; T counts
    the tokens of all N samples. Rounding adds padding as one more sample without labels.
    Padded (right): ``input_ids``, ``attention_mask``, ``labels`` (B, T) int64.
    Both: ``loss_scale`` float32 like ``labels``, only if some sample has one. ``labels[t]`` is the token at ``t`` itself
    (position ``t - 1`` predicts it), -100 where it carries no loss and at the first token of each sample.
    """

    padding_free: bool
    pad_token_id: int
    pad_to: int | None = None

    def __call__(self, items: Sequence[Encoded] | Sequence[Sequence[Encoded]]) -> dict[str, Any]:
        """Return the batch. Raises ValueError for no samples, or for packs that should be padded."""
        samples: list[Encoded] = []
        for item in items:
            if isinstance(item, Encoded):
                samples.append(item)
            elif self.padding_free:
                samples.extend(item)
            else:
                raise ValueError("packs cannot be padded: samples in one row would see each other")
        if not samples:
            raise ValueError("a batch needs at least one sample")
        return self._flat(samples) if self.padding_free else self._padded(samples)

    def _rounded(self, length: int) -> int:
        return length if not self.pad_to else -(-length // self.pad_to) * self.pad_to

    def _flat(self, samples: list[Encoded]) -> dict[str, Any]:
        import torch

        lengths = [len(sample) for sample in samples]
        total = sum(lengths)
        padding = self._rounded(total) - total
        if padding:
            lengths.append(padding)
        ends = np.cumsum(lengths)
        cu_seqlens = np.zeros(len(lengths) + 1, np.int32)  # (N+1,)
        cu_seqlens[1:] = ends
        input_ids = np.full(total + padding, self.pad_token_id, np.int64)
        trained = np.zeros(total + padding, np.bool_)
        np.concatenate([sample.input_ids for sample in samples], out=input_ids[:total], casting="safe")
        np.concatenate([sample.trained for sample in samples], out=trained[:total])
        trained[cu_seqlens[:-1]] = False
        positions = np.arange(total + padding, dtype=np.int64) - np.repeat(cu_seqlens[:-1].astype(np.int64), lengths)
        batch: dict[str, Any] = {
            "input_ids": torch.from_numpy(input_ids[None]),  # (1, T)
            "position_ids": torch.from_numpy(positions[None]),  # (1, T)
            "labels": torch.from_numpy(np.where(trained, input_ids, IGNORED)[None]),  # (1, T)
            "cu_seqlens": torch.from_numpy(cu_seqlens),  # (N+1,)
            "max_seqlen": max(lengths),
        }
        if any(sample.loss_scale is not None for sample in samples):
            scale = np.ones(total + padding, np.float32)
            for start, sample in zip(cu_seqlens.tolist(), samples, strict=False):
                if sample.loss_scale is not None:
                    scale[start : start + len(sample)] = sample.loss_scale
            batch["loss_scale"] = torch.from_numpy(scale[None])  # (1, T)
        return batch

    def _padded(self, samples: list[Encoded]) -> dict[str, Any]:
        import torch

        longest = self._rounded(max(len(sample) for sample in samples))
        shape = (len(samples), longest)
        input_ids = np.full(shape, self.pad_token_id, np.int64)
        attention_mask = np.zeros(shape, np.int64)
        labels = np.full(shape, IGNORED, np.int64)
        scale = np.ones(shape, np.float32) if any(s.loss_scale is not None for s in samples) else None
        for i, sample in enumerate(samples):
            length = len(sample)
            input_ids[i, :length] = sample.input_ids
            attention_mask[i, :length] = 1
            labels[i, 1:length] = np.where(sample.trained[1:], sample.input_ids[1:], IGNORED)
            if scale is not None and sample.loss_scale is not None:
                scale[i, :length] = sample.loss_scale
        batch: dict[str, Any] = {
            "input_ids": torch.from_numpy(input_ids),  # (B, T)
            "attention_mask": torch.from_numpy(attention_mask),  # (B, T)
            "labels": torch.from_numpy(labels),  # (B, T)
        }
        if scale is not None:
            batch["loss_scale"] = torch.from_numpy(scale)  # (B, T)
        return batch
