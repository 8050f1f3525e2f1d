"""Attention against one pool of keys and values for all requests, registered with transformers as ``swift_cached``.

A step is a flat batch without padding: some requests bring one new token, others a piece of their prompt. Each token sees
its own request's block of the pool only. Blocks of one size that lie side by side are one strided view, so the requests
that bring one token are attended together, without gathering what they hold: on a CPU, reading it through an index costs
three times what the attention does. The step travels as ``cached=`` through the model's forward, never as a global. Knows
no scheduler and no sampling.

Alphabet: ``T`` tokens of the flat batch, ``N`` tokens of the pool, ``S`` of one request, ``B`` requests that bring one token
each, ``H`` heads (``Hk`` of keys and values), ``D`` head width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AttentionInterface

from swift.utils.errors import EngineError

__all__ = ["IMPLEMENTATION", "CachedStep", "Chunk", "Pool", "attention", "register"]

IMPLEMENTATION = "swift_cached"

# Terms of other implementations that change the result; ignoring one would be a silent error.
_UNKNOWN_TERMS = ("s_aux", "position_bias", "sinks", "head_mask", "alibi")


def register() -> str:
    """Make ``swift_cached`` known to transformers; calling it again changes nothing. Returns the name.

    It has no mask function on purpose: transformers then builds no mask at all.
    """
    AttentionInterface.register(IMPLEMENTATION, attention)
    return IMPLEMENTATION


class Pool:
    """Room for the keys and values of ``num_tokens`` tokens: for each layer (Hk, N, D) and (Hk, N, Dv), from its first write on.

    It is zeros at first: what is masked must not hold a NaN. On a CPU zeros take memory only once they are written to.
    """

    def __init__(self, num_tokens: int) -> None:
        self.num_tokens = num_tokens
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    @property
    def num_layers(self) -> int:
        """How many layers wrote to it."""
        return len(self._layers)

    @property
    def bytes_per_token(self) -> int:
        """What one token takes in all layers that wrote to it."""
        tensors = [tensor for pair in self._layers.values() for tensor in pair]
        return sum(tensor.shape[0] * tensor.shape[2] * tensor.element_size() for tensor in tensors)

    def write(
        self, layer: int, places: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Put ``keys`` (Hk, T, D) and ``values`` (Hk, T, Dv) at ``places`` (T,); returns all of the layer's."""
        stored = self._stored(layer, keys, values)
        stored[0].index_copy_(1, places, keys)
        stored[1].index_copy_(1, places, values)
        return stored

    def put(self, start: int, layers: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Copy keys (Hk, T, D) and values (Hk, T, Dv) of each layer to ``start``. Raises EngineError for other shapes."""
        for number, pair in enumerate(layers):
            for tensor, new in zip(self._stored(number, *pair), pair, strict=True):
                target = tensor[:, start : start + new.shape[1]]
                if target.shape != new.shape:
                    raise EngineError(f"layer {number} keeps {tuple(target.shape)}, and {tuple(new.shape)} came.")
                target.copy_(new)

    def lift(self, start: int, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Copies of ``count`` tokens in all layers, in the CPU's memory, as `put` takes them."""
        pairs = [self._layers[number] for number in sorted(self._layers)]
        return [(_aside(keys, start, count), _aside(values, start, count)) for keys, values in pairs]

    def _stored(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if layer not in self._layers:
            self._layers[layer] = (self._room(keys), self._room(values))
        return self._layers[layer]

    def _room(self, like: torch.Tensor) -> torch.Tensor:
        shape = (like.shape[0], self.num_tokens, like.shape[2])
        if like.device.type != "cpu":
            return like.new_zeros(shape)
        # numpy's zeros are the system's, which are there once they are touched; torch writes its own.
        plain = np.zeros(like.element_size() * shape[0] * shape[1] * shape[2], dtype=np.uint8)
        return torch.from_numpy(plain).view(like.dtype).view(shape)

    def copy(self, source: int, target: int, count: int) -> None:
        """Copy ``count`` tokens, from one place to another that does not overlap it."""
        for pair in self._layers.values():
            for tensor in pair:
                tensor[:, target : target + count] = tensor[:, source : source + count]


def _aside(tensor: torch.Tensor, start: int, count: int) -> torch.Tensor:
    part = tensor[:, start : start + count]
    return part.clone() if part.device.type == "cpu" else part.cpu()


@dataclass(frozen=True, slots=True)
class Chunk:
    """``count`` tokens of one request, after ``past`` that are in its block: ``size`` places of the pool from ``start`` on.

    ``start`` is a multiple of ``size``. ``prompt``: how many tokens the request began with, for methods that treat them
    otherwise than the answer (ReFT).
    """

    start: int
    size: int
    past: int
    count: int
    prompt: int | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """Requests that bring one token each, in neighbouring blocks of one size: ``num`` from the ``first`` one on.

    ``tokens``: where each is in the flat batch; ``places``: which of the blocks is its own; ``lengths``: how much it holds.
    """

    size: int
    first: int
    num: int
    tokens: tuple[int, ...]
    places: tuple[int, ...]
    lengths: tuple[int, ...]


class CachedStep:
    """The chunks of one flat batch in its order, the pool they are in, and the masks that all layers share."""

    def __init__(self, chunks: Sequence[Chunk], pool: Pool) -> None:
        self.chunks = chunks
        self.pool = pool
        self.num_tokens = sum(chunk.count for chunk in chunks)
        self.pieces: list[tuple[int, Chunk]] = []
        single: list[tuple[Chunk, int]] = []
        offset = 0
        for chunk in chunks:
            if chunk.count == 1:
                single.append((chunk, offset))
            else:
                self.pieces.append((offset, chunk))
            offset += chunk.count
        self.rows = _rows(single)
        self._made: dict[Any, torch.Tensor] = {}

    def places(self, device: torch.device) -> torch.Tensor:
        """Where in the pool each token of the batch goes, (T,)."""
        found = self._made.get(device)
        if found is None:
            every = [
                place
                for chunk in self.chunks
                for place in range(chunk.start + chunk.past, chunk.start + chunk.past + chunk.count)
            ]
            found = self._made[device] = torch.tensor(every, device=device)
        return found

    def index(self, numbers: tuple[int, ...], device: torch.device) -> torch.Tensor:
        """These numbers as a tensor."""
        found = self._made.get((numbers, device))
        if found is None:
            found = self._made[numbers, device] = torch.tensor(numbers, device=device)
        return found

    def row_mask(self, row: _Row, window: int | None, low: int, high: int, like: torch.Tensor) -> torch.Tensor:
        """What is added to the scores of the places ``low`` to ``high`` of each block, (B, 1, 1, high - low): 0 or -inf."""
        key = (row.size, row.first, window, like.device, like.dtype)
        found = self._made.get(key)
        if found is None:
            ends = torch.full((row.num, 1), high, device=like.device)  # of blocks between them: anything that is no NaN
            ends[list(row.places), 0] = torch.tensor(row.lengths, device=like.device)
            places = torch.arange(low, high, device=like.device)[None]
            hidden = places >= ends
            if window is not None:
                hidden |= places < ends - window
            found = torch.zeros(hidden.shape, dtype=like.dtype, device=like.device).masked_fill_(hidden, float("-inf"))
            found = self._made[key] = found[:, None, None]
        return found

    def mask(self, queries: int, keys: int, window: int | None, device: torch.device) -> torch.Tensor:
        """True where a query may look (queries, keys); the last query stands at the last key."""
        key = (queries, keys, window, device)
        found = self._made.get(key)
        if found is None:
            rows = torch.arange(keys - queries, keys, device=device)[:, None]
            distance = rows - torch.arange(keys, device=device)  # 0 at the token itself, positive before it
            found = distance >= 0 if window is None else (distance >= 0) & (distance < window)
            self._made[key] = found
        return found


def _rows(single: list[tuple[Chunk, int]]) -> list[_Row]:
    """Neighbours of one size together; blocks of nobody between them are read along while they are the fewer."""
    ordered = sorted(single, key=lambda pair: (pair[0].size, pair[0].start))
    rows: list[list[tuple[Chunk, int]]] = []
    for pair in ordered:
        if rows and rows[-1][0][0].size == pair[0].size:
            spread = (pair[0].start - rows[-1][0][0].start) // pair[0].size + 1
            if spread <= 1.5 * (len(rows[-1]) + 1):
                rows[-1].append(pair)
                continue
        rows.append([pair])
    found = []
    for row in rows:
        size, start = row[0][0].size, row[0][0].start
        places = tuple((chunk.start - start) // size for chunk, _ in row)
        lengths = tuple(chunk.past + 1 for chunk, _ in row)
        found.append(_Row(size, start, places[-1] + 1, tuple(token for _, token in row), places, lengths))
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
    keys, values = cached.pool.write(layer, cached.places(key.device), key[0], value[0])
    out = query.new_empty(query.shape[2], query.shape[1], values.shape[2])  # (T, H, Dv)
    for row in cached.rows:
        part = _attend_row(row, query[0], keys, values, cached, scale, sliding_window, softcap)  # (B, H, Dv)
        if len(cached.rows) == 1 and not cached.pieces and row.tokens == tuple(range(len(row.tokens))):
            out = part
        else:
            out.index_copy_(0, cached.index(row.tokens, out.device), part)
    for offset, chunk in cached.pieces:
        begin, end = chunk.start, chunk.start + chunk.past + chunk.count
        part = _attend(
            query[:, :, offset : offset + chunk.count], keys[None, :, begin:end], values[None, :, begin:end],
            cached, scale, sliding_window, softcap,
        )  # fmt: skip
        out[offset : offset + chunk.count] = part[0].transpose(0, 1)
    return out[None].contiguous(), None


def _attend_row(
    row: _Row,
    query: torch.Tensor,  # (H, T, D)
    keys: torch.Tensor,  # (Hk, N, D)
    values: torch.Tensor,  # (Hk, N, Dv)
    step: CachedStep,
    scale: float,
    window: int | None,
    softcap: float | None,
) -> torch.Tensor:
    """One token of each request looks at what its block holds. Returns (B, H, Dv)."""
    heads, groups = keys.shape[0], query.shape[0] // keys.shape[0]
    high = max(row.lengths)
    low = max(0, min(row.lengths) - window) if window is not None else 0
    span = slice(row.first, row.first + row.num * row.size)
    held, content = (
        tensor[:, span].view(heads, row.num, row.size, -1).transpose(0, 1)[:, :, low:high] for tensor in (keys, values)
    )
    asked = query.index_select(1, step.index(row.tokens, query.device)).transpose(0, 1)  # (B, H, D)
    if row.num > len(row.tokens):
        asked = asked.new_zeros(row.num, *asked.shape[1:]).index_copy_(0, step.index(row.places, query.device), asked)
    asked = asked.reshape(row.num, heads, groups, -1)  # heads that share keys are read as tokens of one
    is_level = row.num == len(row.tokens) and min(row.lengths) == high and low == max(0, high - (window or high))
    mask = None if is_level else step.row_mask(row, window, low, high, query)
    if softcap is not None:
        found = _softcapped(asked, held, content, mask, scale, softcap)
    else:
        found = F.scaled_dot_product_attention(asked, held, content, attn_mask=mask, scale=scale)
    found = found.reshape(row.num, heads * groups, -1)
    return found if row.num == len(row.tokens) else found.index_select(0, step.index(row.places, query.device))


def _attend(
    query: torch.Tensor,  # (1, H, n, D)
    keys: torch.Tensor,  # (1, Hk, S, D)
    values: torch.Tensor,  # (1, Hk, S, Dv)
    step: CachedStep,
    scale: float,
    window: int | None,
    softcap: float | None,
) -> torch.Tensor:
    """The last n > 1 tokens of one request look at all S of it. Returns (1, H, n, Dv)."""
    count, length = query.shape[2], keys.shape[2]
    if window is not None and length > window + count - 1:  # what no query of this chunk sees
        keys, values = keys[:, :, -(window + count - 1) :], values[:, :, -(window + count - 1) :]
        length = keys.shape[2]
    masked = length > count or (window is not None and length > window)
    mask = step.mask(count, length, window, query.device) if masked or softcap is not None else None
    if softcap is not None:
        groups = query.shape[1] // keys.shape[1]
        keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
        added = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(~mask, float("-inf"))  # type: ignore[operator, arg-type]
        return _softcapped(query, keys, values, added, scale, softcap)
    width = values.shape[-1]
    if width != query.shape[-1]:  # DeepSeek V2: the fast kernels want equal widths
        values = F.pad(values, [0, query.shape[-1] - width])
    out = F.scaled_dot_product_attention(
        query, keys, values, attn_mask=mask, is_causal=mask is None, scale=scale,
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
    scores = softcap * torch.tanh(query @ keys.transpose(2, 3) * (scale / softcap))  # (B, H, n, S)
    if mask is not None:
        scores = scores + mask
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype) @ values
