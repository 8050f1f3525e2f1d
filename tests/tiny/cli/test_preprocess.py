"""`swift preprocess`: work done ahead, in shares, found again by content; what it says; what moves the address."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from place import SHORT, Place, sums


def made(place: Place) -> set[str]:
    """The addresses in the cache."""
    folder = Path(f"{place.folder}-cache") / "datasets"
    return {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()


def test_it_says_what_is_there_and_training_finds_it(place: Place) -> None:
    rows = [*sums(0, 30), *sums(3, 1), {"query": "Q", "response": ""}, {"query": "long " * 300, "response": "A"}]
    place.rows("mine.jsonl", rows)
    words = (
        "--model_id_or_path",
        place.model,
        "--dataset",
        "mine.jsonl",
        "--max_length",
        200,
        "--dataset_test_ratio",
        0.2,
    )
    done = place.swift("preprocess", *words, "--json", "said.json")
    done.check_well(
        "mine.jsonl: 1 of 1 parts made", "read 33, kept 31, lost 2 (1 empty answer, 1 over 200 tokens)", "train: 26 samples",
        "validation: 5 samples", "packing at 200:", "longest rows:", "[[", "swift sft with the same model",
    )  # fmt: skip
    said = json.loads((place.folder / "said.json").read_text())
    assert said["duplicates"] + said["overlap"] == 1
    assert said["sources"][0]["lost"] == {"empty answer": 1, "over 200 tokens": 1}
    assert re.fullmatch(r".*/mine\.jsonl:\d+", said["longest"][0][0])
    assert [line["action"] for line in said["ledger"]] == ["lost", "lost"]
    assert "\nlost " in done.out
    before = made(place)
    place.swift("sft", *words, *SHORT, "--max_steps", 1).check_well("prepared before", "nothing is tokenised anew")
    assert made(place) == before
    (ledger,) = (place.folder / "output").glob("*/*/row_ledger.jsonl")
    assert len(ledger.read_text().splitlines()) == 2


@pytest.mark.parametrize("change", ["row", "template", "system", "limit", "tokenizer"])
def test_what_is_changed_gets_another_address(place: Place, change: str) -> None:
    model = shutil.copytree(place.model, place.folder / "model")
    words = ["--model_id_or_path", model, "--dataset", "rows.jsonl", "--dataset_test_ratio", 0]
    place.swift("preprocess", *words).check_well()
    place.swift("preprocess", *words).check_well("rows.jsonl: all was there")
    if change == "row":
        place.rows("rows.jsonl", [*sums(0, 23), *sums(70, 1)])
    elif change == "tokenizer":
        file = model / "tokenizer_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "added_later": 1}))
    else:
        words += {
            "template": ["--template_type", "qwen"],
            "system": ["--system", "Be brief."],
            "limit": ["--max_length", 90],
        }[change]
    place.swift("preprocess", *words).check_well("rows.jsonl: 1 of 1 parts made")
    assert len(made(place)) == 2


def test_shares_are_joined(place: Place) -> None:
    words = ("preprocess", "--model_id_or_path", place.model, "--dataset", "many.jsonl", "--dataset_test_ratio", 0)
    place.rows("many.jsonl", sums(0, 17_000))
    place.swift(*words, "--shard", "2/2").check_well(
        "1 of 2 parts made, 1 are still to be made", "share 2 of 2 is done"
    )
    place.swift(*words, "--shard", "1/2").check_well("1 of 2 parts made", "read 17,000, kept 17,000")
    place.swift(*words).check_well("many.jsonl: all was there")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_run_goes_on(place: Place) -> None:
    words = ("preprocess", "--model_id_or_path", place.model, "--dataset", "many.jsonl", "--dataset_test_ratio", 0)
    place.rows("many.jsonl", sums(0, 50_000))
    with place.start(*words) as process:
        parts: list[Path] = []
        while not parts and process.poll() is None:
            parts = list(Path(f"{place.folder}-cache").glob("datasets/*/*.json"))
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert parts
    done = place.swift(*words)
    done.check_well("read 50,000, kept 50,000")
    found = re.search(r"many\.jsonl: (\d) of 4 parts made", done.out)
    assert found is not None, done
    assert int(found[1]) < 4


def test_what_makes_no_sense_is_refused(place: Place) -> None:
    words = ("preprocess", "--model_id_or_path", place.model, "--dataset", "rows.jsonl")
    place.swift(*words, "--shard", "3/2").check_refused("--shard 3/2")
    place.swift(*words, "--streaming", "true").check_refused("--streaming true")
    place.swift(*words, "--lazy_tokenize", "true").check_refused("--lazy_tokenize true")
    place.swift(*words, "--truncation_strategy", "raise", "--max_length", 5).check_refused("rows.jsonl:1:", "limit 5")
    place.swift(*words, "--max_length", "20", "--truncation_strategy", "right").check_refused(
        "no trained token in the first 20"
    )


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (["--check_dataset_strategy", "error"], ["1 row of the wrong type", "--check_dataset_strategy is error"]),
        (["--strict_data", "true"], ["cannot be used"]),
        (["--max_lost_ratio", "0.01"], ["--max_lost_ratio 0.01"]),
        (["--check_dataset_strategy", "warning"], []),
        (["--check_dataset_strategy", "discard"], []),
    ],
)
def test_bad_rows_are_dropped_or_stop_the_work(place: Place, flags: list[str], parts: list[str]) -> None:
    place.rows("bad.jsonl", [*sums(0, 20), {"query": 7, "response": "A"}])
    done = place.swift("preprocess", "--model_id_or_path", place.model, "--dataset", "bad.jsonl", *flags)
    if parts:
        done.check_refused(*parts)
    else:
        done.check_well("read 21, kept 20, lost 1")


def test_lazy_training_tells_lost_rows(place: Place) -> None:
    place.rows("mine.jsonl", [*sums(0, 12), {"query": "long " * 99, "response": "A"}])
    done = place.swift(
        "sft", "--model_id_or_path", place.model, "--dataset", "mine.jsonl", "--max_length", 90, "--dataset_test_ratio", 0,
        "--lazy_tokenize", "true", *SHORT, "--num_train_epochs", 1,
    )  # fmt: skip
    done.check_well("13 rows, encoded when they are used", "13 were used, 1 of them without loss")
    (line,) = map(json.loads, (place.run() / "row_ledger.jsonl").read_text().splitlines())
    assert (line["line"], line["action"]) == (13, "lost")


def test_no_weights_are_needed(place: Place) -> None:
    bare = place.folder / "bare"
    shutil.copytree(place.model, bare, ignore=shutil.ignore_patterns("*.safetensors*"))
    place.swift("preprocess", "--model_id_or_path", bare, "--dataset", "rows.jsonl").check_well(
        "rows.jsonl: read 24, kept 24"
    )
    place.swift("sft", "--model_id_or_path", bare, "--dataset", "rows.jsonl").check_refused("no weights")
