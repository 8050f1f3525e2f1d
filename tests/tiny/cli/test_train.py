"""`swift plan`, `sft` and `pt` from words to files, with a model that is real and tiny."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from place import SHORT, Place, log_of, weights_of


def test_a_plan_tells_everything_and_writes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a plan loads no weights")

    monkeypatch.setattr("swift.llm.model.load.load_model", refuse)
    before = place.files()
    done = place.swift(
        "plan", "sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", "--lora_rank", 4, "--batch_size", 8
    )
    done.check_well(
        "flag --lora_rank", "16 samples an update: ceil(16 / batch_size 8)", "no GPU", "read 24, kept 24, lost 0",
        "steps: 2 (2 an epoch; 8 samples x 2 accumulated an update)", "parameters are trained", "memory: ", "disk: ",
        "a checkpoint", "first samples", "[[The| sum| is|",
    )  # fmt: skip
    assert "<|im_start|>|user|\\n|What|" in done.out
    assert place.files() == before


def test_dry_run_is_the_same_as_plan(place: Place) -> None:
    words = (
        "--model_id_or_path",
        place.model,
        "--dataset",
        "rows.jsonl",
        "--output_dir",
        "out",
        "--add_output_dir_suffix",
        "false",
    )
    place.swift("plan", "sft", *words).check_well()  # the second time the rows are found prepared, and that is told
    planned = place.swift("plan", "sft", *words)
    dry = place.swift("sft", *words, "--dry_run")
    planned.check_well()
    told = [line for line in planned.out.splitlines() if "free" not in line]  # free disk changes by itself
    assert told == [line for line in dry.out.splitlines() if "free" not in line]


def test_a_run_leaves_its_files(trained: Any) -> None:
    assert {path.name for path in trained.run.iterdir()} == {
        "sft_args.json", "plan.json", "training_args.json", "logging.jsonl", "row_ledger.jsonl", "runs", "images",
        "checkpoint-2", "checkpoint-4", "template_check.json",
    }  # fmt: skip
    said = json.loads((trained.run / "sft_args.json").read_text())
    assert (said["max_steps"], said["learning_rate"]) == (4, 0.01)
    plan = json.loads((trained.run / "plan.json").read_text())
    assert plan["trainer"]["gradient_accumulation_steps"] == 1
    assert json.loads((trained.run / "training_args.json").read_text())["per_device_train_batch_size"] == 4
    assert list((trained.run / "runs").iterdir())
    steps = [line["global_step/max_steps"] for line in log_of(trained.run) if "loss" in line]
    assert steps == ["1/4", "2/4", "3/4", "4/4"]
    assert [line["global_step/max_steps"] for line in log_of(trained.run) if "eval_loss" in line] == ["2/4", "4/4"]
    assert all("token_acc" in line for line in log_of(trained.run) if "loss" in line)


def test_the_plots_are_pictures(trained: Any) -> None:
    from matplotlib.image import imread

    names = {path.name for path in (trained.run / "images").iterdir()}
    assert {"train_loss.png", "eval_loss.png", "learning_rate.png", "train_token_acc.png"} <= names
    picture = imread(trained.run / "images" / "train_loss.png")
    assert min(picture.shape[:2]) > 200
    assert picture[..., :3].min() < 0.5 < picture[..., :3].max()


def test_a_checkpoint_is_whole_and_explains_itself(trained: Any) -> None:
    from swift.utils.manifest import check_manifest

    assert check_manifest(trained.checkpoint) == []
    names = {path.name for path in trained.checkpoint.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "sft_args.json", "plan.json",
            "tokenizer.json", "tokenizer_config.json", "manifest.json"} <= names  # fmt: skip
    assert json.loads((trained.checkpoint / "adapter_config.json").read_text())["base_model_name_or_path"] == str(
        trained.place.model
    )


def test_a_log_file_gets_lines_and_no_bars(trained: Any) -> None:
    assert "\r" not in trained.done.err
    assert "it/s]" not in trained.done.err
    assert "step 2/4  loss" in trained.done.err
    assert f"try it: swift infer --ckpt_dir {trained.checkpoint}" in trained.done.err


def test_full_training_in_bf16_keeps_its_weights_in_fp32(place: Place) -> None:
    from safetensors.torch import load_file

    place.swift(
        "sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", *SHORT, "--sft_type", "full", "--dtype", "bf16",
        "--max_steps", 1,
    ).check_well("25,376 of 25,376 parameters are trained")  # fmt: skip
    checkpoint = place.run() / "checkpoint-1"
    assert {str(tensor.dtype) for tensor in load_file(checkpoint / "model.safetensors").values()} == {"torch.float32"}
    assert json.loads((checkpoint / "plan.json").read_text())["trainer"]["autocast"] == "bf16"
    answered = place.swift(
        "infer", "--ckpt_dir", checkpoint, "--val_dataset", "questions.jsonl#2", "--max_new_tokens", 3
    )
    answered.check_well("answered 2 of 2 rows")


def test_packed_padded_and_flat_batches_begin_with_the_same_loss(place: Place) -> None:
    words = ("sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", "--max_steps", 1, "--dataset_test_ratio", 0,
             "--save_strategy", "no", "--logging_steps", 1, "--report_to", "none")  # fmt: skip
    all_rows = ("--batch_size", 24, "--gradient_accumulation_steps", 1)
    ways = {"flat": all_rows, "padded": (*all_rows, "--padding_free", "false"),
            "packed": ("--packing", "true", "--max_length", 256, "--batch_size", 3, "--gradient_accumulation_steps", 1)}  # fmt: skip
    losses = {}
    for name, more in ways.items():
        place.swift(*words, *more, "--output_dir", name).check_well()
        losses[name] = log_of(place.run(name))[0]["loss"]
    assert losses["padded"] == pytest.approx(losses["flat"], rel=1e-5)
    assert losses["packed"] == pytest.approx(losses["flat"], rel=1e-5)
    plan = json.loads((place.run("packed") / "plan.json").read_text())
    assert plan["data"]["packing"] is True


@pytest.mark.parametrize("name", ["texts.jsonl", "book.txt"])
def test_plain_text_is_trained_whole(place: Place, name: str) -> None:
    text = "Once there was a ship that sailed over the sea to find a new land."
    lines = [text, text + " The wind was strong.", text + " The night was long."]
    place.write(
        name, "\n".join(json.dumps({"text": line}) if name.endswith("jsonl") else line for line in lines) + "\n"
    )
    words = ("--model_id_or_path", place.model, "--dataset", name, "--max_length", 48, "--dataset_test_ratio", 0)
    planned = place.swift("plan", "pt", *words)
    planned.check_well("lost 0", "<|im_end|>")
    assert "im_start" not in planned.out.split("first samples")[1]
    place.swift("pt", *words, *SHORT, "--max_steps", 1, "--packing", "true").check_well(
        "25,376 of 25,376 parameters are trained"
    )
    assert (place.run() / "checkpoint-1" / "model.safetensors").is_file()
    assert (place.run() / "row_ledger.jsonl").read_text() == ""


def test_flags_win_over_a_file(place: Place) -> None:
    place.write(
        "run.yaml",
        f"""
model_id_or_path: {place.model}
dataset:
  - rows.jsonl
learning_rate: 1e-3
lora_rank: 4
max_steps: 9
""",
    )
    done = place.swift("plan", "sft", "run.yaml", "--max_steps", "2")
    done.check_well("0.001", "file run.yaml:5", "file run.yaml:6", "steps: 2 ")
    assert "flag --max_steps" not in done.out.split("learning_rate")[0]


def test_a_json_file_as_the_first_word(place: Place) -> None:
    place.write(
        "run.json",
        json.dumps({"model_id_or_path": str(place.model), "dataset": ["rows.jsonl"], "max_steps": 1, "lora_rank": 2}),
    )
    place.swift("sft", "run.json", *SHORT).check_well("done after 1 steps")
    assert json.loads((place.run() / "checkpoint-1" / "adapter_config.json").read_text())["r"] == 2


def test_answers_are_scored_while_training(place: Place) -> None:
    place.swift(
        "sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", "--val_dataset", "questions.jsonl#2", *SHORT,
        "--max_steps", 1, "--eval_steps", 1, "--predict_with_generate", "true", "--max_new_tokens", 3,
    ).check_well()  # fmt: skip
    evaluated = next(line for line in log_of(place.run()) if "eval_loss" in line)
    assert {"eval_rouge-l", "eval_bleu-4", "eval_exact_match"} <= set(evaluated)


def test_the_same_seed_gives_the_same_adapter(place: Place) -> None:
    words = (
        "sft",
        "--model_id_or_path",
        place.model,
        "--dataset",
        "rows.jsonl",
        *SHORT,
        "--max_steps",
        1,
        "--dataset_test_ratio",
        0,
    )
    place.swift(*words, "--output_dir", "one").check_well()
    place.swift(*words, "--output_dir", "two").check_well()
    place.swift(*words, "--output_dir", "other", "--seed", 7).check_well()
    one, two, other = (weights_of(place.run(name) / "checkpoint-1") for name in ("one", "two", "other"))
    assert one == two
    assert one != other


def test_factors_b_learn_faster_where_it_is_asked_for(place: Place) -> None:
    from safetensors.torch import load_file

    sizes = []
    for more in ((), ("--lora_lr_ratio", 16)):
        place.swift("sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", *SHORT, "--learning_rate", 1e-3, "--max_steps", 1,
                    "--warmup_ratio", 0, "--dataset_test_ratio", 0, *more).check_well()  # fmt: skip
        state = load_file(place.run() / "checkpoint-1" / "adapter_model.safetensors")
        sizes.append(max(float(tensor.abs().max()) for name, tensor in state.items() if "lora_B" in name))
    assert sizes[1] == pytest.approx(16 * sizes[0], rel=0.05)
