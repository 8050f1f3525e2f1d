"""Folders to type commands in: a fresh one for a test, and one in which a run has been made."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from place import SHORT, Done, Place, make_place


@pytest.fixture
def place(tmp_path: Path, model_folder: Path) -> Place:
    """A fresh working folder."""
    return make_place(tmp_path / "work", model_folder)


@dataclass(frozen=True)
class Trained:
    """A finished LoRA run of four steps, saved and evaluated every second one."""

    place: Place
    done: Done
    run: Path

    @property
    def checkpoint(self) -> Path:
        """Its last checkpoint."""
        return self.run / "checkpoint-4"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Trained:
    """A finished run; tests that change it work on a copy."""
    place = make_place(tmp_path_factory.mktemp("trained") / "work", model_folder)
    done = place.swift(
        "sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", *SHORT[:-2], "--max_steps", 4, "--save_steps", 2,
        "--eval_steps", 2, "--dataset_test_ratio", 0.1,
    )  # fmt: skip
    done.check_well()
    return Trained(place, done, place.run())
