"""Modules that an adapter trains in full are fp32 beside a base in half precision, whatever the method, and lose nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from methods import CASES, IDS, logits, move
from proof import saved

import swift.tuners
from swift.kernels.head import SelectedLoss

SAVED = ("EMBEDDING", "LN", "lm_head")
METHODS = ("lora", "dora", "pissa", "olora", "adalora", "ia3", "vera", "lokr", "oft")


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_saved_modules_are_fp32_and_go_on_exactly(
    name: str, tied: bool, make_model: Callable[..., Any], tmp_path: Path
) -> None:
    def base() -> Any:
        return make_model(tied=tied, dtype=torch.bfloat16)

    plan = CASES[name].plan("q_proj", "down_proj" if name == "ia3" else "v_proj", saved=SAVED)
    wanted = logits(base())
    model = swift.tuners.attach(plan, base())
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert torch.allclose(logits(model), wanted, atol=2e-2)
    folder = saved(plan, move(model), tmp_path / "a")
    again = swift.tuners.load(plan, base(), folder, trainable=True)
    now = {name: p for name, p in again.named_parameters() if p.requires_grad}
    before = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert now.keys() == before.keys()
    assert all(torch.equal(p, now[name]) and p.dtype == now[name].dtype for name, p in before.items())
    assert torch.equal(logits(again), logits(model))
    assert torch.allclose(logits(swift.tuners.load(plan, base(), folder)), logits(model), atol=0.2)


@pytest.mark.parametrize("name", ["lora", "ia3"])
def test_merged_weights_have_the_dtype_of_the_base(name: str, make_model: Callable[..., Any], tmp_path: Path) -> None:
    plan = CASES[name].plan("q_proj", "down_proj", saved=SAVED)
    model = move(swift.tuners.attach(plan, make_model(dtype=torch.bfloat16)))
    folder = saved(plan, model, tmp_path / "a")
    trained, tuner = logits(model), swift.tuners.open_tuner(plan)
    merged = tuner.merge(model)
    assert {p.dtype for p in merged.parameters()} == {torch.bfloat16}
    assert torch.allclose(logits(merged), trained, atol=0.2)
    answering = tuner.merge(swift.tuners.load(plan, make_model(dtype=torch.bfloat16), folder))
    weights = answering.state_dict()
    full = {key: one for key, one in merged.state_dict().items() if "norm" in key or "embed" in key or "head" in key}
    assert len(full) == 5 + 1 + 1
    assert all(torch.equal(one, weights[key]) for key, one in full.items())


def test_a_small_update_is_not_lost(make_model: Callable[..., Any]) -> None:
    model = swift.tuners.attach(CASES["lora"].plan("q_proj", saved=("norm",)), make_model(dtype=torch.bfloat16))
    norm = model.get_base_model().model.norm.modules_to_save["default"]
    optimizer = torch.optim.SGD([norm.weight], lr=1e-3)
    model(IDS, labels=IDS).loss.backward()
    before = norm.weight.detach().clone()
    assert norm.weight.grad.dtype == torch.float32
    optimizer.step()
    moved = (norm.weight - before).abs()
    assert (moved > 0).float().mean() > 0.9
    assert torch.equal(norm.weight.bfloat16(), before.bfloat16())  # which half precision would not have seen


def test_linear_layers_and_the_head_trained_in_full(make_model: Callable[..., Any]) -> None:
    plan = CASES["lora"].plan("q_proj", saved=("gate_proj", "lm_head"))
    model = swift.tuners.attach(plan, make_model(dtype=torch.bfloat16)).train()
    loss = SelectedLoss(model)
    batch = {"input_ids": IDS, "labels": IDS}
    total = loss(model, batch).total
    total.backward()
    assert loss.is_chunked
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert all(p.dtype == torch.float32 and p.grad is not None for p in trained.values())
    assert sum("gate_proj" in name for name in trained) == 2


def test_weights_that_pissa_moved_start_nearer_to_the_base(make_model: Callable[..., Any]) -> None:
    base = make_model(dtype=torch.bfloat16)
    before = {name: p.detach().float() for name, p in base.named_parameters()}
    model = swift.tuners.attach(CASES["pissa"].plan("EMBEDDING", "q_proj"), base)
    for number in range(2):
        name = f"model.layers.{number}.self_attn.q_proj"
        layer = model.get_base_model().get_submodule(name)
        whole = layer.get_base_layer().weight.float() + layer.get_delta_weight("default").float()
        error = (whole - before[f"{name}.weight"]).abs()
        left = layer.get_base_layer().weight.float().abs()
        assert (error <= left * 2**-8 + 1e-6).all()  # one rounding, of what is left
    assert torch.equal(model.get_base_model().model.embed_tokens.weight.float(), before["model.embed_tokens.weight"])


def test_the_dtype_of_the_factors_stays_when_training_goes_on(
    make_model: Callable[..., Any], lora: Callable[..., Any], tmp_path: Path
) -> None:
    plan = lora("q_proj", saved=("norm",), lora_dtype="bf16")
    model = swift.tuners.attach(plan, make_model())
    again = swift.tuners.load(plan, make_model(), saved(plan, move(model), tmp_path / "a"), trainable=True)
    for one in (model, again):
        dtypes = {name: p.dtype for name, p in one.named_parameters() if p.requires_grad}
        assert {dtype for name, dtype in dtypes.items() if "lora_" in name} == {torch.bfloat16}
        assert {dtype for name, dtype in dtypes.items() if "norm" in name} == {torch.float32}
    assert torch.equal(logits(again), logits(model))
