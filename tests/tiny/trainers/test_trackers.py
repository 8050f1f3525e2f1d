"""What a tracker is told, when it goes on with an earlier run, and that its failures are said and survived."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from swift.trainers import trackers
from swift.trainers.sft import build_trainer
from swift.utils.errors import ArgumentError, TrainingError

SETTINGS = {"evaluation_strategy": "no", "logging_steps": 1, "max_steps": 4, "save_steps": 2, "report_to": ("mlflow",),
            "save_total_limit": None}  # fmt: skip


class Recorded:
    """Writes down what it is told, in place of a service; ``breaks_at`` is a step, 0 its start."""

    made: list[Recorded] = []
    breaks_at: int | None = None

    def __init__(self) -> None:
        self.numbers: list[tuple[int, Mapping[str, float]]] = []
        self.failed: bool | None = None
        Recorded.made.append(self)

    def start(self, name: str, folder: Path, config: Mapping[str, Any], run_id: str | None) -> str:
        if self.breaks_at == 0:
            raise ConnectionError("nobody answers\nsecond line")
        self.name, self.config, self.earlier = name, config, run_id
        return run_id or f"id-{len(Recorded.made)}"

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        if step == self.breaks_at:
            raise ConnectionError("gone")
        self.numbers.append((step, numbers))

    def finish(self, *, failed: bool) -> None:
        self.failed = failed


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> type[Recorded]:
    monkeypatch.setitem(trackers.TRACKERS, "mlflow", Recorded)
    Recorded.made, Recorded.breaks_at = [], None
    return Recorded


def train(tiny: ModuleType, folder: Path, resume_from: Path | None = None, **changes: Any) -> Any:
    trainer = build_trainer(
        tiny.tiny_config(folder, **{**SETTINGS, **changes}), tiny.tiny_model(), tiny.Samples(24), None, tiny.flat,
        extra_files={"plan.json": json.dumps({"seed": 7}), "notes.txt": "no JSON"},
    )  # fmt: skip
    return trainer.train(resume_from)


def test_it_is_told_numbers_and_plan_and_goes_on_after_a_resume(
    tiny: ModuleType, tmp_path: Path, recorded: type[Recorded]
) -> None:
    whole = train(tiny, tmp_path / "qwen" / "v0")
    (first,) = recorded.made
    assert (first.name, first.config, first.earlier, first.failed) == ("qwen-v0", {"plan": {"seed": 7}}, None, False)
    losses = [(step, numbers["train/loss"]) for step, numbers in first.numbers if "train/loss" in numbers]
    assert losses == [(row[0], row[1]) for row in tiny.losses(tmp_path / "qwen" / "v0") if row[1] is not None]
    assert "train/learning_rate" in first.numbers[0][1]
    train(tiny, tmp_path / "again", whole.last_checkpoint.parent / "checkpoint-2")
    second = recorded.made[1]
    assert second.earlier == "id-1"
    assert [step for step, numbers in second.numbers if "train/loss" in numbers] == [3, 4]
    train(tiny, tmp_path / "named", hf_args={"run_name": "mine"})
    assert (recorded.made[2].name, recorded.made[2].earlier) == ("mine", None)


def test_a_tracker_that_cannot_begin_stops_the_run_before_its_first_step(
    tiny: ModuleType, tmp_path: Path, recorded: type[Recorded]
) -> None:
    recorded.breaks_at = 0
    with pytest.raises(
        ArgumentError, match=r"--report_to mlflow: cannot begin a run there: nobody answers .*MLFLOW_TRACK"
    ):
        train(tiny, tmp_path)
    assert tiny.losses(tmp_path) == []


def test_a_tracker_that_fails_later_is_left_alone(
    tiny: ModuleType, tmp_path: Path, recorded: type[Recorded], caplog: pytest.LogCaptureFixture
) -> None:
    recorded.breaks_at = 2
    with caplog.at_level(logging.WARNING, logger="swift"):
        assert train(tiny, tmp_path).global_step == 4
    assert caplog.text.count("--report_to mlflow: stopped working (gone); training goes on without it") == 1


def test_a_run_that_fails_is_told_as_failed(tiny: ModuleType, tmp_path: Path, recorded: type[Recorded]) -> None:
    with pytest.raises(TrainingError):
        train(tiny, tmp_path, loss_watchdog_threshold=0.01, loss_watchdog_patience=2)
    assert recorded.made[0].failed is True
