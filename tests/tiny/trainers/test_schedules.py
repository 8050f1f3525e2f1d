"""Schedules equal their formulas."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from swift.trainers.schedules import SCHEDULES, build_schedule, schedule_names
from swift.utils.errors import ArgumentError

STEPS, WARMUP = 50, 5


def course(tiny: ModuleType, warmup: int = WARMUP, **changes: Any) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = build_schedule(tiny.tiny_config(Path("unused"), **changes), optimizer, warmup, STEPS)
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_cosine_with_a_floor_and_a_tail(tiny: ModuleType) -> None:
    rates = course(tiny, lr_scheduler_kwargs={"min_lr_rate": 0.2}, cosine_constant_lr_ratio=0.6)
    end = 30
    for step, rate in enumerate(rates):
        cosine = 0.2 + 0.8 * (1 + math.cos(math.pi * (step - WARMUP) / (end - WARMUP))) / 2
        assert rate == pytest.approx(step / WARMUP if step < WARMUP else cosine if step < end else 0.2)


def test_cosine_with_a_floor_is_that_of_transformers(tiny: ModuleType) -> None:
    theirs = course(tiny, lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs={"min_lr_rate": 0.2})
    ours = course(tiny, lr_scheduler_type="cosine_with_tail", lr_scheduler_kwargs={"min_lr_rate": 0.2})
    assert ours == pytest.approx(theirs)


def test_rex(tiny: ModuleType) -> None:
    for step, rate in enumerate(course(tiny, lr_scheduler_type="rex")):
        z = (step - WARMUP) / (STEPS - WARMUP)
        assert rate == pytest.approx(step / WARMUP if step < WARMUP else (1 - z) / (0.5 + 0.5 * (1 - z)))


def test_one_cycle_is_that_of_torch(tiny: ModuleType) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=STEPS, pct_start=0.2, div_factor=6, cycle_momentum=False
    )
    expected = []
    for number in range(STEPS):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if number < STEPS - 1:
            scheduler.step()
    ours = course(tiny, lr_scheduler_type="one_cycle", lr_scheduler_kwargs={"pct_start": 0.2, "div_factor": 6})
    assert ours == pytest.approx(expected)


def test_a_sweep_grows_by_the_same_factor(tiny: ModuleType) -> None:
    rates = course(tiny, lr_scheduler_type="log_sweep", lr_scheduler_kwargs={"min_lr_rate": 1e-4})
    assert rates[0] == pytest.approx(1e-4)
    assert rates[-1] == pytest.approx(1.0)
    assert [after / before for before, after in itertools.pairwise(rates)] == pytest.approx(
        [1e4 ** (1 / (STEPS - 1))] * (STEPS - 1)
    )


@pytest.mark.parametrize("name", ["cosine", "linear", "rex"])
def test_a_quadratic_warmup_changes_the_warmup_alone(tiny: ModuleType, name: str) -> None:
    plain = course(tiny, lr_scheduler_type=name)
    squared = course(tiny, lr_scheduler_type=name, lr_quadratic_warmup=True)
    assert squared[WARMUP:] == plain[WARMUP:]
    assert squared[:WARMUP] == pytest.approx([(step / WARMUP) ** 2 for step in range(WARMUP)])


@pytest.mark.parametrize("name", schedule_names())
def test_every_schedule_makes_a_course(tiny: ModuleType, name: str) -> None:
    settings = {"cosine_with_min_lr": {"min_lr_rate": 0.1}, "cosine_warmup_with_min_lr": {"min_lr_rate": 0.1},
                "warmup_stable_decay": {"num_decay_steps": 10}}  # fmt: skip
    rates = course(tiny, lr_scheduler_type=name, lr_scheduler_kwargs=settings.get(name, {}))
    assert max(rates) == pytest.approx(1.0, abs=0.06)
    assert min(rates) >= 0
    assert len(SCHEDULES) == 4


def test_settings_that_a_schedule_does_not_have(tiny: ModuleType) -> None:
    with pytest.raises(ArgumentError, match=r"--lr_scheduler_kwargs.*colour.*lr_scheduler_type rex"):
        course(tiny, lr_scheduler_type="rex", lr_scheduler_kwargs={"colour": 1})
