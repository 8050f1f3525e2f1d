"""Files that are whole or absent, and errors that say where. Does not know what is in them."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from swift.utils.errors import DataError, DiskError

__all__ = ["append_jsonl", "atomic_write", "disk_error", "read_json", "write_json_atomic"]

_ADVICE = {
    errno.ENOSPC: "The disk is full: free some space, or choose another folder.",
    errno.EDQUOT: "The disk quota is used up: free some space, or choose another folder.",
    errno.EACCES: "No permission: choose a folder that you may write to.",
    errno.EPERM: "No permission: choose a folder that you may write to.",
    errno.EROFS: "The file system is read-only: choose another folder.",
    errno.ENOTDIR: "A part of that path is a file, not a folder: choose another path.",
    errno.EISDIR: "That path is a folder, not a file: choose another path.",
    errno.ENAMETOOLONG: "The name is too long: choose a shorter one.",
}


def disk_error(error: OSError, path: str | os.PathLike[str]) -> DiskError:
    """Turn an OSError of a write into a DiskError that names the path and says what to do."""
    reason = error.strerror or str(error)
    advice = _ADVICE.get(error.errno or 0, "Check the disk and the path.")
    return DiskError(f"cannot write {os.fspath(path)}: {reason}. {advice}")


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file beside `path` for writing, and rename it to `path` when the block ends well.

    Text is UTF-8 with plain newlines; missing folders are made. If the block raises, `path` is as it was
    before and the partial file is gone. A link is followed; what is no file (a device, a pipe) is written to directly, since
    a rename would put a file in its place. Raises DiskError where the file system refuses.
    """
    if mode not in ("w", "wb"):
        raise ValueError(f"mode must be 'w' or 'wb', not {mode!r}")
    target = Path(path).resolve() if Path(path).is_symlink() else Path(path)
    if target.exists() and not target.is_file() and not target.is_dir():
        with open(target, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
        return
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, mode, encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
        _sync_folder(target.parent)
    except OSError as error:
        if error.filename is not None and Path(error.filename) not in (partial, target, target.parent):
            raise  # the block stumbled over another file
        raise disk_error(error, target) from error
    finally:
        # After the rename there is nothing left to remove; where even the folder is missing there never was.
        with suppress(OSError):
            os.unlink(partial)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut. Folders cannot be opened on Windows."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems have no such call
            raise
    finally:
        os.close(handle)


def write_json_atomic(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all; NaN is refused, since no other reader takes it."""
    with atomic_write(path) as file:
        json.dump(value, file, ensure_ascii=False, indent=2, allow_nan=False)
        file.write("\n")


def append_jsonl(path: str | os.PathLike[str], *rows: Any) -> None:
    """Append rows, one JSON text a line, in a single write, so that two writers do not mix within a row."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "ab") as file:
            file.write(text.encode("utf-8"))
    except OSError as error:
        raise disk_error(error, target) from error


def read_json(path: str | os.PathLike[str]) -> Any:
    """Return the content of a JSON file. Raises DataError with the line and the column of a mistake."""
    target = Path(path)
    try:
        text = target.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{target}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{target}: not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    except OSError as error:
        raise DataError(f"{target}: cannot be read: {error.strerror or error}") from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{target}: line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}") from None
    except RecursionError:
        raise DataError(f"{target}: nested too deeply to be read as JSON") from None
