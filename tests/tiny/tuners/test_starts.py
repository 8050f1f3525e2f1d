"""Factors that start from weights or data, and those on the weights of experts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

import swift.tuners
from swift.llm.plan.plans import TunerPlan
from swift.tuners.preview import preview
from swift.utils.errors import DataError, PlanError

IDS = torch.arange(3, 43).reshape(2, 20)


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(IDS).logits.float()
    return found


def trained(model: Any) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def batches() -> Iterator[dict[str, Any]]:
    for start in range(4):
        rows = (IDS + start) % 61
        yield {"input_ids": rows, "labels": torch.where(rows % 3 == 0, -100, rows), "loss_scale": torch.ones(2, 20)}


def test_pissa_takes_the_main_part_of_the_weights(
    make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    plan = lora("q_proj", init_lora_weights="pissa", lora_rank=4, lora_alpha=8)
    whole = make_model().model.layers[0].self_attn.q_proj.weight.double()
    model = swift.tuners.attach(plan, make_model())
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    main = 2 * layer.lora_B["default"].weight.double() @ layer.lora_A["default"].weight.double()
    u, s, v = torch.linalg.svd(whole)
    assert torch.allclose(main, u[:, :4] @ torch.diag(s[:4]) @ v[:4], atol=1e-6)
    assert torch.allclose(layer.base_layer.weight.double() + main, whole, atol=1e-6)
    swift.tuners.save_model(plan, model)(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["init_lora_weights"]) == (8, 16, True)
    original = logits(make_model())  # untrained: the difference is none
    assert torch.allclose(logits(PeftModel.from_pretrained(make_model(), str(tmp_path))), original, atol=1e-6)


def test_eva_starts_from_the_inputs(
    make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    plan = lora("ALL", init_lora_weights="eva", lora_rank=4)
    model = swift.tuners.attach(plan, make_model())
    wanted = logits(model)
    tuner: Any = swift.tuners.open_tuner(plan)
    assert tuner.wants_data
    tuner.start_from(model, batches)
    assert torch.equal(logits(model), wanted)  # B is zero
    factors = {name: p for name, p in model.named_parameters() if ".lora_A." in name}
    assert sum(len(factor) for factor in factors.values()) == 14 * 4
    for factor in factors.values():
        assert torch.allclose(factor @ factor.T, torch.eye(len(factor)), atol=1e-4)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05
    swift.tuners.save_model(plan, model)(tmp_path)
    for loaded in (
        swift.tuners.load(plan, make_model(), tmp_path),
        PeftModel.from_pretrained(make_model(), str(tmp_path)),
    ):
        assert torch.equal(logits(loaded), logits(model))
    with pytest.raises(DataError, match="a batch must train on at least 200 tokens"):
        swift.tuners.open_tuner(lora("ALL", init_lora_weights="eva", lora_rank=100)).start_from(model, batches)  # type: ignore[attr-defined]


def test_loftq_starts_from_what_four_bits_lose(
    make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(PlanError, match="--init_lora_weights loftq: peft rounds to four bits on a GPU"):
            swift.tuners.open_tuner(lora("q_proj", init_lora_weights="loftq"))
        return
    plan = lora("q_proj", init_lora_weights="loftq", lora_rank=8, lora_alpha=8)
    whole = make_model().model.layers[0].self_attn.q_proj.weight
    model = swift.tuners.attach(plan, make_model())
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    coarse = layer.base_layer.weight
    assert len(coarse.unique()) < len(whole.unique())
    better = coarse + layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    assert (better - whole).norm() < (coarse - whole).norm()
    swift.tuners.save_model(plan, model)(tmp_path)
    assert torch.equal(logits(swift.tuners.load(plan, make_model(), tmp_path)), logits(model))


@pytest.fixture
def experts() -> Callable[[], Any]:
    def make() -> Any:
        torch.manual_seed(0)
        config = Qwen3MoeConfig(
            vocab_size=61, hidden_size=32, intermediate_size=48, moe_intermediate_size=16, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, head_dim=8, num_experts=4, num_experts_per_tok=2,
            max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        )  # fmt: skip
        return Qwen3MoeForCausalLM(config).eval()

    return make


def test_experts_whose_weights_are_one_tensor(
    experts: Callable[[], Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    plan = lora("EXPERTS", "ATTENTION", lora_rank=2, lora_dropout=0.0)
    model = swift.tuners.attach(plan, experts())
    names = trained(model)
    assert {name.split(".mlp.")[0].split(".self_attn.")[0] for name in names if "experts" in name} == {
        f"base_model.model.model.layers.{i}" for i in (0, 1)
    }
    assert sum("self_attn" in name for name in names) == 2 * 4 * 2
    assert not any(".gate." in name for name in names)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    wanted = logits(model)
    assert not torch.allclose(wanted, logits(experts()), atol=1e-3)
    swift.tuners.save_model(plan, model)(tmp_path)
    loaded = swift.tuners.load(plan, experts(), tmp_path)
    assert torch.equal(logits(loaded), wanted)
    assert torch.allclose(logits(swift.tuners.open_tuner(plan).merge(loaded)), wanted, atol=1e-5)
    shown = preview(plan, experts).modules
    assert "model.layers.1.mlp.experts.down_proj" in shown
    assert {name.rpartition(".")[2] for name in shown} >= {"q_proj", "gate_up_proj"}


def test_parts_of_a_model_with_experts(experts: Callable[[], Any], lora: Callable[..., TunerPlan]) -> None:
    with pytest.raises(PlanError, match="--target_modules MLP: this model has no such part"):
        swift.tuners.attach(lora("MLP"), experts())
    with pytest.raises(
        PlanError, match=r"--lora_dropout 0.05: model.layers.0.mlp.experts.\w+ holds the weights of all"
    ):
        swift.tuners.attach(lora("EXPERTS"), experts())
    vera = TunerPlan(sft_type="vera", code="swift.tuners.vera.tuner:VeraTuner", target_modules=("EXPERTS",))
    with pytest.raises(PlanError, match="and vera goes to linear layers only"):
        swift.tuners.attach(vera, experts())


@pytest.mark.parametrize(
    ("word", "ends"),
    [
        ("ATTENTION", {"q_proj", "k_proj", "v_proj", "o_proj"}),
        ("MLP", {"gate_proj", "up_proj", "down_proj"}),
        ("HEAD", {"lm_head"}),
    ],
)
def test_parts_by_their_words(
    word: str, ends: set[str], make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    plan = lora(word, lora_rank=2)
    model = swift.tuners.attach(plan, make_model())
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in trained(model)} == ends
    swift.tuners.save_model(plan, model)(tmp_path)
    assert set(load_file(tmp_path / "adapter_model.safetensors")) == {
        name.replace(".default", "") for name in trained(model)
    }
