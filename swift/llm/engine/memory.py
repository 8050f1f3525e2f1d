"""How many tokens the cache of an engine may hold, from what the machine has left. Knows no scheduler."""

from __future__ import annotations

import re
from pathlib import Path

import torch

__all__ = ["cache_tokens", "free_bytes"]

# A CPU's memory belongs to everybody on the machine, a GPU's to us; something must be left for what a step computes.
_SHARE_CPU, _SHARE_GPU = 1 / 16, 0.8


def cache_tokens(bytes_per_token: int, context: int | None, max_batch: int, device: torch.device) -> int:
    """Room for ``max_batch`` whole contexts, or for as many tokens as a share of the free memory holds.

    At least one whole context where half of the free memory can hold that, and 256 tokens in any case.
    """
    free, share = free_bytes(device), _SHARE_CPU if device.type == "cpu" else _SHARE_GPU
    tokens = int(free * share) // bytes_per_token
    if context is not None:
        tokens = max(tokens, min(context, int(free * max(share, 0.5)) // bytes_per_token))
        tokens = min(tokens, max_batch * context)
    return max(tokens, 256)


def free_bytes(device: torch.device) -> int:
    """What can still be allocated on ``device``, as the machine and its control group say."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    free = int(found.group(1)) * 1024 if found else 4 * 2**30  # systems without /proc: something modest
    limit, used = _read("/sys/fs/cgroup/memory.max").strip(), _read("/sys/fs/cgroup/memory.current").strip()
    if limit.isdigit() and used.isdigit():  # "max" is no limit
        cached = re.search(r"^inactive_file (\d+)", _read("/sys/fs/cgroup/memory.stat"), re.MULTILINE)
        free = min(free, int(limit) - int(used) + (int(cached.group(1)) if cached else 0))
    return max(free, 0)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:  # not every system has it
        return ""
