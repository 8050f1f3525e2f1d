"""Which files a folder must hold: ``manifest.json`` with the size and the SHA-256 of each. Knows no torch and no model.

The manifest is written last, so a folder with a manifest that agrees is a whole one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swift.utils.errors import DiskError
from swift.utils.files import disk_error, write_json_atomic

__all__ = [
    "CHECKPOINT_NAME",
    "MANIFEST",
    "check_manifest",
    "checkpoint_step",
    "list_checkpoints",
    "newest_valid_checkpoint",
    "write_manifest",
]

MANIFEST = "manifest.json"
CHECKPOINT_NAME = re.compile(r"checkpoint-(\d+)")


def write_manifest(folder: str | os.PathLike[str]) -> Path:
    """Hash every file below `folder`, force each to the disk, and write the manifest last. Return its path.

    Raises DiskError where the file system refuses.
    """
    root = Path(folder)
    files = {}
    for path in _files(root):
        try:
            files[path.relative_to(root).as_posix()] = _describe(path, sync=True)
        except OSError as error:
            raise disk_error(error, path) from error
    target = root / MANIFEST
    write_json_atomic(target, {"version": 1, "files": files})
    return target


def check_manifest(folder: str | os.PathLike[str]) -> list[str]:
    """Compare the folder with its manifest; return one sentence for each problem, none where all is whole.

    Files that the manifest does not name are not a problem: people put notes beside weights.
    """
    root = Path(folder)
    if not root.is_dir():
        return [f"{root}: there is no such folder"]
    try:
        manifest = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
        expected: dict[str, dict[str, Any]] = manifest["files"]
        wanted = [(name, int(entry["size"]), str(entry["sha256"])) for name, entry in expected.items()]
    except FileNotFoundError:
        return [f"{MANIFEST} is missing"]
    except OSError as error:
        return [f"{MANIFEST} cannot be read: {error.strerror or error}"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [f"{MANIFEST} is damaged"]
    problems = []
    for name, size, sha256 in wanted:
        path = root / name
        try:
            if path.stat().st_size != size:  # cheap, and catches what was cut short
                problems.append(f"{name} has {path.stat().st_size:,} bytes instead of {size:,}")
            elif _describe(path)["sha256"] != sha256:
                problems.append(f"{name} has changed since it was written (SHA-256 differs)")
        except FileNotFoundError:
            problems.append(f"{name} is missing")
        except OSError as error:
            problems.append(f"{name} cannot be read: {error.strerror or error}")
    return problems


def checkpoint_step(folder: str | os.PathLike[str]) -> int | None:
    """Return N of a folder called ``checkpoint-N``, None for any other name."""
    match = CHECKPOINT_NAME.fullmatch(Path(folder).name)
    return int(match.group(1)) if match else None


def list_checkpoints(run_dir: str | os.PathLike[str]) -> list[Path]:
    """Return the folders ``checkpoint-N`` of a run by rising step, valid or not; none where the run folder is absent."""
    try:
        entries = [entry for entry in Path(run_dir).iterdir() if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DiskError(f"cannot read {run_dir}: {error.strerror or error}") from error
    steps = [(checkpoint_step(entry), entry) for entry in entries]
    return [entry for _, entry in sorted((step, entry) for step, entry in steps if step is not None)]


def newest_valid_checkpoint(run_dir: str | os.PathLike[str]) -> Path | None:
    """Return the checkpoint of the highest step whose files all agree with its manifest."""
    for folder in reversed(list_checkpoints(run_dir)):
        if not check_manifest(folder):
            return folder
    return None


def _files(root: Path) -> Iterator[Path]:
    """All files below `root` but its manifest, in a fixed order."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and path != root / MANIFEST:
            yield path


def _describe(path: Path, sync: bool = False) -> dict[str, Any]:
    """Size in bytes and hash of one file; `sync` forces it to the disk first."""
    with open(path, "r+b" if sync else "rb") as file:
        if sync:
            os.fsync(file.fileno())
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
        return {"size": os.fstat(file.fileno()).st_size, "sha256": digest.hexdigest()}
