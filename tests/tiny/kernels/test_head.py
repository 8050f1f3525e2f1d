"""Chunked cross entropy against torch's, value and gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from swift.kernels.head import chunked_cross_entropy, select


def problem(num: int = 11, bias: bool = False) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(num, 8, requires_grad=True)
    weight = torch.randn(23, 8, requires_grad=True)
    return hidden, weight, torch.randn(23, requires_grad=True) if bias else None, torch.randint(0, 23, (num,))


@pytest.mark.parametrize("chunk", [1, 4, 100])
@pytest.mark.parametrize(("scale", "softcap"), [(1.0, None), (0.5, None), (1.0, 3.0), (2.0, 3.0)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
def test_value_and_gradients(chunk: int, scale: float, softcap: float | None, weighted: bool, with_bias: bool) -> None:
    hidden, weight, bias, targets = problem(bias=with_bias)
    weights = torch.rand(len(targets)) if weighted else None
    leaves = [x for x in (hidden, weight, bias) if x is not None]

    logits = F.linear(hidden, weight, bias) * scale
    if softcap is not None:
        logits = softcap * torch.tanh(logits / softcap)
    each = F.cross_entropy(logits, targets, reduction="none")
    wanted = (each if weights is None else each * weights).sum()
    wanted_grads = torch.autograd.grad(wanted * 0.25, leaves)

    total, nll, correct = chunked_cross_entropy(
        hidden, weight, targets, bias=bias, weights=weights, scale=scale, softcap=softcap, tokens_per_chunk=chunk
    )
    assert torch.allclose(total, wanted, rtol=1e-6)
    assert torch.allclose(nll, each, rtol=1e-5, atol=1e-6)
    assert torch.equal(correct, logits.argmax(-1) == targets)
    for got, want in zip(torch.autograd.grad(total * 0.25, leaves), wanted_grads, strict=True):
        assert torch.allclose(got, want, rtol=1e-5, atol=1e-6)


def test_many_chunks_on_a_cpu_give_the_same() -> None:
    """More rows than one chunk holds."""
    torch.manual_seed(0)
    hidden, weight = torch.randn(300, 8, requires_grad=True), torch.randn(23, 8)
    targets = torch.randint(0, 23, (300,))
    total, _, _ = chunked_cross_entropy(hidden, weight, targets, tokens_per_chunk=64)
    wanted = F.cross_entropy(hidden @ weight.t(), targets, reduction="sum")
    assert torch.allclose(total, wanted, rtol=1e-6)
    assert torch.allclose(torch.autograd.grad(total, hidden)[0], torch.autograd.grad(wanted, hidden)[0], atol=1e-6)


def test_a_frozen_head_gets_no_gradient() -> None:
    hidden, weight, _, targets = problem()
    weight = weight.detach()
    total, _, _ = chunked_cross_entropy(hidden, weight, targets)
    total.backward()
    assert hidden.grad is not None
    assert weight.grad is None


def test_no_tokens_give_zero_and_zero_gradients() -> None:
    hidden, weight, _, _ = problem(num=0)
    total, nll, correct = chunked_cross_entropy(hidden, weight, torch.zeros(0, dtype=torch.long))
    total.backward()
    assert total.item() == 0
    assert nll.shape == correct.shape == (0,)
    assert weight.grad is not None
    assert not weight.grad.any()


def test_without_grad_nothing_is_kept() -> None:
    hidden, weight, _, targets = problem()
    with torch.no_grad():
        total, _, _ = chunked_cross_entropy(hidden, weight, targets)
    assert not total.requires_grad


def test_half_precision_products_and_fp32_softmax() -> None:
    hidden, weight, _, targets = problem()
    total, nll, _ = chunked_cross_entropy(hidden, weight, targets, compute_dtype=torch.bfloat16)
    total.backward()
    assert total.dtype == nll.dtype == torch.float32
    assert hidden.grad is not None
    assert hidden.grad.dtype == torch.float32
    assert torch.allclose(total, F.cross_entropy(hidden @ weight.t(), targets, reduction="sum"), rtol=2e-2)


def test_autocast_around_it_changes_nothing() -> None:
    hidden, weight, _, targets = problem()
    plain, _, _ = chunked_cross_entropy(hidden, weight, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside, _, _ = chunked_cross_entropy(hidden, weight, targets)
        grads = torch.autograd.grad(inside, [hidden, weight])
    assert torch.equal(plain, inside)
    assert all(g.dtype == torch.float32 for g in grads)


def test_a_second_backward_is_refused() -> None:
    hidden, weight, _, targets = problem()
    total, _, _ = chunked_cross_entropy(hidden, weight, targets)
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="used up"):
        total.backward()


def test_select_takes_the_state_before_each_trained_token() -> None:
    labels = torch.tensor([[-100, 5, -100, 7], [9, -100, -100, 8]])
    rows, targets, positions = select(labels)
    assert rows.tolist() == [0, 2, 6]
    assert targets.tolist() == [5, 7, 8]
    assert positions.tolist() == [1, 3, 7]  # the 9 at the start of a row has nothing before it
