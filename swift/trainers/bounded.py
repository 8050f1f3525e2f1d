"""A bound on the memory of this process while something is tried, so that a lack of it is an error and not the end of the process.

Linux hands out more memory than there is, and kills whoever uses it. Within the bound torch is told so when it asks, as on a GPU.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["bounded_memory", "free_bytes"]

CGROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """Refuse this process more memory than is free now. Does nothing where the system does not tell (no Linux)."""
    free = free_bytes()
    if free is None or sys.platform != "linux":
        yield
        return
    import resource

    # counts private memory that may be written (since Linux 4.7), which is what tensors lie in
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bound = _told("/proc/self/status", "VmData") + free
    for limit in (soft, hard):
        bound = bound if limit == resource.RLIM_INFINITY else min(bound, limit)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def free_bytes() -> int | None:
    """Bytes that this process can still take before the system, or its container, ends it; None: not told."""
    try:
        free = _told("/proc/meminfo", "MemAvailable")
    except (OSError, AttributeError):
        return None
    for limit, used in CGROUPS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no limit
            root = Path("/sys/fs/cgroup")
            free = min(free, int((root / limit).read_text()) - int((root / used).read_text()) + _reclaimable(root))
    return max(free, 0)


def _told(path: str, name: str) -> int:
    found = re.search(rf"^{name}:\s*(\d+) kB", Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    return int(found[1]) * 1024  # type: ignore[index]


def _reclaimable(root: Path) -> int:
    """Bytes of files that the container has read and nobody uses: its use counts them, and they are given up when memory is asked for."""
    found = re.search(r"^(?:total_)?inactive_file (\d+)$", _stat(root), re.MULTILINE)
    return int(found[1]) if found else 0


def _stat(root: Path) -> str:
    for name in ("memory.stat", "memory/memory.stat"):
        with contextlib.suppress(OSError):
            return (root / name).read_text(encoding="utf-8")
    return ""
