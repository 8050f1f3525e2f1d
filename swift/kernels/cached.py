"""Attention against one key/value cache a request, registered with transformers as ``swift_cached``.

A step is a flat batch without padding: some requests bring one new token, others a piece of their prompt. Each token sees
its own request's cache only. The caches travel as ``cached=`` through the model's forward, never as a global. Knows no
scheduler and no sampling.

Alphabet: ``T`` tokens of the flat batch, ``S`` tokens in a cache, ``H`` heads (``Hk`` of keys and values), ``D`` head width.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface

from swift.utils.errors import EngineError

__all__ = ["IMPLEMENTATION", "CachedStep", "Chunk", "RequestCache", "attention", "register"]

IMPLEMENTATION = "swift_cached"

# Terms of other implementations that change the result; ignoring one would be a silent error.
_UNKNOWN_TERMS = ("s_aux", "position_bias", "sinks", "head_mask", "alibi")
_SMALLEST = 64  # tokens; caches double from here, so that a long answer copies each token a constant number of times


def register() -> str:
    """Make ``swift_cached`` known to transformers; calling it again changes nothing. Returns the name.

    It has no mask function on purpose: transformers then builds no mask at all.
    """
    AttentionInterface.register(IMPLEMENTATION, attention)
    return IMPLEMENTATION


class RequestCache:
    """Keys and values of one request: for each layer (Hk, S, D) and (Hk, S, Dv), in tensors that grow by doubling."""

    def __init__(self) -> None:
        self._keys: dict[int, torch.Tensor] = {}
        self._values: dict[int, torch.Tensor] = {}

    @property
    def num_layers(self) -> int:
        """How many layers wrote to it."""
        return len(self._keys)

    def extend(
        self, layer: int, start: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write ``keys`` (Hk, n, D) and ``values`` (Hk, n, Dv) at ``start``; returns all up to there, (Hk, start+n, …)."""
        end = start + keys.shape[1]
        stored = self._keys.get(layer)
        if stored is None or stored.shape[1] < end:
            capacity = max(_SMALLEST, end, 2 * start)
            self._keys[layer] = _grown(stored, keys, capacity, start)
            self._values[layer] = _grown(self._values.get(layer), values, capacity, start)
        self._keys[layer][:, start:end] = keys
        self._values[layer][:, start:end] = values
        return self._keys[layer][:, :end], self._values[layer][:, :end]


def _grown(stored: torch.Tensor | None, like: torch.Tensor, capacity: int, used: int) -> torch.Tensor:
    grown = like.new_empty(like.shape[0], capacity, like.shape[2])
    if stored is not None:
        grown[:, :used] = stored[:, :used]
    return grown


class Chunk:
    """``count`` tokens of one request, after ``past`` tokens that its cache holds already.

    ``prompt``: how many tokens the request began with, for methods that treat them otherwise than the answer (ReFT).
    """

    __slots__ = ("cache", "count", "past", "prompt")

    def __init__(self, cache: RequestCache, past: int, count: int, prompt: int | None = None) -> None:
        self.cache, self.past, self.count, self.prompt = cache, past, count, prompt


class CachedStep:
    """The chunks of one flat batch, in its order, and the masks they share across layers."""

    def __init__(self, chunks: list[Chunk]) -> None:
        self.chunks = chunks
        self.num_tokens = sum(chunk.count for chunk in chunks)
        self._masks: dict[tuple[int, int, int | None, torch.device], torch.Tensor] = {}

    def mask(self, queries: int, keys: int, window: int | None, device: torch.device) -> torch.Tensor:
        """True where a query may look (queries, keys); the last query stands at the last key."""
        found = self._masks.get((queries, keys, window, device))
        if found is None:
            rows = torch.arange(keys - queries, keys, device=device)[:, None]
            distance = rows - torch.arange(keys, device=device)  # 0 at the token itself, positive before it
            found = distance >= 0 if window is None else (distance >= 0) & (distance < window)
            self._masks[queries, keys, window, device] = found
        return found


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,  # (1, H, T, D)
    key: torch.Tensor,  # (1, Hk, T, D)
    value: torch.Tensor,  # (1, Hk, T, Dv)
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    cached: CachedStep | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers calls in each layer. Returns (1, T, H, Dv) and no attention weights.

    Raises EngineError where the step did not come through the model's forward, or a term is not known here.
    """
    if cached is None or query.shape[2] != cached.num_tokens:
        raise EngineError(f"{type(module).__name__} does not pass the engine's step on to its attention.")
    for name in _UNKNOWN_TERMS:
        if kwargs.get(name) is not None:
            raise EngineError(f"cached attention does not know the term {name!r} of {type(module).__name__}.")
    layer: int = module.layer_idx  # type: ignore[assignment]
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    outs, start = [], 0
    for chunk in cached.chunks:
        end = start + chunk.count
        keys, values = chunk.cache.extend(layer, chunk.past, key[0, :, start:end], value[0, :, start:end])
        outs.append(_attend(query[:, :, start:end], keys[None], values[None], cached, scale, sliding_window, softcap))
        start = end
    out = torch.cat(outs, dim=2) if len(outs) > 1 else outs[0]
    return out.transpose(1, 2).contiguous(), None


def _attend(
    query: torch.Tensor,  # (1, H, n, D)
    keys: torch.Tensor,  # (1, Hk, S, D)
    values: torch.Tensor,  # (1, Hk, S, Dv)
    step: CachedStep,
    scale: float,
    window: int | None,
    softcap: float | None,
) -> torch.Tensor:
    """The last n tokens of one request look at all S of it. Returns (1, H, n, Dv)."""
    count, length = query.shape[2], keys.shape[2]
    if window is not None and length > window + count - 1:  # what no query of this chunk sees
        keys, values = keys[:, :, -(window + count - 1) :], values[:, :, -(window + count - 1) :]
        length = keys.shape[2]
    masked = count > 1 and (length > count or (window is not None and length > window))
    mask = step.mask(count, length, window, query.device) if masked or (softcap is not None and count > 1) else None
    if softcap is not None:
        return _softcapped(query, keys, values, mask, scale, softcap)
    width = values.shape[-1]
    if width != query.shape[-1] and count > 1:  # DeepSeek V2: the fast kernels want equal widths
        values = F.pad(values, [0, query.shape[-1] - width])
    out = F.scaled_dot_product_attention(
        query, keys, values, attn_mask=mask, is_causal=count > 1 and mask is None, scale=scale,
        enable_gqa=query.shape[1] != keys.shape[1],
    )  # fmt: skip
    return out[..., :width]


def _softcapped(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
    softcap: float,
) -> torch.Tensor:
    """Gemma 2: scores are ``c·tanh(q·k·scale/c)`` before the softmax; no fused kernel has it."""
    groups = query.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
    scores = softcap * torch.tanh(query @ keys.transpose(2, 3) * (scale / softcap))  # (1, H, n, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype) @ values
