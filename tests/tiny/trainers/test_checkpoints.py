from __future__ import annotations

import errno
import json
import os
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from swift.trainers import checkpoints as ckpt
from swift.trainers.sft import build_trainer
from swift.utils.errors import CheckpointError, DiskError
from swift.utils.manifest import check_manifest, list_checkpoints, newest_valid_checkpoint


def write(folder: ckpt.CheckpointFolder, step: int) -> Path:
    with folder.writing(step) as partial:
        (partial / "weights").write_bytes(b"x" * 100)
        assert not folder.path(step).exists()
    return folder.path(step)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_checkpoint_appears_at_once_and_whole(tmp_path: Path) -> None:
    path = write(ckpt.CheckpointFolder(tmp_path, None), 5)
    assert names(tmp_path) == {"checkpoint-5"}
    assert names(path) == {"weights", "manifest.json"}
    assert check_manifest(path) == []


def test_a_failed_save_leaves_nothing(tmp_path: Path) -> None:
    folder = ckpt.CheckpointFolder(tmp_path, None)
    write(folder, 1)
    with pytest.raises(KeyboardInterrupt), folder.writing(2) as partial:
        (partial / "weights").write_bytes(b"half")
        raise KeyboardInterrupt
    with pytest.raises(DiskError, match="checkpoint-2: No space left on device"), folder.writing(2):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == {"checkpoint-1"}


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    for name in (".checkpoint-3.partial", ".checkpoint-1.deleting", "checkpoint-2", "mine"):
        (tmp_path / name / "sub").mkdir(parents=True)
    (tmp_path / ".training_args.json.77.partial").touch()
    ckpt.CheckpointFolder(tmp_path, None).clean()
    assert names(tmp_path) == {"checkpoint-2", "mine"}


@pytest.mark.parametrize(
    ("limit", "best", "kept"),
    [
        (2, 10, {10, 40}),
        (2, 40, {30, 40}),
        (2, None, {30, 40}),
        (1, 10, {40}),
        (3, 20, {20, 30, 40}),
        (None, 10, {10, 20, 30, 40}),
    ],
)
def test_rotation_keeps_the_best_and_the_last(
    tmp_path: Path, limit: int | None, best: int | None, kept: set[int]
) -> None:
    folder = ckpt.CheckpointFolder(tmp_path, limit)
    for step in (10, 20, 30, 40):
        write(folder, step)
    folder.rotate(folder.path(best) if best else None)
    assert names(tmp_path) == {f"checkpoint-{step}" for step in kept}


def test_a_run_saves_all_that_is_needed(tiny: ModuleType, tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text("{}")
    run_dir = tmp_path / "run"
    trainer = build_trainer(
        tiny.tiny_config(run_dir, max_steps=12, eval_steps=4, save_steps=4),
        tiny.tiny_model(),
        tiny.Samples(40),
        tiny.Samples(9, seed=1),
        tiny.flat,
        tokenizer_files=[tokenizer],
        extra_files={"plan.json": '{"a": 1}', "sft_args.json": b"{}"},
    )
    result = trainer.train()
    saved = names(result.last_checkpoint)
    assert {
        "config.json", "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json",
        "loop_state.json", "tokenizer.json", "plan.json", "sft_args.json", "manifest.json",
    } <= saved  # fmt: skip
    assert "training_args.bin" not in saved  # a pickle, which no one should have to trust
    assert json.loads((result.last_checkpoint / "config.json").read_text())["use_cache"] is True
    state = json.loads((result.last_checkpoint / "trainer_state.json").read_text())
    assert state["best_model_checkpoint"] == str(result.best_checkpoint)
    assert newest_valid_checkpoint(run_dir) == result.last_checkpoint
    assert len(list_checkpoints(run_dir)) <= 2


def test_the_best_checkpoint_is_the_best_of_the_saved_ones(tiny: ModuleType, tmp_path: Path) -> None:
    """Evaluated at 2, 4, 6, 8 and saved at 4 and 8: the value at 6 has no checkpoint, however good it is."""
    values = iter([9.0, 5.0, 8.0, 6.0])
    trainer = build_trainer(
        tiny.tiny_config(tmp_path, max_steps=8, eval_steps=2, save_steps=4, metric_for_best_model="score"),
        tiny.tiny_model(),
        tiny.Samples(40),
        tiny.Samples(9, seed=1),
        tiny.flat,
        predict=lambda model: {"score": next(values)},
    )
    result = trainer.train()
    assert result.best_checkpoint == tmp_path / "checkpoint-8"
    assert result.metrics["eval_score"] == 6.0


def test_bin_files_where_safetensors_are_not_wanted(tiny: ModuleType, tmp_path: Path) -> None:
    _, result = tiny.run(tmp_path, max_steps=3, save_safetensors=False)
    assert (result.last_checkpoint / "pytorch_model.bin").exists()
    _, again = tiny.run(tmp_path, resume_from=tmp_path, max_steps=6, save_safetensors=False)
    assert again.global_step == 6


def test_weights_of_another_model_are_refused(tiny: ModuleType, tmp_path: Path) -> None:
    _, result = tiny.run(tmp_path, max_steps=3)
    other = torch.nn.Linear(2, 2)
    with pytest.raises(CheckpointError, match=r"has no weight 'weight' \(2 are missing\)"):
        ckpt.load_weights(other, result.last_checkpoint)


def in_child(action: Any) -> str:
    """Run in a forked process, which may lose rights that it never gets back; return the error's text."""
    read, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # the parent's threads do not exist here
        try:
            action()
            text = "no error"
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(write_end, text.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read) as file:
        text = file.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.parametrize("bytes_free", [200, 20_000, 120_000], ids=["config", "weights", "optimizer"])
def test_a_full_disk_is_one_clear_error_and_older_checkpoints_stay(
    tiny: ModuleType, tmp_path: Path, bytes_free: int
) -> None:
    """A limit on file size stands in for a full disk: the write fails at whatever file comes to it first."""
    _, first = tiny.run(tmp_path, max_steps=3)

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        trainer = build_trainer(
            tiny.tiny_config(tmp_path, max_steps=6), tiny.tiny_model(), tiny.Samples(40), None, tiny.flat
        )
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_free, bytes_free))
        trainer.train()

    message = in_child(fill)
    assert message.startswith("DiskError: cannot write ")
    assert "File too large" in message or "Input/output error" in message
    assert list_checkpoints(tmp_path) == [first.last_checkpoint]
    assert check_manifest(first.last_checkpoint) == []
    assert ".checkpoint-3.partial" not in names(tmp_path)


def test_no_permission_stops_the_run_before_it_starts(tiny: ModuleType, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o055)

    def act() -> None:
        if os.geteuid() == 0:
            os.setuid(65534)
        ckpt.check_writable(closed / "run")

    assert in_child(act).startswith(f"DiskError: cannot write {closed / 'run'}: Permission denied. No permission")


def test_ranks_may_try_the_run_folder_at_the_same_time(tmp_path: Path) -> None:
    def try_often(_: int) -> None:
        for _ in range(200):
            ckpt.check_writable(tmp_path / "run")

    with ThreadPoolExecutor(4) as ranks:
        list(ranks.map(try_often, range(4)))
    assert names(tmp_path / "run") == set()


def test_an_output_folder_that_is_a_file(tiny: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "output").touch()
    with pytest.raises(DiskError, match=r"output/run: Not a directory"):
        build_trainer(
            tiny.tiny_config(tmp_path / "output" / "run"), tiny.tiny_model(), tiny.Samples(4), None, tiny.flat
        )
