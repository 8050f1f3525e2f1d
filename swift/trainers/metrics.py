"""Counts behind the reported numbers: accuracy, memory, time. Knows no trainer and no file."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping

import torch

from swift.trainers.batch import sample_of


def count_correct(
    correct: torch.Tensor, positions: torch.Tensor, batch: Mapping[str, torch.Tensor], strategy: str
) -> tuple[torch.Tensor, torch.Tensor | int]:
    """How many were right, of how many: tokens, or with `strategy` "sentence" samples whose trained tokens all are.

    `correct` (K,) bool and `positions` (K,) int64 describe the trained tokens. Nothing waits for the device.
    """
    if strategy == "token":
        return correct.sum(), correct.numel()
    sample = sample_of(batch, positions)  # (K,)
    size = batch["cu_seqlens"].numel() - 1 if "cu_seqlens" in batch else batch["labels"].shape[0]
    trained = torch.zeros(size, dtype=torch.int64, device=correct.device).index_add_(0, sample, torch.ones_like(sample))
    right = torch.zeros_like(trained).index_add_(0, sample, correct.to(torch.int64))
    return ((right == trained) & (trained > 0)).sum(), (trained > 0).sum()


def peak_memory_gib(device: torch.device) -> float:
    """Most memory in use so far: reserved on the GPU, else the resident size of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**30
    unit = 1 if sys.platform == "darwin" else 1024  # kilobytes but on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def duration(seconds: float) -> str:
    """Seconds for people: ``42s``, ``3m 7s``, ``2h 5m``, ``1d 4h``."""
    total = round(seconds)
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m {total % 60}s"
    if total < 86400:
        return f"{total // 3600}h {total % 3600 // 60}m"
    return f"{total // 86400}d {total % 86400 // 3600}h"
