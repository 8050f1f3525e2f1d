"""Attention by sample against the formula, written naively in float64."""

from __future__ import annotations

import itertools

import pytest
import torch

from swift.kernels.attention import IMPLEMENTATION, attention, register, varlen_attention
from swift.kernels.support import supports_varlen
from swift.utils.errors import ModelError


def naive(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    bounds: list[int],
    scale: float,
    window: int | None,
    cap: float | None,
) -> torch.Tensor:
    """(1, H, T, D) each -> (1, T, H, Dv): one query at a time."""
    repeat = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
    out = torch.zeros(1, q.shape[2], q.shape[1], v.shape[-1], dtype=q.dtype)
    for start, end in itertools.pairwise(bounds):
        for t in range(start, end):
            first = start if window is None else max(start, t - window + 1)
            for h in range(q.shape[1]):
                scores = k[0, h, first : t + 1] @ q[0, h, t] * scale
                if cap is not None:
                    scores = cap * torch.tanh(scores / cap)
                out[0, t, h] = scores.softmax(0) @ v[0, h, first : t + 1]
    return out


@pytest.mark.parametrize("cap", [None, 2.0])
@pytest.mark.parametrize("window", [None, 3, 50])
@pytest.mark.parametrize(("heads", "kv_heads", "value_width"), [(4, 4, 8), (4, 2, 8), (4, 1, 6)])
def test_is_the_formula(heads: int, kv_heads: int, value_width: int, window: int | None, cap: float | None) -> None:
    torch.manual_seed(0)
    bounds = [0, 5, 6, 17]
    q = torch.randn(1, heads, 17, 8, dtype=torch.float64) * 2
    k = torch.randn(1, kv_heads, 17, 8, dtype=torch.float64)
    v = torch.randn(1, kv_heads, 17, value_width, dtype=torch.float64)
    wanted = naive(q, k, v, bounds, 0.3, window, cap)
    got = varlen_attention(
        q.float(),
        k.float(),
        v.float(),
        torch.tensor(bounds, dtype=torch.int32),
        scaling=0.3,
        window=window,
        softcap=cap,
    )
    assert got.shape == wanted.shape
    assert torch.allclose(got.double(), wanted, atol=2e-6)


def test_half_precision_keeps_its_dtype() -> None:
    x = torch.randn(1, 2, 6, 8, dtype=torch.bfloat16)
    assert varlen_attention(x, x, x, torch.tensor([0, 4, 6])).dtype == torch.bfloat16


def test_dropout_only_where_asked() -> None:
    x = torch.randn(1, 2, 6, 8)
    bounds = torch.tensor([0, 4, 6])
    plain = varlen_attention(x, x, x, bounds)
    assert torch.equal(varlen_attention(x, x, x, bounds), plain)
    torch.manual_seed(0)
    assert not torch.allclose(varlen_attention(x, x, x, bounds, dropout=0.5), plain)


def test_boundaries_that_do_not_fit() -> None:
    x = torch.randn(1, 2, 6, 8)
    with pytest.raises(ModelError, match="sample boundaries end at 5, the batch has shape 1 x 6"):
        varlen_attention(x, x, x, torch.tensor([0, 5]))


def test_unknown_terms_are_refused() -> None:
    x = torch.randn(1, 2, 6, 8)
    with pytest.raises(ModelError, match="s_aux"):
        attention(torch.nn.Module(), x, x, x, None, s_aux=torch.ones(2))


def test_register_is_idempotent() -> None:
    assert register() == register() == IMPLEMENTATION == "swift_varlen"


def test_support_is_by_architecture_and_not_for_foreign_code() -> None:
    assert supports_varlen({"architectures": ["Qwen2ForCausalLM"]})
    assert not supports_varlen({"architectures": ["Qwen2ForCausalLM"], "auto_map": {"AutoModelForCausalLM": "x.Y"}})
    assert not supports_varlen({"architectures": ["GptOssForCausalLM"]})
    assert not supports_varlen({})
