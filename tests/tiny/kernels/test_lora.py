"""The fused step equals the paper's formula and peft's own layer, with and without dropout, in its gradients, too."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from swift.kernels.lora import fuse, linear_with_lora


def numbers(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize("with_dropout", [False, True])
def test_gradients_are_those_of_the_formula(with_dropout: bool) -> None:
    x, dropped, weight, bias, a, b = numbers((2, 3, 5), (2, 3, 5), (4, 5), (4,), (2, 5), (4, 2))
    inner = dropped if with_dropout else None
    for tensor in (x, a, b, dropped):
        tensor.requires_grad_()
    out = linear_with_lora(x, weight, bias, a, b, 0.5, inner)
    torch.testing.assert_close(out, x @ weight.T + bias + 0.5 * (dropped if with_dropout else x) @ a.T @ b.T)
    assert torch.autograd.gradcheck(
        lambda x, a, b, d: linear_with_lora(x, weight, bias, a, b, 0.5, d if with_dropout else None), (x, a, b, dropped)
    )


def peft_model(dropout: float = 0.0, **settings: Any) -> Any:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(6, 8), nn.SiLU(), nn.Linear(8, 3))
    config = LoraConfig(r=2, target_modules=["0", "2"], init_lora_weights=False, lora_dropout=dropout, **settings)
    return get_peft_model(layers, config)  # type: ignore[arg-type]


def run(model: Any, *, autocast: bool) -> list[torch.Tensor]:
    x = torch.randn(7, 6, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = model(x)
    out.float().square().sum().backward()
    return [out.detach(), *(p.grad for p in model.parameters() if p.requires_grad)]


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.5}, {"use_dora": True}, {"lora_bias": True}, {"bias": "all"}])
def test_a_fused_model_is_pefts_model(settings: dict[str, Any]) -> None:
    plain, fused = peft_model(**settings), peft_model(**settings)
    assert fuse(fused) == 2
    for wanted, found in zip(run(plain, autocast=False), run(fused, autocast=False), strict=True):
        torch.testing.assert_close(found, wanted)


def test_half_precision_is_as_near_as_pefts_own() -> None:
    exact, plain, fused = run(peft_model(), autocast=False), peft_model(), peft_model()
    fuse(fused)
    for wanted, theirs, ours in zip(exact, run(plain, autocast=True), run(fused, autocast=True), strict=True):
        assert (ours - wanted).norm() <= 1.5 * (theirs - wanted).norm() + 1e-3 * wanted.norm()


def test_merging_and_switching_off_are_pefts() -> None:
    model = peft_model()
    x = torch.randn(4, 6)
    fuse(model)
    adapted = model(x)
    with model.disable_adapter():
        assert not torch.allclose(model(x), adapted)
    torch.testing.assert_close(model.merge_and_unload()(x), adapted)


def test_a_model_without_lora_stays_as_it_is() -> None:
    assert fuse(nn.Sequential(nn.Linear(2, 2))) == 0
