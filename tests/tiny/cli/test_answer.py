"""`swift infer` and `swift merge-lora` on what a run has made."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from place import Place

FIVE = ("--val_dataset", "questions.jsonl", "--max_new_tokens", 6)


@pytest.fixture
def checkpoint(trained: Any, place: Place) -> Path:
    """A copy of the last checkpoint."""
    folder = place.folder / "run" / "checkpoint-4"
    shutil.copytree(trained.checkpoint, folder)
    return folder


def answers(folder: Path) -> list[dict[str, Any]]:
    """The rows of the one result file in a folder."""
    (file,) = [path for path in folder.glob("*.jsonl") if "ledger" not in path.name]
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_rows_are_answered_and_written(checkpoint: Path, place: Place) -> None:
    place.swift("infer", "--ckpt_dir", checkpoint, *FIVE).check_well("answered 5 of 5 rows", "rouge-l")
    rows = answers(checkpoint / "infer_result")
    assert [row["query"] for row in rows] == [f"What is {i} plus {i}?" for i in range(30, 35)]
    assert [row["label"] for row in rows] == [f"The sum is {2 * i}." for i in range(30, 35)]
    assert all(set(row) == {"system", "query", "response", "label", "history"} for row in rows)


def test_a_run_stands_for_its_newest_checkpoint(checkpoint: Path, place: Place) -> None:
    done = place.swift("infer", "--ckpt_dir", checkpoint.parent, *FIVE, "--result_dir", "results")
    done.check_well("checkpoint-4 is its newest whole checkpoint", "answered 5 of 5 rows")
    assert len(answers(place.folder / "results")) == 5


def test_one_by_one_and_batched_answers_are_equal(checkpoint: Path, place: Place) -> None:
    place.swift("infer", "--ckpt_dir", checkpoint, *FIVE, "--result_dir", "one", "--max_batch_size", 1).check_well()
    place.swift("infer", "--ckpt_dir", checkpoint, *FIVE, "--result_dir", "all", "--max_batch_size", 5).check_well()
    assert answers(place.folder / "one") == answers(place.folder / "all")


def test_a_merged_model_answers_like_the_adapter(checkpoint: Path, place: Place) -> None:
    done = place.swift("merge-lora", "--ckpt_dir", checkpoint)
    done.check_well(f"merged into {checkpoint}-merged", "logits differ by at most")
    assert "\r" not in done.err
    merged = checkpoint.with_name("checkpoint-4-merged")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in merged.iterdir()}
    place.swift("infer", "--ckpt_dir", checkpoint, *FIVE, "--result_dir", "adapter").check_well()
    place.swift("infer", "--ckpt_dir", merged, *FIVE, "--result_dir", "merged").check_well()
    place.swift("infer", "--model_id_or_path", merged, *FIVE, "--result_dir", "folder").check_well()
    assert answers(place.folder / "adapter") == answers(place.folder / "merged") == answers(place.folder / "folder")


def test_a_chat_over_a_pipe(checkpoint: Path, place: Place) -> None:
    talk = "What is 2 plus 2?\nAnd 3 plus 3?\nclear\nreset-system\nBe brief.\nmulti-line\nWhat\nis this?#\nexit\n"
    done = place.spawn("infer", "--ckpt_dir", checkpoint, "--max_new_tokens", 4, "--result_dir", "chat", text=talk)
    done.check_well("<<< What is 2 plus 2?", "The conversation is forgotten.", "the conversation: ")
    assert "\r" not in done.err
    first, second, third = answers(place.folder / "chat")
    assert second["history"] == [[first["query"], first["response"]]]
    assert (third["query"], third["history"], third["system"]) == ("What\nis this?", [], "Be brief.")


def test_a_plan_of_answers_writes_nothing(checkpoint: Path, place: Place) -> None:
    before = place.files()
    place.swift("infer", "--ckpt_dir", checkpoint, *FIVE, "--dry_run").check_well(
        "5 rows to answer, 0 lost", "first prompts"
    )
    assert place.files() == before
