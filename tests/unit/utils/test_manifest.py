from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from swift.utils.errors import DiskError
from swift.utils.manifest import (
    MANIFEST,
    check_manifest,
    checkpoint_step,
    list_checkpoints,
    newest_valid_checkpoint,
    write_manifest,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "checkpoint-7"
    (root / "sub").mkdir(parents=True)
    (root / "weights.bin").write_bytes(b"weights")
    (root / "sub" / "empty").touch()
    write_manifest(root)
    return root


def test_a_manifest_names_every_file_but_itself(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    assert set(manifest["files"]) == {"weights.bin", "sub/empty"}
    assert manifest["files"]["weights.bin"]["size"] == 7
    assert check_manifest(folder) == []
    write_manifest(folder)
    assert check_manifest(folder) == []


def test_a_file_more_is_no_problem(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    assert check_manifest(folder) == []


def test_each_difference_is_one_sentence(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"weighty")
    (folder / "sub" / "empty").write_text("now it is not")
    assert check_manifest(folder) == [
        "sub/empty has 13 bytes instead of 0",
        "weights.bin has changed since it was written (SHA-256 differs)",
    ]
    (folder / "weights.bin").unlink()
    assert "weights.bin is missing" in check_manifest(folder)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"files": {"a": 3}}', '{"files": {"a": {"size": "x", "sha256": ""}}}']
)
def test_a_damaged_manifest_is_said_to_be(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_text(content)
    assert check_manifest(folder) == ["manifest.json is damaged"]


def test_no_manifest_and_no_folder(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    assert check_manifest(folder) == ["manifest.json is missing"]
    assert check_manifest(folder / "absent") == [f"{folder / 'absent'}: there is no such folder"]


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("checkpoint-12", 12),
        ("a/checkpoint-3", 3),
        ("checkpoint-", None),
        (".checkpoint-3.partial", None),
        ("checkpoint-3-merged", None),
    ],
)
def test_the_step_is_in_the_name(name: str, step: int | None) -> None:
    assert checkpoint_step(name) == step


def test_the_newest_valid_one_counts_by_number(tmp_path: Path) -> None:
    for step in (2, 10, 9):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "weights").write_text(str(step))
        write_manifest(folder)
    (tmp_path / "checkpoint-11").touch()  # a file
    (tmp_path / ".checkpoint-12.partial").mkdir()
    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-2", "checkpoint-9", "checkpoint-10"]
    assert newest_valid_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    os.truncate(tmp_path / "checkpoint-10" / "weights", 1)
    assert newest_valid_checkpoint(tmp_path) == tmp_path / "checkpoint-9"


def test_no_run_no_checkpoint(tmp_path: Path) -> None:
    assert newest_valid_checkpoint(tmp_path / "absent") is None
    assert newest_valid_checkpoint(tmp_path) is None


def test_a_manifest_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(DiskError, match=r"cannot write .*manifest\.json"):
        write_manifest(tmp_path)
