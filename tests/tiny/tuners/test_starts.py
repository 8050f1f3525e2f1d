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
from transformers import (
    GptOssConfig,
    GptOssForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

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


def batches(whole: bool) -> Iterator[dict[str, Any]]:
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
    plan = lora("q_proj", init_lora_weights="loftq", lora_rank=8, lora_alpha=8)
    whole = make_model().model.layers[0].self_attn.q_proj.weight
    model = swift.tuners.attach(plan, make_model())
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    coarse = layer.base_layer.weight
    assert len(coarse.unique()) <= 16 * whole.numel() // 64  # sixteen values a block
    u, s, v = torch.linalg.svd((whole - coarse).double())
    lost = layer.lora_B["default"].weight.double() @ layer.lora_A["default"].weight.double()
    assert torch.allclose(lost, u[:, :8] @ torch.diag(s[:8]) @ v[:8], atol=1e-7)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05
    wanted = logits(model)
    swift.tuners.save_model(plan, model)(tmp_path)
    told = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (told["init_lora_weights"], told["loftq_config"]) == ("loftq", {"loftq_bits": 4, "loftq_iter": 1})
    for trainable in (False, True):
        assert torch.equal(logits(swift.tuners.load(plan, make_model(), tmp_path, trainable=trainable)), wanted)
    merged = swift.tuners.open_tuner(plan).merge(swift.tuners.load(plan, make_model(), tmp_path))
    assert torch.allclose(logits(merged), wanted, atol=1e-5)


def flat_batches(whole: bool) -> Iterator[dict[str, Any]]:
    """The same rows end to end, as training has them."""
    for rows in batches(whole):
        yield {
            "input_ids": rows["input_ids"].reshape(1, -1), "position_ids": torch.arange(20).repeat(2)[None],
            "labels": torch.cat([torch.full((2, 1), -100), rows["labels"][:, 1:]], dim=1).reshape(1, -1),
        }  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["corda", "lora_ga"])
def test_a_start_from_data_moves_weights_into_factors(
    kind: str, dtype: torch.dtype, make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    plan = lora("ALL", init_lora_weights=kind, lora_rank=4, lora_dropout=0.0, saved=("LN",))
    original = make_model(dtype=dtype)
    wanted = logits(original)
    tuner: Any = swift.tuners.open_tuner(plan)
    assert tuner.wants_data
    model = tuner.start_from(swift.tuners.attach(plan, make_model(dtype=dtype)), flat_batches)
    error = 1e-6 if dtype == torch.float32 else 0.02 * wanted.abs().max()
    assert (logits(model) - wanted).abs().max() <= error
    layer = model.base_model.model.model.layers[1].mlp.up_proj
    moved = layer.scaling["default"] * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    before = original.model.layers[1].mlp.up_proj.weight.float()
    assert moved.abs().max() > 1e-4
    assert torch.allclose(
        layer.base_layer.weight.float() + moved, before, atol=1e-6 if dtype == torch.float32 else 1e-3
    )
    assert {name.split(".lora_")[0] for name in trained(model) if "lora" in name} == {
        f"base_model.model.{name}" for name in preview(plan, make_model).modules
    }
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.02
    wanted = logits(model)
    swift.tuners.save_model(plan, model)(tmp_path)
    again = swift.tuners.load(plan, make_model(dtype=dtype), tmp_path, trainable=True)
    assert torch.equal(logits(again), wanted)
    assert all(torch.equal(p, q) for p, q in zip(again.parameters(), model.parameters(), strict=True))
    if dtype == torch.float32:
        for loaded in (
            swift.tuners.load(plan, make_model(), tmp_path),
            PeftModel.from_pretrained(make_model(), str(tmp_path)),
        ):
            assert torch.allclose(logits(loaded), wanted, atol=1e-5)


def test_corda_takes_what_the_activations_weigh_most(
    make_model: Callable[..., Any], lora: Callable[..., TunerPlan]
) -> None:
    plan = lora("q_proj", init_lora_weights="corda", lora_rank=4, lora_alpha=4)
    base = make_model().double()
    taken: list[torch.Tensor] = []
    base.model.layers[0].self_attn.q_proj.register_forward_hook(lambda module, args, output: taken.append(args[0][0]))
    with torch.no_grad():
        for batch in batches(True):
            for row in batch["input_ids"]:
                base(row[None])
    inputs = [x / x.max() for x in taken]  # (T, in), as peft scales each row
    c = sum(x.T @ x for x in inputs) / len(inputs)  # type: ignore[arg-type]
    c = c + 0.01 * c.diag().mean() * torch.eye(len(c))
    weight = base.model.layers[0].self_attn.q_proj.weight
    u, s, v = torch.linalg.svd(weight @ c)
    main = u[:, :4] @ torch.diag(s[:4]) @ v[:4] @ torch.linalg.inv(c)
    padded = ({**batch, "attention_mask": torch.ones_like(batch["input_ids"])} for batch in batches(True))
    tuner: Any = swift.tuners.open_tuner(plan)
    model = tuner.start_from(swift.tuners.attach(plan, make_model()), lambda whole: padded)
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    found = layer.lora_B["default"].weight.double() @ layer.lora_A["default"].weight.double()
    assert torch.allclose(found, main, atol=1e-5)


def test_lora_ga_follows_the_gradient(make_model: Callable[..., Any], lora: Callable[..., TunerPlan]) -> None:
    plan = lora("q_proj", init_lora_weights="lora_ga", lora_rank=4, lora_alpha=4)
    base = make_model()
    for batch in batches(False):
        predicted = base(batch["input_ids"]).logits[:, :-1].flatten(0, 1)
        torch.nn.functional.cross_entropy(predicted, batch["labels"][:, 1:].flatten()).backward()
    gradient = base.model.layers[0].self_attn.q_proj.weight.grad.double()
    tuner: Any = swift.tuners.open_tuner(plan)
    model = tuner.start_from(swift.tuners.attach(plan, make_model()), batches)
    assert all(p.grad is None for p in model.parameters())
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    _, _, v = torch.linalg.svd(gradient)
    a = layer.lora_A["default"].weight.double()  # rows 0 to R of V (the paper's equation 8), up to signs
    assert torch.allclose((a @ v[:4].T).abs(), torch.eye(4, dtype=torch.float64), atol=1e-3)


def qwen3_moe() -> Any:
    torch.manual_seed(0)
    config = Qwen3MoeConfig(
        vocab_size=61, hidden_size=32, intermediate_size=48, moe_intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, num_experts=4, num_experts_per_tok=2,
        max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return Qwen3MoeForCausalLM(config).eval()


def mixtral() -> Any:
    torch.manual_seed(0)
    config = MixtralConfig(
        vocab_size=61, hidden_size=32, intermediate_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        num_local_experts=4, num_experts_per_tok=2, max_position_embeddings=64,
    )  # fmt: skip
    return MixtralForCausalLM(config).eval()


def gpt_oss() -> Any:
    """Its experts' weights lie transposed (experts, in, out), and they have biases."""
    torch.manual_seed(0)
    config = GptOssConfig(
        vocab_size=61, hidden_size=32, intermediate_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        head_dim=8, num_local_experts=4, num_experts_per_tok=2, max_position_embeddings=64, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )  # fmt: skip
    return GptOssForCausalLM._from_config(config, attn_implementation="eager").eval()


@pytest.fixture
def experts() -> Callable[[], Any]:
    return qwen3_moe


@pytest.mark.parametrize("build", [qwen3_moe, mixtral, gpt_oss])
def test_experts_whose_weights_are_one_tensor(
    build: Callable[[], Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    plan = lora("EXPERTS", "ATTENTION", lora_rank=2, lora_dropout=0.0)

    def make() -> Any:
        """With larger weights: the head can tell tokens apart, and every expert matters."""
        model = build()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter *= 20 if "layers" not in name else 4 if parameter.ndim > 1 else 1
        return model

    model = swift.tuners.attach(plan, make())
    assert torch.equal(logits(model), logits(make()))
    names = trained(model)
    assert {name.split(".mlp.")[0].split(".self_attn.")[0] for name in names if "experts" in name} == {
        f"base_model.model.model.layers.{i}" for i in (0, 1)
    }
    # each expert has factors of its own: gate and up together 32 in, 32 out, down 16 in, 32 out
    assert sum(p.numel() for name, p in model.named_parameters() if name in names and "experts" in name) == (
        2 * 4 * 2 * ((32 + 32) + (16 + 32))
    )
    assert sum("self_attn" in name for name in names) == 2 * 4 * 2
    assert not any(".gate." in name or ".router." in name for name in names)
    before = {name: p.clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-2, weight_decay=0.0)
    first = last = 0.0
    for _ in range(20):
        optimizer.zero_grad()
        loss = model(IDS, labels=IDS).loss
        loss.backward()
        optimizer.step()
        first, last = first or loss.item(), loss.item()
    assert last < 0.3 * first
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == set(names)
    wanted = logits(model)
    swift.tuners.save_model(plan, model)(tmp_path)
    loaded = swift.tuners.load(plan, make(), tmp_path)
    assert torch.equal(logits(loaded), wanted)
    assert torch.equal(logits(PeftModel.from_pretrained(make(), str(tmp_path))), wanted)
    again = swift.tuners.load(plan, make(), tmp_path, trainable=True)
    assert sorted(trained(again)) == sorted(names)
    merged = swift.tuners.open_tuner(plan).merge(loaded)
    assert (logits(merged) - wanted).abs().max() < 1e-5 * wanted.abs().max()
    merged.save_pretrained(str(tmp_path / "merged"))
    read = type(merged).from_pretrained(
        str(tmp_path / "merged"), attn_implementation=merged.config._attn_implementation
    )
    assert torch.equal(logits(read), logits(merged))
    shown = preview(plan, make).modules
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
