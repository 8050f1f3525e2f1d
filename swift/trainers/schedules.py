"""Courses of the learning rate: pure functions of the step, and the scheduler of a run. Imports torch only to build one.

A factor multiplies the highest rate. Alphabet: ``s`` steps taken, ``w`` steps of warm-up, ``n`` steps in all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from swift.utils.errors import ArgumentError
from swift.utils.registry import unknown

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from swift.trainers.config import TrainerConfig

__all__ = ["SCHEDULES", "TRANSFORMERS", "build_schedule", "check_schedule", "jagged", "schedule_names"]

Factor = Callable[[int], float]

TRANSFORMERS = ("linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt",
                "cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay")  # fmt: skip
"""Schedules that transformers has. Its reduce_lr_on_plateau and greedy follow the loss, not the step."""


def warmed(step: int, warmup: int, after: Factor) -> float:
    """A straight line from 0 to 1 over the warm-up, then ``after(step)``."""
    return step / warmup if step < warmup else after(step)


def progress(step: int, begin: int, end: int) -> float:
    """How far a step is from ``begin`` (0) to ``end`` (1)."""
    return min(max((step - begin) / max(end - begin, 1), 0.0), 1.0)


def cosine_with_tail(warmup: int, steps: int, *, min_lr_rate: float = 0.1, constant_ratio: float = 1.0) -> Factor:
    """Half a cosine from 1 down to ``min_lr_rate``, reached after that share of all steps, and flat from there."""
    end = int(steps * constant_ratio)

    def fall(step: int) -> float:
        return min_lr_rate + (1 - min_lr_rate) * 0.5 * (1 + math.cos(math.pi * progress(step, warmup, end)))

    return lambda step: warmed(step, warmup, fall)


def rex(warmup: int, steps: int, *, min_lr_rate: float = 0.0) -> Factor:
    """REX: (1 - z) / (1 - z / 2), with z the progress (Chen et al. 2021, arXiv:2107.04197); slow to fall, then fast."""

    def fall(step: int) -> float:
        z = progress(step, warmup, steps)
        return min_lr_rate + (1 - min_lr_rate) * (1 - z) / (1 - z / 2)

    return lambda step: warmed(step, warmup, fall)


def one_cycle(
    warmup: int, steps: int, *, pct_start: float = 0.3, div_factor: float = 25.0, final_div_factor: float = 1e4
) -> Factor:
    """Up from 1/div_factor in the first ``pct_start`` of the steps and down to that over final_div_factor, in cosines.

    Smith and Topin 2017, arXiv:1708.07120; as torch's OneCycleLR. The rise is part of the course: ``warmup`` has no effect.
    """
    low, top = 1 / div_factor, pct_start * steps - 1

    def factor(step: int) -> float:
        if step <= top:
            return _cosine(low, 1.0, step / top if top > 0 else 1.0)
        return _cosine(1.0, low / final_div_factor, min((step - top) / max(steps - 1 - top, 1e-9), 1.0))

    return factor


def log_sweep(warmup: int, steps: int, *, min_lr_rate: float = 1e-6) -> Factor:
    """Up from ``min_lr_rate`` to 1, by the same factor in each step: shows which rates a model bears. No warm-up."""
    return lambda step: float(min_lr_rate ** (1 - progress(step, 0, steps - 1)))


def jagged(every: int, steps: int, warmup: int, anneal: int) -> Factor:
    """What another course is multiplied by where a method begins anew after every so many steps: from 0 up in ``warmup`` steps
    after that, and down in the ``anneal`` steps before it (Lialin et al. 2023, arXiv:2307.05695, figure 2). Not at the ends of
    the run, where nothing begins anew.
    """

    def factor(step: int) -> float:
        since = step % every
        rise = since / warmup if step >= every and since < warmup else 1.0
        left = every - since
        fall = left / anneal if left < anneal and step + left < steps else 1.0
        return rise * fall

    return factor


def _cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) / 2 * (1 + math.cos(math.pi * share))


SCHEDULES: Mapping[str, Callable[..., Factor]] = {
    "rex": rex, "one_cycle": one_cycle, "log_sweep": log_sweep, "cosine_with_tail": cosine_with_tail,
}  # fmt: skip
"""Our own schedules: (warm-up, steps, settings) to a factor."""


def schedule_names() -> tuple[str, ...]:
    """All values of ``--lr_scheduler_type``."""
    return (*TRANSFORMERS, *SCHEDULES)


def build_schedule(config: TrainerConfig, optimizer: Optimizer, warmup: int, steps: int) -> LRScheduler:
    """The scheduler of a run of so many steps. Raises ArgumentError for settings that the schedule does not have."""
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import get_scheduler

    name, settings = config.lr_scheduler_type, dict(config.lr_scheduler_kwargs)
    if config.cosine_constant_lr_ratio is not None:
        name, settings = "cosine_with_tail", {**settings, "constant_ratio": config.cosine_constant_lr_ratio}
    try:
        if name in SCHEDULES:
            scheduler: Any = LambdaLR(optimizer, _plain(SCHEDULES[name](warmup, steps, **settings)))
        else:
            scheduler = get_scheduler(
                name, optimizer, num_warmup_steps=warmup, num_training_steps=steps, scheduler_specific_kwargs=settings
            )
    except TypeError as error:
        raise ArgumentError(
            f"--lr_scheduler_kwargs {settings}: {_first_line(error)} (lr_scheduler_type {name})"
        ) from error
    if config.lr_quadratic_warmup:
        scheduler = LambdaLR(optimizer, [_squared(factor, warmup) for factor in scheduler.lr_lambdas])
    if config.restart_steps is not None:
        course = jagged(config.restart_steps, steps, config.restart_warmup, config.restart_anneal)
        scheduler = LambdaLR(optimizer, [_times(factor, course) for factor in scheduler.lr_lambdas])
    result: LRScheduler = scheduler
    return result


def _plain(factor: Factor) -> Factor:
    # a plain function has no state of its own, so a checkpoint holds the step alone
    return lambda step: factor(step)


def _times(factor: Factor, other: Factor) -> Factor:
    return lambda step: factor(step) * other(step)


def _squared(factor: Factor, warmup: int) -> Factor:
    return lambda step: (step / warmup) ** 2 if step < warmup else factor(step)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def check_schedule(name: str) -> str | None:
    """A sentence that says what is wrong with the name of a schedule; None where it is one."""
    if name in schedule_names():
        return None
    if name in ("reduce_lr_on_plateau", "greedy"):
        return (
            f"--lr_scheduler_type {name}: follows the loss, so a resumed run would not be the same. Use cosine or rex."
        )
    return f"--lr_scheduler_type {name}: {unknown('schedule', name, schedule_names())}"
