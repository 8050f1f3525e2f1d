"""Runs that stop, in every way a run can, and go on as if nothing had been."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from place import SHORT, Place, log_of, sums, weights_of

from swift.utils.manifest import check_manifest, list_checkpoints

STEPS = 90


@pytest.fixture
def stopped(trained: Any, tmp_path: Path) -> Path:
    """A copy of the finished run as it was when its second step had been saved: as a kill would have left it."""
    run = tmp_path / "work" / "output" / trained.run.parent.name / trained.run.name
    shutil.copytree(trained.run, run)
    shutil.rmtree(run / "checkpoint-4")
    return run


def wait_for(process: subprocess.Popen[str], step: int) -> None:
    """Read the log of a command until it tells of that step, or a later one."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("step ") and int(line.split()[1].split("/")[0]) >= step:
            return
    raise AssertionError("".join(said))


def test_killed_stopped_and_interrupted_it_ends_as_if_it_had_not_been(place: Place) -> None:
    words = ["sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", *SHORT, "--max_steps", STEPS, "--save_steps", 10,
             "--eval_steps", 15, "--dataset_test_ratio", 0.1, "--lora_dropout", 0.1]  # fmt: skip
    again = [*words, "--auto_resume", "true"]
    seed = random.randrange(10**6)
    print("seed of the moments:", seed)  # shown if the test fails
    moments = random.Random(seed)
    ended = []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        with place.start(*again) as process:
            # a new attempt goes on at step 10 at the least, so a low first step is where it begins
            wait_for(process, moments.randrange(11, 15))
            time.sleep(moments.random() * 0.05)
            process.send_signal(number)
            _, err = process.communicate(timeout=120)
        ended.append(process.returncode)
        run = place.run()
        assert [problem for folder in list_checkpoints(run) for problem in check_manifest(folder)] == []
        if number is not signal.SIGKILL:
            assert "Traceback" not in err
            assert f"--resume_from_checkpoint {list_checkpoints(run)[-1]}" in err
    assert ended == [-9, 143, 130]
    place.swift(*again).check_well(f"done after {STEPS} steps")
    assert [path.name for path in place.run().parent.iterdir()] == [place.run().name]
    assert [path.name for path in place.run().iterdir() if path.name.startswith(".")] == []
    place.swift(*words, "--output_dir", "straight").check_well()
    straight, broken = place.run("straight"), place.run()
    assert log_of(broken) == log_of(straight)
    assert weights_of(broken / f"checkpoint-{STEPS}") == weights_of(straight / f"checkpoint-{STEPS}")


def test_a_run_folder_goes_on_where_it_was(trained: Any, stopped: Path, place: Place) -> None:
    place.swift("sft", "--resume_from_checkpoint", stopped).check_well(
        "step 3/4", "done after 4 steps", f"last checkpoint: {stopped}"
    )
    assert weights_of(stopped / "checkpoint-4") == weights_of(trained.checkpoint)
    assert log_of(stopped) == log_of(trained.run)


def test_an_older_checkpoint_branches_off_beside_its_run(stopped: Path, place: Place, trained: Any) -> None:
    shutil.copytree(trained.checkpoint, stopped / "checkpoint-4")
    done = place.swift("sft", "--resume_from_checkpoint", stopped / "checkpoint-2", "--max_steps", 3)
    done.check_well("step 3/3")
    assert sorted(path.name for path in place.run().iterdir() if path.name.startswith("checkpoint")) == ["checkpoint-3"]
    assert place.run() != stopped
    assert place.run().parent == stopped.parent
    assert (stopped / "checkpoint-4").is_dir()


def test_only_the_weights_are_taken_into_a_new_run(stopped: Path, place: Place) -> None:
    place.rows("other.jsonl", sums(50, 9))
    done = place.swift("sft", "--resume_from_checkpoint", stopped, "--resume_only_model", "true", "--dataset", "other.jsonl", *SHORT,
                       "--max_steps", 1)  # fmt: skip
    done.check_well("step 1/1", "other.jsonl: read 9")
    assert place.run() != stopped


def test_what_the_weights_were_made_with_cannot_change(stopped: Path, place: Place) -> None:
    before = place.files()
    done = place.swift("sft", "--resume_from_checkpoint", stopped, "--lora_rank", 16, "--target_modules", "q_proj")
    done.check_refused(
        "2 problems", "--lora_rank: is 16, and checkpoint-2 was trained with 8", "--target_modules: is q_proj"
    )
    place.swift("sft", "--resume_from_checkpoint", stopped, "--sft_type", "full").check_refused(
        "1 problem", "trained with lora"
    )
    assert place.files() == before


def test_other_data_is_not_the_same_run(stopped: Path, place: Place) -> None:
    place.rows("other.jsonl", sums(50, 9))
    before = place.files()
    done = place.swift("sft", "--resume_from_checkpoint", stopped, "--dataset", "other.jsonl")
    done.check_refused("cannot be continued exactly", "--resume_only_model")
    assert place.files() == before


def test_a_folder_with_another_run_is_refused(stopped: Path, place: Place) -> None:
    before = place.files()
    done = place.swift("sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", "--output_dir", stopped,
                       "--add_output_dir_suffix", "false")  # fmt: skip
    done.check_refused("checkpoint-2 of another run", f"--resume_from_checkpoint {stopped}")
    assert place.files() == before


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_a_damaged_checkpoint_is_refused_and_an_older_one_taken(stopped: Path, place: Place, trained: Any) -> None:
    damaged = stopped / "checkpoint-4"
    shutil.copytree(trained.checkpoint, damaged)
    flip(damaged / "adapter_model.safetensors")
    before = place.files()
    done = place.swift("sft", "--resume_from_checkpoint", damaged)
    done.check_refused(str(damaged), "adapter_model.safetensors has changed", f"{stopped / 'checkpoint-2'} is whole")
    done = place.swift("infer", "--ckpt_dir", damaged, "--val_dataset", "questions.jsonl")
    done.check_refused(str(damaged), "adapter_model.safetensors has changed", "checkpoint-2")
    place.swift("merge-lora", "--ckpt_dir", damaged).check_refused("adapter_model.safetensors has changed")
    assert place.files() == before
    place.swift("sft", "--resume_from_checkpoint", stopped).check_well("step 3/4")
    assert weights_of(stopped / "checkpoint-4") == weights_of(trained.checkpoint)


def test_a_cut_checkpoint_is_refused(stopped: Path, place: Place) -> None:
    file = stopped / "checkpoint-2" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    before = place.files()
    place.swift("sft", "--resume_from_checkpoint", stopped / "checkpoint-2").check_refused("has 100 bytes instead of")
    place.swift("sft", "--resume_from_checkpoint", stopped).check_refused("no whole checkpoint")
    place.swift("infer", "--ckpt_dir", stopped / "checkpoint-2").check_refused("has 100 bytes instead of")
    assert place.files() == before
