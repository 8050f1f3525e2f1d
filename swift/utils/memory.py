"""How much memory this machine, or the container around this process, still has. Standard library only."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

__all__ = ["free_bytes", "told_bytes", "total_bytes"]

CGROUP = Path("/sys/fs/cgroup")
CGROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""Files of the limit and of what is used: cgroups of version 2, and of version 1."""


def total_bytes() -> int | None:
    """Bytes of this machine's memory, or what its container allows, where that is less; None: the system does not tell."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([total, *(limit for limit, _ in _limits())])


def free_bytes() -> int | None:
    """Bytes that this process can still take before the system, or its container, ends it; None: the system does not tell."""
    free = told_bytes("/proc/meminfo", "MemAvailable")
    if free is None:
        return None
    for limit, used in _limits():
        with contextlib.suppress(OSError, ValueError):
            free = min(free, limit - int((CGROUP / used).read_text()) + _reclaimable())
    return max(free, 0)


def told_bytes(path: str, name: str) -> int | None:
    """The value of a line ``name: N kB`` in a file of /proc, in bytes; None where there is no such file or line."""
    try:
        found = re.search(rf"^{name}:\s*(\d+) kB", Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _limits() -> list[tuple[int, str]]:
    """What the container may take, in bytes, and the file that says what it has taken."""
    found = []
    for limit, used in CGROUPS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no limit
            found.append((int((CGROUP / limit).read_text()), used))
    return found


def _reclaimable() -> int:
    """Bytes of files that the container has read and nobody uses: its use counts them, and they are given up when memory is asked for."""
    found = re.search(r"^(?:total_)?inactive_file (\d+)$", _stat(), re.MULTILINE)
    return int(found[1]) if found else 0


def _stat() -> str:
    for name in ("memory.stat", "memory/memory.stat"):
        with contextlib.suppress(OSError):
            return (CGROUP / name).read_text(encoding="utf-8")
    return ""
