"""QLoRA from words to files: train over packed weights, answer over them, fold the adapter into the plain ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from place import SHORT, Place, log_of, make_place


@pytest.fixture(scope="module")
def qlora(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Any:
    """A run of four steps over 4-bit weights."""
    pytest.importorskip("bitsandbytes", reason="the extra `quant` is not installed")
    place = make_place(tmp_path_factory.mktemp("qlora") / "work", model_folder)
    done = place.swift(
        "sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", *SHORT, "--quantization_bit", 4,
        "--bnb_4bit_quant_type", "fp4", "--max_steps", 4, "--save_steps", 2, "--eval_steps", 2, "--dataset_test_ratio", 0.1,
    )  # fmt: skip
    done.check_well("bnb weights, mergeable", "merge-lora folds it into this model's plain weights")
    return place, place.run()


def test_the_loss_falls_and_the_adapter_is_small(qlora: Any) -> None:
    _place, run = qlora
    losses = [row["loss"] for row in log_of(run) if "loss" in row]
    assert losses[-1] < losses[0]
    assert {path.name for path in (run / "checkpoint-4").glob("*.safetensors")} == {"adapter_model.safetensors"}


def test_answers_are_given_over_the_weights_it_was_trained_over(qlora: Any) -> None:
    place, run = qlora
    words = ("infer", "--ckpt_dir", run / "checkpoint-4", "--val_dataset", "rows.jsonl", "--max_new_tokens", 4)
    planned = place.swift(*words, "--dry_run")
    planned.check_well("checkpoint-4 was trained over it", "fp4")
    place.swift(*words, "--show_dataset_sample", 2).check_well("answered 2 of 2 rows")


def test_it_is_folded_into_plain_weights_and_that_is_said(qlora: Any) -> None:
    place, run = qlora
    done = place.swift("merge-lora", "--ckpt_dir", run / "checkpoint-4")
    done.check_well("the adapter was trained over bitsandbytes 4-bit weights and is folded into the plain ones")
    merged = run / "checkpoint-4-merged"
    assert "quantization_config" not in json.loads((merged / "config.json").read_text())
    # The folder remembers how it was trained; its weights are plain all the same.
    planned = place.swift("infer", "--ckpt_dir", merged, "--val_dataset", "rows.jsonl", "--dry_run")
    planned.check_well()
    assert "quant_method" not in planned.out
    place.swift("merge-lora", "--ckpt_dir", run / "checkpoint-4", "--quantization_bit", 4).check_refused(
        "folded into plain weights"
    )


def test_a_run_goes_on_where_it_stopped(qlora: Any, model_folder: Path) -> None:
    place, run = qlora
    done = place.swift("sft", "--resume_from_checkpoint", run / "checkpoint-2", "--output_dir", "again")
    done.check_well("bnb weights, mergeable")
    again = [row["loss"] for row in log_of(place.run("again")) if "loss" in row][-2:]
    assert again == [row["loss"] for row in log_of(run) if "loss" in row][-2:]


def test_packed_files_without_their_library_are_told_before_anything_is_loaded(place: Place) -> None:
    config = json.loads((place.model / "config.json").read_text())
    packed = place.folder / "packed"
    packed.mkdir()
    for file in place.model.iterdir():
        (packed / file.name).write_bytes(file.read_bytes())
    (packed / "config.json").write_text(
        json.dumps({**config, "quantization_config": {"quant_method": "aqlm", "nbits_per_codebook": 16}})
    )
    done = place.swift("sft", "--model_id_or_path", packed, "--dataset", "rows.jsonl")
    done.check_refused("its weights are AQLM", "needs a CUDA GPU", "needs aqlm, which is not installed")
