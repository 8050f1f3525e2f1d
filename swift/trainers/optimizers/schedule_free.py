"""Schedule-free optimizers of the package ``schedulefree`` (Defazio et al. 2024, arXiv:2405.15682).

They train at one point and are judged at another, an average; ``train()`` and ``eval()`` on the optimizer move the weights
from one to the other, and :func:`averaged` does that around an evaluation or a save. Warm-up is the run's own schedule: the
package's wants steps, and transformers hands it a share, which it would divide by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from swift.trainers.optimizers.context import OptimizerContext

__all__ = ["adamw", "averaged", "radam", "sgd"]

OPTIONS = {"r": 0.0, "weight_lr_power": 2.0}


def adamw(groups: Sequence[dict[str, Any]], context: OptimizerContext) -> torch.optim.Optimizer:
    """Schedule-free AdamW with ``--optim_args``: r, weight_lr_power."""
    from schedulefree import AdamWScheduleFree

    made: torch.optim.Optimizer = AdamWScheduleFree(
        groups, betas=context.betas, eps=context.eps, warmup_steps=0, **context.options(OPTIONS)
    )
    return made


def radam(groups: Sequence[dict[str, Any]], context: OptimizerContext) -> torch.optim.Optimizer:
    """Schedule-free RAdam with ``--optim_args``: r, weight_lr_power."""
    from schedulefree import RAdamScheduleFree

    made: torch.optim.Optimizer = RAdamScheduleFree(
        groups, betas=context.betas, eps=context.eps, **context.options(OPTIONS)
    )
    return made


def sgd(groups: Sequence[dict[str, Any]], context: OptimizerContext) -> torch.optim.Optimizer:
    """Schedule-free gradient descent with ``--optim_args``: momentum, r, weight_lr_power."""
    from schedulefree import SGDScheduleFree

    made: torch.optim.Optimizer = SGDScheduleFree(
        groups, warmup_steps=0, **context.options({"momentum": 0.9, **OPTIONS})
    )
    return made


@contextmanager
def averaged(optimizer: Any) -> Iterator[None]:
    """While open, the weights are the average that a schedule-free optimizer is judged by; others change nothing."""
    inner = getattr(optimizer, "optimizer", optimizer)  # accelerate wraps it
    groups = getattr(inner, "param_groups", [])
    moves = bool(groups) and all("train_mode" in group and group["train_mode"] for group in groups)
    if moves:
        inner.eval()
    try:
        yield
    finally:
        if moves:
            inner.train()
