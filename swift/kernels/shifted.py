"""Shifted sparse attention: Chen et al., "LongLoRA" (2024), section 3.2, registered with transformers as ``swift_shifted``.

Each sample is cut into groups of G tokens, and a token sees those before it in its group. For the second half of the heads
the cuts lie G/2 later, so that information crosses them. The paper shifts the tokens around the end of the sequence and
masks what that would leak; here the two ends are simply groups of their own, which is the same without the mask.

Only training is approximated. In evaluation mode it is `swift.kernels.attention`, in full.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv

from swift.kernels.attention import attention, causal_by_sample, varlen_attention
from swift.utils.errors import ModelError

__all__ = ["IMPLEMENTATION", "attention_in_groups", "group_bounds", "register", "shifted_attention"]

IMPLEMENTATION = "swift_shifted"
SHARE = 4  # without a size, a group is a quarter of its sample


def register() -> str:
    """Make ``swift_shifted`` known to transformers; calling it again changes nothing. Returns the name.

    A layer's attention module says the size of its groups as ``group_size``.
    """
    AttentionInterface.register(IMPLEMENTATION, attention_in_groups)
    AttentionMaskInterface.register(IMPLEMENTATION, causal_by_sample)
    return IMPLEMENTATION


def attention_in_groups(
    module: torch.nn.Module,
    query: torch.Tensor,  # (B, H, T, D)
    key: torch.Tensor,  # (B, Hk, T, D)
    value: torch.Tensor,  # (B, Hk, T, Dv)
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    cu_seqlens: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers calls in each layer. Returns (B, T, H, Dv) and no weights.

    Training takes one flat row with ``cu_seqlens``, or whole rows. Raises ModelError for padded ones.
    """
    if not module.training:
        return attention(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, sliding_window=sliding_window,
            softcap=softcap, cu_seqlens=cu_seqlens, **kwargs,
        )  # fmt: skip
    if attention_mask is not None or query.shape[2] != key.shape[2]:
        raise ModelError("shifted sparse attention trains on flat batches only. Leave --padding_free out.")
    rows, length = query.shape[0], query.shape[2]
    if cu_seqlens is None:  # each row is a sample: they are laid end to end
        cu_seqlens = torch.arange(rows + 1, dtype=torch.int32, device=query.device) * length
        query, key, value = (x.transpose(0, 1).flatten(1, 2)[None] for x in (query, key, value))
    group: Any = module.group_size
    out = shifted_attention(
        query, key, value, cu_seqlens, group, scaling=scaling, dropout=dropout, window=sliding_window, softcap=softcap
    )
    return out.view(rows, length, *out.shape[2:]), None


def shifted_attention(
    query: torch.Tensor,  # (1, H, T, D)
    key: torch.Tensor,  # (1, Hk, T, D)
    value: torch.Tensor,  # (1, Hk, T, Dv)
    cu_seqlens: torch.Tensor,  # (N+1,)
    group: int | None,
    **terms: Any,
) -> torch.Tensor:
    """Causal attention in groups of ``group`` tokens, cut later for the second half of the heads. Returns (1, T, H, Dv).

    ``terms`` are those of `varlen_attention`.
    """
    heads, kept = query.shape[1], key.shape[1]
    if kept % 2:  # a key head that both halves share
        key, value = repeat_kv(key, heads // kept), repeat_kv(value, heads // kept)
        kept = heads
    outs = []
    for half, shift in enumerate((False, True)):
        q, k, v = (x[:, _half(x.shape[1], half)] for x in (query, key, value))
        bounds = group_bounds(cu_seqlens, group, shift=shift)
        outs.append(varlen_attention(q, k, v, bounds, None, **terms))
    return torch.cat(outs, dim=2)


def group_bounds(cu_seqlens: torch.Tensor, group: int | None, *, shift: bool) -> torch.Tensor:
    """Boundaries of the groups of all samples, int32; with ``shift`` the first group of a sample has half the size."""
    bounds = [0]
    for start, end in pairwise(cu_seqlens.tolist()):
        size = group if group is not None else max(-(-(end - start) // SHARE), 1)
        first = size // 2 if shift and size > 1 and end - start > size else size
        bounds += [*range(start + first, end, size), end] if end > start else []
    return torch.tensor(bounds, dtype=torch.int32, device=cu_seqlens.device)


def _half(heads: int, which: int) -> slice:
    middle = heads // 2
    return slice(middle) if which == 0 else slice(middle, None)
