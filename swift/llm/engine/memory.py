"""How many tokens the cache of an engine may hold, from what the machine has left. Knows no scheduler."""

from __future__ import annotations

import torch

from swift.utils.memory import free_bytes

__all__ = ["cache_tokens"]

# A CPU's memory belongs to everybody on the machine, a GPU's to us; something must be left for what a step computes.
_SHARE_CPU, _SHARE_GPU = 1 / 16, 0.8
_UNTOLD = 4 * 2**30  # bytes, on systems that do not tell what is free: something modest


def cache_tokens(bytes_per_token: int, context: int | None, max_batch: int, device: torch.device) -> int:
    """Room for ``max_batch`` whole contexts, or for as many tokens as a share of the free memory holds.

    At least one whole context where half of the free memory can hold that, and 256 tokens in any case.
    """
    free, share = _free(device), _SHARE_CPU if device.type == "cpu" else _SHARE_GPU
    tokens = int(free * share) // bytes_per_token
    if context is not None:
        tokens = max(tokens, min(context, int(free * max(share, 0.5)) // bytes_per_token))
        tokens = min(tokens, max_batch * context)
    return max(tokens, 256)


def _free(device: torch.device) -> int:
    """Bytes that can still be allocated on ``device``."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = free_bytes()
    return _UNTOLD if free is None else free
