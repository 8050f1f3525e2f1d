"""How much memory this machine, or the container around this process, still has. Standard library only."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

__all__ = ["free_bytes", "told_bytes"]

CGROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def free_bytes() -> int | None:
    """Bytes that this process can still take before the system, or its container, ends it; None: the system does not tell."""
    free = told_bytes("/proc/meminfo", "MemAvailable")
    if free is None:
        return None
    root = Path("/sys/fs/cgroup")
    for limit, used in CGROUPS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no limit
            free = min(free, int((root / limit).read_text()) - int((root / used).read_text()) + _reclaimable(root))
    return max(free, 0)


def told_bytes(path: str, name: str) -> int | None:
    """The value of a line ``name: N kB`` in a file of /proc, in bytes; None where there is no such file or line."""
    try:
        found = re.search(rf"^{name}:\s*(\d+) kB", Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _reclaimable(root: Path) -> int:
    """Bytes of files that the container has read and nobody uses: its use counts them, and they are given up when memory is asked for."""
    found = re.search(r"^(?:total_)?inactive_file (\d+)$", _stat(root), re.MULTILINE)
    return int(found[1]) if found else 0


def _stat(root: Path) -> str:
    for name in ("memory.stat", "memory/memory.stat"):
        with contextlib.suppress(OSError):
            return (root / name).read_text(encoding="utf-8")
    return ""
