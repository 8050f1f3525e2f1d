"""One process at a time, by a file that the system frees if its holder dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swift.utils.files import disk_error
from swift.utils.log import logger

__all__ = ["locked", "try_locked"]


@contextmanager
def locked(path: str | os.PathLike[str], waiting: str) -> Iterator[None]:
    """Hold the lock file ``path``; ``waiting`` is told while another process holds it.

    Missing folders are made. Where there is no fcntl (Windows) nothing is held. Raises DiskError.
    """
    try:
        import fcntl
    except ImportError:
        fcntl = None  # type: ignore[assignment]
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "w")  # noqa: SIM115 - closed below, and with it the lock
    except OSError as error:
        raise disk_error(error, path) from error
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                logger.info(waiting)
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def try_locked(path: str | os.PathLike[str]) -> Iterator[bool]:
    """Hold a lock on the file ``path``, which exists, if no other process does; says whether it is held.

    Where there is no fcntl (Windows) it always is. Raises DiskError.
    """
    try:
        import fcntl
    except ImportError:
        fcntl = None  # type: ignore[assignment]
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below, and with it the lock
    except OSError as error:
        raise disk_error(error, path) from error
    with file:
        held = True
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held = False
        yield held
