"""Addresses (``https://``, ``s3://``, ``gs://`` …) to local files, through fsspec. Knows no rows.

A file is fetched once into swift's cache, under the hash of its address, beside a record of the size and the mark (etag or
date) that the server gave for it. While these agree it is not fetched again; an interrupted fetch goes on where it stopped.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from swift.llm.dataset.cache import cache_folder
from swift.llm.dataset.readers import KINDS, suffix_of
from swift.utils.errors import DataError, SwiftError
from swift.utils.files import disk_error, write_json_atomic
from swift.utils.lazy import require
from swift.utils.locks import locked
from swift.utils.log import logger

__all__ = ["fetch", "is_address"]

_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "http": ("aiohttp",),
    "https": ("aiohttp",),
    "s3": ("s3fs",),
    "s3a": ("s3fs",),
    "gs": ("gcsfs",),
    "gcs": ("gcsfs",),
    "az": ("adlfs",),
    "abfs": ("adlfs",),
    "abfss": ("adlfs",),
    "hf": ("huggingface_hub",),
    "oss": ("ossfs",),
}
_MARKS = ("etag", "content-md5", "md5hash", "lastmodified", "last-modified", "updated", "mtime", "created")
_BLOCK = 1 << 22
_ATTEMPTS = 3


def is_address(text: str) -> bool:
    """Whether the text has the form ``protocol://...``."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def fetch(address: str) -> tuple[Path, ...]:
    """Return the local files of an address: one file, those that a pattern matches, or those of a folder.

    Raises DataError where it cannot be fetched, MissingPackageError with the pip line where its protocol needs a package.
    """
    protocol = address.split("://", 1)[0].lower()
    if protocol == "file":
        path = Path(unquote(urlsplit(address).path))
        if not path.exists():
            raise DataError(f"{address}: there is no such file.")
        return (path,)
    require("fsspec", *_PACKAGES.get(protocol, ()), extra="remote")
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise DataError(f"{address}: {_first_line(error)}") from None
    except ValueError as error:
        raise DataError(
            f"{address}: {_first_line(error)}. Known protocols: {', '.join(sorted(_PACKAGES))}; or give a local path."
        ) from None
    return tuple(_File(fs, str(one), address).get() for one in _listed(fs, str(path), address))


def _listed(fs: Any, path: str, address: str) -> list[str]:
    protocol = address.split("://", 1)[0].lower()
    if not glob.has_magic(path.split("?")[0] if protocol.startswith("http") else path):
        if protocol.startswith("http") or _kind(path) in KINDS:
            return [path]
        found = _asked(address, lambda: fs.find(path))
    elif protocol.startswith("http"):
        raise DataError(f"{address}: a web server does not list its files; give the address of each.")
    else:
        found = _asked(address, lambda: fs.glob(path))
    files = [str(one) for one in sorted(found) if _kind(str(one)) in KINDS]
    if not files:
        raise DataError(f"{address}: no data files are there. Known: {', '.join(KINDS)}.")
    return files


def _asked(address: str, question: Any, let: tuple[type[Exception], ...] = ()) -> Any:
    """What a file system answers; its errors but ``let`` in our words (the packages share no class of errors)."""
    passing: tuple[type[Exception], ...] = (SwiftError, *let)
    try:
        return question()
    except passing:
        raise
    except Exception as error:
        reason = error
        while isinstance(reason, FileNotFoundError) and isinstance(reason.__cause__, Exception):
            reason = reason.__cause__  # over http, whatever goes wrong is told as a file that is not there
        status = getattr(reason, "status", None)  # of aiohttp
        if status in (401, 403) or isinstance(reason, PermissionError):
            raise DataError(f"{address}: access is denied. Log in with the storage's own tool or variables.") from error
        if isinstance(reason, FileNotFoundError) or status in (404, 410):
            raise DataError(f"{address}: there is no such file. Check the address.") from None
        raise DataError(
            f"{address}: cannot be fetched ({type(reason).__name__}: {_first_line(reason)}). What is fetched stays: run the command"
            " again when the connection is back, and it goes on where it stopped; or give a local file."
        ) from error


def _kind(path: str) -> str:
    return suffix_of(Path(_name(path)))


def _name(path: str) -> str:
    return Path(unquote(urlsplit(path).path if is_address(path) else path)).name


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


@dataclass(frozen=True, slots=True)
class _File:
    """One file of a remote file system, and its place in the cache."""

    fs: Any
    path: str
    address: str

    @property
    def url(self) -> str:
        return str(self.fs.unstrip_protocol(self.path))

    def get(self) -> Path:
        """Return the local copy, made or completed if the server's file is another than the recorded one."""
        name = _name(self.path)
        if _kind(self.path) not in KINDS:
            raise DataError(f"{self.address}: files of this kind are not read. Known: {', '.join(KINDS)}.")
        folder = cache_folder(None).parent / "remote" / hashlib.sha256(self.url.encode()).hexdigest()[:24]
        target, record = folder / name, folder / ".source.json"
        known = _record(record) if target.is_file() else None
        try:
            mark = self._mark()
        except DataError as error:
            if known is None:
                raise
            logger.warning("%s The copy of an earlier run is used: %s", error, target)
            return target
        if known == mark:
            return target
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, folder) from error
        with locked(folder / ".lock", f"another process fetches {self.url}: waiting for it"):
            if target.is_file() and _record(record) == mark:  # another process was faster
                return target
            partial = self._fetched(folder, name, mark)
            record.unlink(missing_ok=True)
            os.replace(partial, target)
            write_json_atomic(record, mark)
            (folder / ".partial.json").unlink(missing_ok=True)
        return target

    def _mark(self) -> dict[str, Any]:
        """What tells this version of the file: its size, and what else the server says."""
        info = _asked(self.address, lambda: self.fs.info(self.path))
        told = {key.lower(): str(value) for key, value in info.items() if key.lower() in _MARKS and value}
        return {"url": self.url, "size": info.get("size"), **told}

    def _fetched(self, folder: Path, name: str, mark: Mapping[str, Any]) -> Path:
        """Fetch into a partial file, from where an earlier attempt at the same version stopped."""
        from tqdm import tqdm

        partial, begun = folder / f".{name}.partial", folder / ".partial.json"
        if _record(begun) != mark:
            partial.unlink(missing_ok=True)
            write_json_atomic(begun, mark)
        size = mark["size"]
        done = partial.stat().st_size if partial.exists() else 0
        with tqdm(total=size, initial=done, unit="B", unit_scale=True, desc=name, disable=None) as bar:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    if size is None or done < size or not size:
                        self._append(partial, done, bar)
                except DataError:
                    reached = partial.stat().st_size if partial.exists() else 0
                    if attempt == _ATTEMPTS or (reached == done and attempt > 1):
                        raise
                    done = reached
                else:
                    break
        reached = partial.stat().st_size
        if size is not None and reached != size:
            raise DataError(
                f"{self.address}: {reached:,} bytes came, and the server says that there are {size:,}. What is fetched stays: run the "
                "command again, and it goes on where it stopped."
            )
        return partial

    def _append(self, partial: Path, done: int, bar: Any) -> None:
        """Write what follows byte ``done``; from the beginning where the server gives whole files only."""
        try:
            self._write(partial, done, bar, block_size=_BLOCK)
        except ValueError:  # how fsspec says that a web server knows no ranges
            bar.reset()
            self._write(partial, 0, bar, block_size=0)

    def _write(self, partial: Path, done: int, bar: Any, *, block_size: int) -> None:
        let = (ValueError,) if block_size else ()
        remote = _asked(self.address, lambda: self.fs.open(self.path, "rb", block_size=block_size), let)
        with remote, _local(partial, "ab" if done else "wb") as local:
            if done:
                _asked(self.address, lambda: remote.seek(done), let)
            while block := _asked(self.address, lambda: remote.read(_BLOCK), let):
                try:
                    local.write(block)
                except OSError as error:
                    raise disk_error(error, partial) from error
                bar.update(len(block))


def _local(path: Path, mode: str) -> Any:
    try:
        return open(path, mode)
    except OSError as error:
        raise disk_error(error, path) from error


def _record(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise disk_error(error, path) from error
