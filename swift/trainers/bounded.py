"""A bound on the memory of this process while something is tried, so that a lack of it is an error and not the end of the process.

Linux hands out more memory than there is, and kills whoever uses it. Within the bound torch is told so when it asks, as on a GPU.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from swift.utils.memory import free_bytes, told_bytes

__all__ = ["bounded_memory"]


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """Refuse this process more memory than is free now. Does nothing where the system does not tell (no Linux)."""
    free, held = free_bytes(), told_bytes("/proc/self/status", "VmData")
    if free is None or held is None or sys.platform != "linux":
        yield
        return
    import resource

    # counts private memory that may be written (since Linux 4.7), which is what tensors lie in
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bound = held + free
    for limit in (soft, hard):
        bound = bound if limit == resource.RLIM_INFINITY else min(bound, limit)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
