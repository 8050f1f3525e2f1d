"""Files are whole or absent, and errors say where and what to do."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from swift.utils.errors import DataError, DiskError
from swift.utils.files import append_jsonl, atomic_write, read_json, write_json_atomic


def test_json_goes_round(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_json_atomic(path, {"name": "小黄", "n": [1, 2.5, None]})
    assert read_json(path) == {"name": "小黄", "n": [1, 2.5, None]}
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]


def test_a_failed_write_leaves_the_old_file_and_no_partial(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json_atomic(path, 1)
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write("half")
        _ = 1 / 0
    with pytest.raises(ValueError):
        write_json_atomic(path, float("nan"))
    assert read_json(path) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with (
        pytest.raises(DiskError, match=r"a\.bin: No space left on device\. The disk is full"),
        atomic_write(path, "wb"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="cannot write"):
        write_json_atomic(tmp_path / "file" / "a.json", 1)


def test_another_file_that_is_missing_is_not_blamed_on_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a"):
        (tmp_path / "nothing").read_text()


def test_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "log" / "a.jsonl"
    append_jsonl(path, {"a": 1})
    append_jsonl(path, {"a": 2}, {"a": 3})
    assert [json.loads(line)["a"] for line in path.read_text().splitlines()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b'{"a": 1,\n "b" 2}', "line 2, column 6: not valid JSON"), (b"\xff\xfe", "not UTF-8"), (b"", "line 1, column 1")],
)
def test_broken_json_is_located(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_json(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json: there is no such file"):
        read_json(tmp_path / "none.json")


def test_a_device_stays_a_device_and_a_link_a_link(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(pipe) as file:
        file.write("through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_write(tmp_path / "link") as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
