"""Causal attention by sample over a flat batch, registered with transformers under the name ``swift_varlen``.

A flat batch is one row that holds all samples end to end; ``cu_seqlens`` says where each begins. No mask is built and no
work is spent across samples. Called without boundaries (a padded batch, generation with a cache) it does what
transformers' SDPA attention does. Knows no model, no tokenizer, no trainer.

Alphabet: ``B`` batch, ``T`` tokens of the row, ``N`` samples, ``H`` heads (``Hk`` of keys and values), ``D`` head width.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from swift.utils.errors import ModelError

__all__ = ["IMPLEMENTATION", "attention", "causal_by_sample", "register", "varlen_attention"]

IMPLEMENTATION = "swift_varlen"

_DENSE_LIMIT = 384
"""Tokens up to which a CPU trains on a sample with all its weights at once. torch's fused CPU kernel (2.13) makes them block by block with
products of a few rows, twice as slow; beyond, the memory of T² weights counts for more.
"""

# Arguments of other attention implementations that change the result; ignoring one would be a silent error.
_UNKNOWN_TERMS = ("s_aux", "position_bias", "sinks", "head_mask", "alibi")


def register() -> str:
    """Make ``swift_varlen`` known to transformers; calling it again changes nothing. Returns the name."""
    AttentionInterface.register(IMPLEMENTATION, attention)
    AttentionMaskInterface.register(IMPLEMENTATION, causal_by_sample)
    return IMPLEMENTATION


def causal_by_sample(
    batch_size: int,
    q_length: int,
    kv_length: int,
    *args: Any,
    attention_mask: torch.Tensor | None = None,
    use_vmap: bool = False,
    **kwargs: Any,
) -> torch.Tensor | None:
    """No mask for causal attention over whole rows: `attention` knows boundaries and window itself.

    Padding (a 2D ``attention_mask``), a cache that is longer than the query, and masks that callers changed
    (``use_vmap``) need the real one, as SDPA takes it.
    """
    if attention_mask is None and q_length == kv_length and not use_vmap:
        return None
    mask: torch.Tensor | None = sdpa_mask(
        batch_size, q_length, kv_length, *args, attention_mask=attention_mask, use_vmap=use_vmap, **kwargs
    )
    return mask


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,  # (B, H, T, D)
    key: torch.Tensor,  # (B, Hk, T, D)
    value: torch.Tensor,  # (B, Hk, T, Dv)
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    is_causal: bool | None = None,
    cu_seqlens: torch.Tensor | None = None,
    max_seqlen: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers calls in each layer. Returns (B, T, H, Dv) and no attention weights.

    ``cu_seqlens`` (N+1,) int32 comes through the model's forward; without it, boundaries are taken from ``position_ids``
    that begin anew within a row.
    """
    for name in _UNKNOWN_TERMS:
        if kwargs.get(name) is not None:
            raise ModelError(
                f"attention by sample does not know the term {name!r} of {type(module).__name__}. "
                "Use --attn_impl sdpa or eager."
            )
    causal = is_causal if is_causal is not None else getattr(module, "is_causal", True)
    whole = causal and attention_mask is None and query.shape[2] == key.shape[2]
    if whole and cu_seqlens is None:
        cu_seqlens = _boundaries_of_positions(kwargs.get("position_ids"), query)
    if whole and cu_seqlens is not None:
        out = varlen_attention(
            query, key, value, cu_seqlens, max_seqlen, scaling=scaling, dropout=dropout, window=sliding_window,
            softcap=softcap,
        )  # fmt: skip
        return out, None
    if whole and query.shape[2] > 1:
        out = _rows(query, key, value, scaling, dropout, sliding_window, softcap)  # (B, H, T, Dv)
        return out.transpose(1, 2).contiguous(), None
    if softcap is not None:
        groups = query.shape[1] // key.shape[1]
        mask = attention_mask
        if mask is None and causal and query.shape[2] > 1:
            mask = _causal_mask(query.shape[2], key.shape[2], None, query.device)
        out = _softcapped(query, repeat_kv(key, groups), repeat_kv(value, groups), mask, scaling, dropout, softcap)
        return out.transpose(1, 2).contiguous(), None
    return sdpa_attention_forward(
        module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, is_causal=causal
    )


def varlen_attention(
    query: torch.Tensor,  # (1, H, T, D)
    key: torch.Tensor,  # (1, Hk, T, D)
    value: torch.Tensor,  # (1, Hk, T, Dv)
    cu_seqlens: torch.Tensor,  # (N+1,)
    max_seqlen: int | None = None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    window: int | None = None,
    softcap: float | None = None,
) -> torch.Tensor:
    """Causal attention of each sample to itself. Returns (1, T, H, Dv).

    ``window``: how many tokens a token sees, itself included; None: all before it. ``softcap`` caps scores by
    ``c·tanh(s/c)`` (Gemma 2). Raises ModelError if the boundaries do not end at T.
    """
    if query.device.type == "cuda" and _flash_varlen() is not None and query.dtype in (torch.float16, torch.bfloat16):
        return _flash(query, key, value, cu_seqlens, max_seqlen, scaling, dropout, window, softcap)
    bounds = cu_seqlens.tolist()
    if query.shape[0] != 1 or bounds[-1] != query.shape[2]:
        raise ModelError(
            f"sample boundaries end at {bounds[-1]}, the batch has shape {query.shape[0]} x {query.shape[2]}; "
            "a flat batch is one row, and its last boundary is its length"
        )
    lengths = [end - start for start, end in pairwise(bounds) if end > start]
    dtype = query.dtype
    if query.device.type == "cpu":
        # torch 2.13: the CPU kernel takes 1.2 times as long in half precision, which its backward unpacks block by block
        query, key, value = query.float(), key.float(), value.float()
    parts = zip(*(torch.split(x, lengths, dim=2) for x in (query, key, value)), strict=True)
    # autocast would turn what was just widened back to half precision
    with torch.autocast("cpu", enabled=False) if query.device.type == "cpu" else nullcontext():
        outs = [_rows(q, k, v, scaling, dropout, window, softcap).transpose(1, 2) for q, k, v in parts]
    return torch.cat(outs, dim=1).to(dtype)  # (1, T, H, Dv)


def _boundaries_of_positions(position_ids: torch.Tensor | None, query: torch.Tensor) -> torch.Tensor | None:
    """Boundaries (N+1,) where positions of a single row begin anew; None if they run through."""
    if position_ids is None or position_ids.ndim != 2 or query.shape[0] != 1 or position_ids.shape[1] != query.shape[2]:
        return None
    positions = position_ids[0]
    starts = torch.cat([positions.new_zeros(1), (positions.diff() != 1).nonzero()[:, 0] + 1])
    if len(starts) == 1:
        return None
    return torch.cat([starts, starts.new_tensor([positions.shape[0]])]).to(torch.int32)


def _rows(
    query: torch.Tensor,  # (B, H, T, D)
    key: torch.Tensor,  # (B, Hk, T, D)
    value: torch.Tensor,  # (B, Hk, T, Dv)
    scaling: float | None,
    dropout: float,
    window: int | None,
    softcap: float | None,
) -> torch.Tensor:
    """Causal attention over rows of one length, none of them padded. Returns (B, H, T, Dv)."""
    length = query.shape[2]
    windowed = window is not None and length > window
    if softcap is not None:
        groups = query.shape[1] // key.shape[1]
        mask = _causal_mask(length, length, window, query.device)
        return _softcapped(query, repeat_kv(key, groups), repeat_kv(value, groups), mask, scaling, dropout, softcap)
    width = value.shape[-1]
    if width != query.shape[-1]:  # DeepSeek V2: equal widths are what the fast kernels take
        scaling = scaling if scaling is not None else query.shape[-1] ** -0.5
        value = F.pad(value, [0, query.shape[-1] - width])
    gqa = query.shape[1] != key.shape[1]
    plain = not windowed and not dropout and query.requires_grad and query.device.type == "cpu"
    if plain and length <= _DENSE_LIMIT and query.dtype == torch.float32:
        out = _dense(query, key, value, scaling)
    elif windowed:
        assert window is not None
        out = _windowed(query, key, value, scaling, dropout, window, gqa)
    else:
        out = F.scaled_dot_product_attention(
            query, key, value, dropout_p=dropout, is_causal=True, scale=scaling, enable_gqa=gqa
        )
    return out[..., :width] if width != query.shape[-1] else out


def _dense(
    query: torch.Tensor,  # (B, H, T, D)
    key: torch.Tensor,  # (B, Hk, T, D)
    value: torch.Tensor,  # (B, Hk, T, D)
    scaling: float | None,
) -> torch.Tensor:
    """Causal attention whose (T, T) weights are kept for the backward pass: whole matrix products, nothing made twice."""
    groups, length = query.shape[1] // key.shape[1], query.shape[2]
    q, k, v = (x.flatten(0, 1) for x in (query, repeat_kv(key, groups), repeat_kv(value, groups)))  # (B·H, T, D)
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    with torch.autocast("cpu", enabled=False):
        scores = torch.baddbmm(_ahead()[:length, :length], q, k.transpose(1, 2), alpha=scale)  # (B·H, T, T)
        return (torch.softmax(scores, dim=-1) @ v).view(query.shape)


@lru_cache(maxsize=1)
def _ahead() -> torch.Tensor:
    """-inf where a token would look ahead, 0 elsewhere (T, T)."""
    return torch.full((_DENSE_LIMIT, _DENSE_LIMIT), -torch.inf).triu_(1)


def _windowed(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None,
    dropout: float,
    window: int,
    gqa: bool,
) -> torch.Tensor:
    """Sliding window by blocks of queries: work and memory grow with T·window, not T²."""
    length = query.shape[2]
    outs = []
    for start in range(0, length, window):
        end, first = min(start + window, length), max(start - window + 1, 0)
        mask = _causal_mask(end - start, end - first, window, query.device)  # (end-start, end-first)
        outs.append(
            F.scaled_dot_product_attention(
                query[:, :, start:end],
                key[:, :, first:end],
                value[:, :, first:end],
                attn_mask=mask,
                dropout_p=dropout,
                scale=scaling,
                enable_gqa=gqa,
            )
        )
    return torch.cat(outs, dim=2)


def _softcapped(
    query: torch.Tensor,  # (B, H, Tq, D)
    key: torch.Tensor,  # (B, H, Tk, D)
    value: torch.Tensor,  # (B, H, Tk, Dv)
    mask: torch.Tensor | None,
    scaling: float | None,
    dropout: float,
    softcap: float,
) -> torch.Tensor:
    """Gemma 2, equation of section 2: scores are ``c·tanh(q·k·scale/c)`` before the softmax; no fused kernel has it."""
    scaling = scaling if scaling is not None else query.shape[-1] ** -0.5
    scores = softcap * torch.tanh(query @ key.transpose(2, 3) * (scaling / softcap))  # (B, H, Tq, Tk)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min) if mask.dtype == torch.bool else scores + mask
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    return F.dropout(weights, p=dropout, training=dropout > 0) @ value


@lru_cache(maxsize=64)
def _causal_mask(num_queries: int, num_keys: int, window: int | None, device: torch.device) -> torch.Tensor:
    """True where a query may look (Tq, Tk); the last query stands at the last key."""
    ahead = torch.arange(num_keys, device=device) - torch.arange(num_queries, device=device)[:, None]
    distance = (num_keys - num_queries) - ahead  # 0 at the token itself, positive before it
    seen = distance >= 0
    return seen if window is None else seen & (distance < window)


@lru_cache(maxsize=1)
def _flash_varlen() -> Any:
    """FlashAttention's varlen function, or None where the package is not installed."""
    try:
        from flash_attn import flash_attn_varlen_func
    except ImportError:
        return None
    return flash_attn_varlen_func


def _flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seqlens: torch.Tensor,
    max_seqlen: int | None,
    scaling: float | None,
    dropout: float,
    window: int | None,
    softcap: float | None,
) -> torch.Tensor:
    """FlashAttention 2, varlen: takes (T, H, D) and the boundaries on the device."""
    longest = max_seqlen if max_seqlen is not None else int(cu_seqlens.diff().max())
    width = value.shape[-1]
    if width != query.shape[-1]:
        scaling = scaling if scaling is not None else query.shape[-1] ** -0.5
        value = F.pad(value, [0, query.shape[-1] - width])
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))  # (T, H, D)
    out: torch.Tensor = _flash_varlen()(
        q, k, v, cu_seqlens, cu_seqlens, longest, longest, dropout_p=dropout, softmax_scale=scaling, causal=True,
        window_size=(window - 1, 0) if window is not None else (-1, -1), softcap=softcap or 0.0,
    )  # (T, H, D)  # fmt: skip
    return out[None, :, :, :width]
