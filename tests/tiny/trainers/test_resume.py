from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from swift.trainers.sft import build_trainer
from swift.utils.errors import CheckpointError
from swift.utils.manifest import check_manifest

ROOT = Path(__file__).resolve().parents[3]
# see the filter of pyproject.toml: hqq, where it is installed, makes torch warn when transformers is imported
TORCH = "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"


def launch(tiny: ModuleType, run_dir: Path, kills: dict[str, Any], changes: dict[str, Any]) -> list[int]:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-W", TORCH, tiny.__file__, str(run_dir), json.dumps(kills), json.dumps(changes)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


STEPS = {"save_steps": 3, "eval_steps": 4}
EPOCHS = {"lora": True, "save_strategy": "epoch", "evaluation_strategy": "epoch", "group_by_length": True}
MIXED = {"lora": True, "save_steps": 7, "evaluation_strategy": "epoch", "max_steps": 18, "early_stopping_patience": 9}


@pytest.mark.parametrize("changes", [STEPS, EPOCHS, MIXED], ids=["full", "lora-epochs", "lora-mixed"])
def test_a_killed_run_becomes_the_run_that_was_never_killed(
    tiny: ModuleType, tmp_path: Path, changes: dict[str, Any]
) -> None:
    chance = random.Random(0)
    kills = {
        "kill_at_fsync": [4, 25, 41],  # in the middle of saves: files, manifest, rename
        "kill_after_s": [round(chance.uniform(0.05, 0.9), 2) for _ in range(3)],  # anywhere
    }
    _, whole = tiny.run(tmp_path / "whole", **changes)
    statuses = launch(tiny, tmp_path / "killed", kills, changes)
    assert statuses.count(-signal.SIGKILL) >= 2
    assert tiny.losses(tmp_path / "killed") == tiny.losses(tmp_path / "whole")
    last = tmp_path / "killed" / whole.last_checkpoint.name
    assert check_manifest(last) == []
    expected, reached = tiny.weights(whole.last_checkpoint), tiny.weights(last)
    assert expected.keys() == reached.keys()
    assert all(torch.equal(expected[name], reached[name]) for name in expected)
    names = {path.name for path in (tmp_path / "killed").iterdir()}
    assert not {name for name in names if name.endswith((".partial", ".deleting"))}


def test_resuming_a_finished_run_changes_nothing(tiny: ModuleType, tmp_path: Path) -> None:
    _, first = tiny.run(tmp_path, max_steps=5)
    before = tiny.losses(tmp_path)
    _, again = tiny.run(tmp_path, resume_from=tmp_path, max_steps=5)
    assert again.global_step == first.global_step == 5
    assert again.train_loss == first.train_loss
    assert again.best_checkpoint == first.best_checkpoint
    assert tiny.losses(tmp_path) == before


def test_resume_takes_the_newest_whole_checkpoint(tiny: ModuleType, tmp_path: Path) -> None:
    _, result = tiny.run(tmp_path, max_steps=6)
    before = tiny.weights(result.last_checkpoint)
    weights = result.last_checkpoint / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"checkpoint-6: not a whole checkpoint: model.safetensors has changed.*checkpoint-3"
    ):
        tiny.run(tmp_path, resume_from=result.last_checkpoint, max_steps=6)
    _, again = tiny.run(tmp_path, resume_from=tmp_path, max_steps=6)
    assert all(torch.equal(before[name], tensor) for name, tensor in tiny.weights(again.last_checkpoint).items())
    assert (tmp_path / "abandoned-1-checkpoint-6").is_dir()


def test_a_resume_in_another_folder_keeps_the_log(tiny: ModuleType, tmp_path: Path) -> None:
    tiny.run(tmp_path / "whole", max_steps=8)
    _, part = tiny.run(tmp_path / "first", max_steps=8)
    tiny.run(tmp_path / "second", resume_from=part.last_checkpoint.parent / "checkpoint-6", max_steps=8)
    assert tiny.losses(tmp_path / "second") == tiny.losses(tmp_path / "whole")


@pytest.mark.parametrize(
    "changes", [{"batch_size": 4}, {"data_seed": 7}, {"group_by_length": True}], ids=["batch", "seed", "order"]
)
def test_other_data_or_order_is_refused(tiny: ModuleType, tmp_path: Path, changes: dict[str, Any]) -> None:
    tiny.run(tmp_path, max_steps=3)
    with pytest.raises(CheckpointError, match="cannot be continued exactly"):
        tiny.run(tmp_path, resume_from=tmp_path, max_steps=6, **changes)


def test_the_same_step_may_be_cut_otherwise(tiny: ModuleType, tmp_path: Path) -> None:
    """6 samples a step as 3 x 2 or 2 x 3: the same samples, so the run may go on."""
    tiny.run(tmp_path, max_steps=3)
    _, result = tiny.run(tmp_path, resume_from=tmp_path, max_steps=6, batch_size=2, gradient_accumulation_steps=3)
    assert result.global_step == 6


def test_weights_alone_cannot_be_continued(tiny: ModuleType, tmp_path: Path) -> None:
    _, result = tiny.run(tmp_path / "a", max_steps=3, save_only_model=True)
    assert not (result.last_checkpoint / "optimizer.pt").exists()
    with pytest.raises(CheckpointError, match="--resume_only_model true"):
        tiny.run(tmp_path / "a", resume_from=result.last_checkpoint, max_steps=6)
    trainer = build_trainer(
        tiny.tiny_config(tmp_path / "b", max_steps=1, learning_rate=0.0),
        tiny.tiny_model(),
        tiny.Samples(40),
        None,
        tiny.flat,
    )
    again = trainer.train(result.last_checkpoint, only_model=True)
    assert again.global_step == 1
    expected = tiny.weights(result.last_checkpoint)
    assert all(torch.equal(expected[name], tensor) for name, tensor in tiny.weights(again.last_checkpoint).items())


def test_an_adapter_and_a_model_are_not_mixed_up(tiny: ModuleType, tmp_path: Path) -> None:
    tiny.run(tmp_path / "lora", max_steps=3, lora=True)
    with pytest.raises(CheckpointError, match="--sft_type"):
        tiny.run(tmp_path / "lora", resume_from=tmp_path / "lora", max_steps=6)


def test_early_stopping_counts_over_a_resume(tiny: ModuleType, tmp_path: Path) -> None:
    changes = {
        "learning_rate": 0.0,
        "eval_steps": 2,
        "save_steps": 2,
        "early_stopping_patience": 3,
        "save_total_limit": None,
    }
    _, whole = tiny.run(tmp_path / "whole", **changes)
    assert whole.global_step == 8  # the first evaluation sets the mark, three more do not beat it
    _, again = tiny.run(tmp_path / "again", resume_from=tmp_path / "whole" / "checkpoint-4", **changes)
    assert again.global_step == 8
    _, after = tiny.run(tmp_path / "whole", resume_from=tmp_path / "whole", **changes)
    assert after.global_step == 8
