"""Attention by sample against transformers' own eager attention, family by family, at relative 1e-5 in fp32."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from swift.kernels.attention import register
from swift.kernels.support import VARLEN_ARCHITECTURES

LENGTHS = [7, 1, 12, 4]
T = sum(LENGTHS)


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """Some configurations of transformers warn about their own defaults at these tiny sizes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def samples() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randint(3, 97, (1, n), generator=generator) for n in LENGTHS]


def flat(ids: list[torch.Tensor]) -> dict[str, Any]:
    return {
        "input_ids": torch.cat(ids, 1),
        "position_ids": torch.cat([torch.arange(n) for n in LENGTHS])[None],
        "cu_seqlens": torch.tensor([0, *LENGTHS]).cumsum(0).to(torch.int32),
        "max_seqlen": max(LENGTHS),
    }


def gradients(model: Any, logits: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(3))
    (logits * weights).sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return float((a - b).abs().max()) <= 1e-5 * max(float(b.abs().max()), 1e-3)


@pytest.mark.parametrize("architecture", VARLEN_ARCHITECTURES)
def test_flat_batch_equals_each_sample_alone(architecture: str, make_family: Callable[[str], Any]) -> None:
    model, ids = make_family(architecture), samples()
    alone = torch.cat([model(x).logits for x in ids], 1)
    wanted = gradients(model, alone)
    model.set_attn_implementation(register())
    together = model(**flat(ids), use_cache=False).logits
    assert close(together, alone)
    got = gradients(model, together)
    assert got.keys() == wanted.keys()
    assert [name for name in wanted if not close(got[name], wanted[name])] == []


@pytest.mark.parametrize("architecture", VARLEN_ARCHITECTURES)
@torch.no_grad()
def test_without_boundaries_it_is_plain_attention(architecture: str, make_family: Callable[[str], Any]) -> None:
    model, ids = make_family(architecture), samples()
    alone = [model(x).logits[0] for x in ids]
    greedy = model.generate(ids[2], max_new_tokens=10, do_sample=False, eos_token_id=None)
    model.set_attn_implementation(register())

    batch = flat(ids)
    by_positions = model(batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits[0]
    assert close(by_positions, torch.cat(alone))

    padded = torch.zeros(len(ids), max(LENGTHS), dtype=torch.long)
    mask = torch.zeros_like(padded)
    for row, x in enumerate(ids):
        padded[row, : x.shape[1]], mask[row, : x.shape[1]] = x[0], 1
    logits = model(padded, attention_mask=mask, use_cache=False).logits
    for row, wanted in enumerate(alone):
        assert close(logits[row, : len(wanted)], wanted)

    rows = model(torch.cat([ids[2], ids[2].flip(1)]), use_cache=False).logits  # equal lengths, no padding
    assert close(rows[0], alone[2])
    assert torch.equal(model.generate(ids[2], max_new_tokens=10, do_sample=False, eos_token_id=None), greedy)


def test_left_padded_generation_equals_single(make_family: Callable[[str], Any]) -> None:
    model = make_family("Gemma2ForCausalLM")
    model.set_attn_implementation(register())
    short, long = samples()[3], samples()[2]
    pad = long.shape[1] - short.shape[1]
    batch = torch.cat([torch.cat([torch.zeros(1, pad, dtype=torch.long), short], 1), long])
    mask = torch.ones_like(batch)
    mask[0, :pad] = 0
    settings = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None}
    together = model.generate(batch, attention_mask=mask, **settings)
    assert torch.equal(together[0, pad:], model.generate(short, **settings)[0])
    assert torch.equal(together[1], model.generate(long, **settings)[0])


def test_boundaries_survive_gradient_checkpointing(make_family: Callable[[str], Any]) -> None:
    model, ids = make_family("Qwen2ForCausalLM"), samples()
    model.set_attn_implementation(register())
    plain = model(**flat(ids), use_cache=False).logits
    wanted = gradients(model, plain)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    again = model(**flat(ids), use_cache=False).logits
    assert torch.equal(again, plain)
    got = gradients(model, again)
    assert all(close(got[name], wanted[name]) for name in wanted)
