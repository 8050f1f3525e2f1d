"""Weights in 8 bits: rounding without bias, gradients of the floats, memory, plain checkpoints, and a model that learns."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from swift.trainers.config import GaloreConfig
from swift.trainers.optimizers.int8 import Int8Weight, hold_in_8_bits
from swift.trainers.optimizers.projection import dequantize, quantize
from swift.trainers.sft import build_trainer

IN_8_BITS = GaloreConfig(rank=8, gap=5, bits=4, group_size=64, cos_threshold=0.4, weight_bits=8)
QUIET = {"evaluation_strategy": "no", "logging_steps": 1, "weight_decay": 0.0, "learning_rate": 0.02}


def some(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(4))


def test_stochastic_rounding_has_no_bias() -> None:
    values, times = some(16, 64), 2000
    step = quantize(values, 8, 256)["step"].max()
    mean = sum(dequantize(quantize(values, 8, 256, seed=seed)) for seed in range(times)) / times
    # the error of one rounding has a standard deviation of at most half a step; of 1,024 means none is 5 of theirs away
    assert (mean - values).abs().max() < 5 * 0.5 * step / times**0.5
    one = dequantize(quantize(values, 8, 256, seed=0))
    assert (one - values).abs().max() <= step * 1.001
    assert torch.equal(one, dequantize(quantize(values, 8, 256, seed=0)))
    assert not torch.equal(one, dequantize(quantize(values, 8, 256, seed=1)))


def test_updates_below_a_step_are_not_lost() -> None:
    inner = slice(1, 255)  # the ends of the range stay, so the steps do
    values = torch.linspace(-1, 1, 256).view(1, 256)
    tiny_update = torch.zeros(1, 256)
    tiny_update[0, inner] = float(quantize(values, 8, 256)["step"]) / 50
    chance, nearest = Int8Weight.of(values), Int8Weight.of(values)
    before = chance.floats()
    for number in range(50):
        chance.hold(chance.floats() + tiny_update, seed=number)
        nearest.hold(nearest.floats() + tiny_update)
    assert torch.allclose(nearest.floats(), before, atol=1e-6)
    moved = (chance.floats() - before)[0, inner].mean() / (50 * tiny_update[0, inner].mean())
    assert 0.8 < float(moved) < 1.2


def test_gradients_are_those_of_the_floats() -> None:
    plain, held = nn.Linear(24, 40), nn.Linear(24, 40)
    held.load_state_dict(plain.state_dict())
    assert hold_in_8_bits(held, [held.weight]) == 1
    weight: Any = held.weight
    plain.weight.data = weight.floats()
    x, y = some(3, 5, 24).requires_grad_(), some(3, 5, 24).requires_grad_()
    plain(x).square().sum().backward()
    held(y).square().sum().backward()
    assert torch.allclose(x.grad, y.grad, atol=1e-5)
    assert torch.allclose(plain.weight.grad, weight.grad, atol=1e-4)
    assert torch.allclose(plain.bias.grad, held.bias.grad, atol=1e-4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert held(y).dtype == torch.bfloat16


def test_it_reads_as_floats_and_is_written_by_its_optimizer_alone() -> None:
    layer = nn.Linear(32, 64, bias=False)
    before = layer.weight.detach().clone()
    hold_in_8_bits(layer, [layer.weight])
    weight: Any = layer.weight
    assert isinstance(weight, nn.Parameter)
    assert weight.requires_grad
    assert (weight.shape, weight.dtype) == (before.shape, torch.float32)
    assert weight.num_bytes < 0.27 * before.nbytes
    assert type(layer.state_dict()["weight"]) is torch.Tensor
    assert torch.equal(layer.state_dict()["weight"], weight.floats())
    assert torch.equal((weight * 2).detach(), weight.floats() * 2)
    with torch.no_grad(), pytest.raises(TypeError, match="written by its optimizer alone"):
        weight.mul_(0.5)
    layer.load_state_dict({"weight": before + 1})
    assert torch.allclose(weight.floats(), before + 1, atol=0.01)


@pytest.mark.parametrize("per_parameter", [False, True], ids=["together", "layerwise"])
def test_a_model_learns_in_8_bits_and_saves_plain_weights(
    tiny: ModuleType, tmp_path: Path, per_parameter: bool
) -> None:
    from dataclasses import replace

    from transformers import AutoModelForCausalLM

    model = tiny.tiny_model()
    before = sum(one.nbytes for name, one in model.named_parameters() if "proj" in name)
    config = tiny.tiny_config(
        tmp_path, **QUIET, max_steps=30, save_steps=30, galore=replace(IN_8_BITS, per_parameter=per_parameter),
        batch_size=8, gradient_accumulation_steps=1, **({"max_grad_norm": 0.0} if per_parameter else {}),
    )  # fmt: skip
    trainer = build_trainer(config, model, tiny.Samples(8), None, tiny.flat)
    held = {name: one for name, one in model.named_parameters() if isinstance(one, Int8Weight)}
    assert set(held) == {name for name, _ in model.named_parameters() if "proj" in name and name.endswith("weight")}
    assert sum(one.num_bytes for one in held.values()) < 0.27 * before
    result = trainer.train()
    losses = [row[1] for row in tiny.losses(tmp_path) if row[1] is not None]
    assert losses[-1] < 0.6 * losses[0], losses
    saved = tiny.weights(result.last_checkpoint)
    assert all(torch.equal(saved[name], one.floats()) for name, one in held.items())
    again = AutoModelForCausalLM.from_pretrained(result.last_checkpoint)
    ids = torch.arange(12)[None]
    model.set_attn_implementation("sdpa")
    with torch.no_grad():
        assert torch.allclose(model.eval()(input_ids=ids).logits, again.eval()(input_ids=ids).logits, atol=1e-5)
