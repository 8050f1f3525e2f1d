"""Training on a stream, through the command line."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from place import SHORT, Place, log_of, sums, weights_of

STREAM = ("--streaming", "true", "--streaming_val_size", "4", "--streaming_buffer_size", "30", "--lora_dropout", "0.1")


@pytest.fixture
def words(place: Place) -> list[object]:
    """A run of 14 steps of 4 rows over 26 rows that train: more than two passes, with rows that are lost on the way."""
    rows = [
        *sums(0, 20),
        {"query": "and?", "response": ""},
        *sums(20, 9),
        {"query": "x " * 400, "response": "y"},
        *sums(40, 1),
    ]
    place.rows("stream.jsonl", rows)
    return ["sft", "--model_id_or_path", place.model, "--dataset", "stream.jsonl", *SHORT, *STREAM, "--max_steps", 14,
            "--save_steps", 4, "--eval_steps", 5, "--save_total_limit", -1, "--max_length", 200]  # fmt: skip


@pytest.mark.parametrize("packing", ["false", "true"])
def test_killed_anywhere_it_goes_on_exactly(place: Place, words: list[object], packing: str) -> None:
    words = [*words, "--packing", packing]
    done = place.swift(*words)
    done.check_well("read 28, kept 26, lost 2", "done after 14 steps")
    straight = place.run()
    ledger = (straight / "row_ledger.jsonl").read_text()
    assert [(json.loads(line)["line"], json.loads(line)["split"]) for line in ledger.splitlines()] == [
        (21, "train"), (31, "train")
    ]  # fmt: skip
    for step in (4, 8, 12):
        broken = place.folder / "broken" / f"v0-20250101-00000{step % 10}"
        shutil.copytree(straight, broken)
        for later in range(step + 1, 15):
            shutil.rmtree(broken / f"checkpoint-{later}", ignore_errors=True)
        place.swift("sft", "--resume_from_checkpoint", broken).check_well(
            "done after 14 steps", "read 28, kept 26, lost 2"
        )
        assert log_of(broken) == log_of(straight)
        assert weights_of(broken / "checkpoint-14") == weights_of(straight / "checkpoint-14")
        assert (broken / "row_ledger.jsonl").read_text() == ledger


def test_a_signal_saves_what_it_stops(place: Place, words: list[object]) -> None:
    again = [*words, "--output_dir", "stopped", "--auto_resume", "true"]
    with place.start(*again) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 3/"):
                process.send_signal(signal.SIGTERM)
                break
        process.communicate(timeout=120)
    assert process.returncode == 143
    place.swift(*again).check_well("done after 14 steps")
    place.swift(*words).check_well()
    assert log_of(place.run("stopped")) == log_of(place.run())


def test_the_plan_tells_of_the_stream_before_anything_is_trained(place: Place, words: list[object]) -> None:
    done = place.swift(*words, "--dry_run", "true")
    done.check_well("a stream, 30 rows at a time", "validation: 4 samples", "steps: 14", "first samples")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--max_steps", -1], "a stream has no end. Say how long to train: --max_steps"),
        (["--dataset_test_ratio", 0.1], "a stream has no length to take a share of"),
        (["--group_by_length", "true"], "cannot be looked for ahead"),
        (["--save_strategy", "epoch"], "a stream has no epochs"),
        (["--preprocess_num_proc", 2], "one thread encodes ahead"),
        (["--val_dataset", "rows.jsonl"], "both say what validates"),
    ],
)
def test_what_a_stream_cannot_do_is_said(place: Place, words: list[object], more: list[object], said: str) -> None:
    place.swift(*words, *more).check_refused(said)


def test_what_only_a_stream_can_do_is_refused_without_one(place: Place) -> None:
    done = place.swift("sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", "--streaming_val_size", 3)
    done.check_refused("--streaming_val_size: has an effect only with --streaming true")


def test_other_data_is_not_the_same_stream(place: Place, words: list[object]) -> None:
    place.swift(*words, "--max_steps", 4).check_well()
    place.rows("stream.jsonl", sums(3, 30))
    place.swift("sft", "--resume_from_checkpoint", place.run(), "--max_steps", 6).check_refused(
        "cannot be continued exactly"
    )
