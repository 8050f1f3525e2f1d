"""Bottleneck adapters: the paper's formula, what is trained, and that a checkpoint answers as the model did."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from proof import check_the_same, logits, loud, memorise, move, num_trained, run_twice, saved

import swift.tuners
from swift.llm.plan.plans import TunerPlan
from swift.tuners.adapter.module import Bottleneck
from swift.utils.errors import CheckpointError, NotBuiltError, PlanError


def adapter(**options: Any) -> TunerPlan:
    return TunerPlan(sft_type="adapter", code="swift.tuners.adapter.tuner:AdapterTuner", options=options)


def test_formula_and_gradients() -> None:
    torch.manual_seed(0)
    module = Bottleneck(6, 3, torch.nn.GELU()).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    hidden = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    for t in range(5):
        inner = [
            torch.nn.functional.gelu(
                sum(module.down.weight[i, c] * hidden[t, c] for c in range(6)) + module.down.bias[i]
            )
            for i in range(3)
        ]
        outer = [sum(module.up.weight[c, i] * inner[i] for i in range(3)) + module.up.bias[c] for c in range(6)]
        assert torch.allclose(module(hidden)[t], hidden[t] + torch.stack(outer), atol=1e-12)
    assert torch.autograd.gradcheck(module, (hidden,))


@pytest.mark.parametrize("width", [1, 16])
def test_it_starts_as_the_base_with_the_papers_number_of_parameters(width: int, make_model: Callable[..., Any]) -> None:
    wanted = logits(make_model())
    model = swift.tuners.attach(adapter(adapter_length=width), make_model())
    assert torch.equal(logits(model), wanted)
    assert num_trained(model) == 2 * (2 * width * 32 + 32 + width)


def test_only_adapters_learn_and_the_loss_falls(make_model: Callable[..., Any]) -> None:
    model = swift.tuners.attach(adapter(adapter_length=16, adapter_act="silu"), loud(make_model()))
    first, last, changed = memorise(model, rate=2e-2)
    assert last < 0.25 < 4 < first
    assert changed == {name for name, _ in model.named_parameters() if ".mlp.bottleneck." in name}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saved_and_loaded_it_is_the_same(dtype: torch.dtype, make_model: Callable[..., Any], tmp_path: Path) -> None:
    model = move(swift.tuners.attach(adapter(adapter_length=8, adapter_act="relu"), make_model(dtype=dtype)))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    folder = saved(adapter(), model, tmp_path / "a")
    assert json.loads((folder / "adapter_config.json").read_text())["peft_type"] == "ADAPTER"
    loaded = swift.tuners.load(adapter(), make_model(dtype=dtype), folder)
    assert torch.equal(logits(loaded), logits(model))
    assert not torch.equal(logits(loaded), logits(make_model(dtype=dtype)))
    assert num_trained(loaded) == 0
    assert num_trained(swift.tuners.load(adapter(), make_model(), folder, trainable=True)) == num_trained(model)
    with pytest.raises(NotBuiltError, match="cannot be merged"):
        swift.tuners.open_tuner(adapter()).merge(loaded)


def test_what_cannot_be_is_told(make_model: Callable[..., Any], tmp_path: Path) -> None:
    for options, message in (({"adapter_length": 0}, "--adapter_length 0"), ({"adapter_act": "glu"}, "Near: gelu")):
        with pytest.raises(PlanError, match=message):
            swift.tuners.attach(adapter(**options), make_model())
    folder = saved(adapter(), swift.tuners.attach(adapter(adapter_length=4), make_model()), tmp_path / "a")
    config = json.loads((folder / "adapter_config.json").read_text())
    config["options"]["adapter_length"] = 5
    (folder / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"does not fit .* in the model"):
        swift.tuners.load(adapter(), make_model(), folder)
    (folder / "adapter_model.safetensors").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="damaged"):
        swift.tuners.load(adapter(), make_model(), folder)


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(model_folder: Path, tmp_path: Path) -> None:
    check_the_same(*run_twice(model_folder, tmp_path, sft_type="adapter", adapter_length=8))
