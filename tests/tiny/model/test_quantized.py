"""Weights in few bits on a CPU: the same losses as transformers' own, packed and unpacked, before and after an evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

from swift.kernels.attention import register
from swift.llm.model.load import load_model
from swift.llm.model.quantized import count_parameters
from swift.llm.plan.plans import ModelPlan, TunerPlan
from swift.tuners import attach
from swift.utils.errors import ModelError

IDS = torch.randint(3, 61, (3, 12), generator=torch.Generator().manual_seed(1))
FOUR = {"quant_method": "bnb", "quantization_bit": 4, "bnb_4bit_comp_dtype": "fp32", "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True, "bnb_4bit_quant_storage": None}  # fmt: skip
EIGHT = {"quant_method": "bnb", "quantization_bit": 8}
HQQ = {"quant_method": "hqq", "quantization_bit": 4, "hqq_axis": 1}
NEEDS = {"bnb": "bitsandbytes", "hqq": "hqq"}
METHODS = pytest.mark.parametrize("quantization", [FOUR, EIGHT, HQQ], ids=["bnb4", "bnb8", "hqq4"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of width 64 with random weights."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=61, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.2, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    place = tmp_path_factory.mktemp("plain")
    Qwen2ForCausalLM(config).save_pretrained(place)
    return place


def plan(folder: Path, quantization: dict[str, Any] | None, **changes: Any) -> ModelPlan:
    if quantization is not None and quantization["quant_method"] in NEEDS:
        pytest.importorskip(NEEDS[quantization["quant_method"]], reason="the extra `quant` is not installed")
    values: dict[str, Any] = {
        "model_type": None, "path": str(folder), "architecture": "Qwen2ForCausalLM",
        "loader": "swift.llm.model.loaders:causal_lm", "dtype": "fp32", "attention": "sdpa", "device": "cpu",
        "quantization": quantization,
    }  # fmt: skip
    return ModelPlan(**{**values, **changes})


def loss(model: Any, ids: torch.Tensor = IDS, **more: Any) -> float:
    with torch.no_grad():
        return float(model(input_ids=ids, labels=ids, **more).loss)


@METHODS
def test_packed_weights_answer_nearly_like_plain_ones_and_are_smaller(
    folder: Path, quantization: dict[str, Any]
) -> None:
    plain, packed = load_model(plan(folder, None)), load_model(plan(folder, quantization))
    assert loss(packed) == pytest.approx(loss(plain), rel=0.05)
    assert loss(packed) != loss(plain)
    assert count_parameters(packed) == sum(parameter.numel() for parameter in plain.parameters())
    if quantization["quantization_bit"] == 4:
        held = sum(parameter.numel() * parameter.element_size() for parameter in packed.parameters())
        assert held < sum(parameter.numel() * 4 for parameter in plain.parameters()) / 2


@pytest.mark.parametrize("bits", [4, 8])
def test_the_same_loss_as_transformers_own(folder: Path, bits: int) -> None:
    ours = load_model(plan(folder, FOUR if bits == 4 else EIGHT))
    from transformers import BitsAndBytesConfig

    told = BitsAndBytesConfig(load_in_8bit=True) if bits == 8 else BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True
    )  # fmt: skip
    theirs = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=told, dtype=torch.float32, device_map={"": "cpu"}
    )
    if bits == 4:
        theirs.train()  # an evaluating 4-bit layer repacks its weights on some CPUs; there is no dropout to disturb
    assert loss(ours) == pytest.approx(loss(theirs), rel=1e-5)


@METHODS
def test_a_flat_batch_gives_the_loss_of_padded_samples(folder: Path, quantization: dict[str, Any]) -> None:
    padded = load_model(plan(folder, quantization))
    flat = load_model(plan(folder, quantization, attention="varlen"))
    assert flat.config._attn_implementation == register()
    positions = torch.arange(12).repeat(3)[None]
    bounds = torch.tensor([0, 12, 24, 36], dtype=torch.int32)
    with torch.no_grad():
        apart = padded(input_ids=IDS).logits.reshape(36, -1)
        together = flat(
            input_ids=IDS.reshape(1, -1), position_ids=positions, cu_seq_lens_q=bounds, cu_seq_lens_k=bounds,
            max_length_q=12, max_length_k=12, use_cache=False,
        ).logits[0]  # fmt: skip
    # LLM.int8 takes its outlier columns from the whole batch, which the layout does not change here.
    torch.testing.assert_close(together, apart, rtol=2e-3, atol=2e-3)


@METHODS
def test_an_adapter_learns_over_them_and_an_evaluation_changes_nothing(
    folder: Path, quantization: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    tuner = TunerPlan(
        sft_type="lora",
        code="swift.tuners.lora.tuner:LoraTuner",
        target_modules=("ALL",),
        options={"lora_dropout": 0.0},
    )
    model = attach(tuner, load_model(plan(folder, quantization)))
    packed = {name: one.detach().clone() for name, one in model.named_parameters() if not one.requires_grad}
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=0.02)
    model.train()
    before = loss(model)
    for step in range(30):
        model(input_ids=IDS, labels=IDS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step == 10:
            evaluated = loss(model.eval())
            # LLM.int8 rounds its inputs otherwise while it trains.
            assert evaluated == pytest.approx(loss(model.train()), rel=0.05 if quantization is EIGHT else 1e-4)
    assert loss(model) < 0.3 * before
    for name, one in model.named_parameters():
        if name in packed:
            assert torch.equal(one, packed[name]), name


def test_settings_of_single_layers_reach_those_layers_alone(folder: Path) -> None:
    layers = {"self_attn.q_proj": {"nbits": 8}, "0.mlp.up_proj": {"nbits": 2, "group_size": 32}}
    model = load_model(plan(folder, {**HQQ, "hqq_layers": layers}))
    kinds = {name: type(one).__name__ for name, one in model.named_modules() if "proj" in name}
    assert sorted(name for name, kind in kinds.items() if kind == "HQQLinear") == [
        "model.layers.0.mlp.up_proj", "model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj",
    ]  # fmt: skip
    with pytest.raises(ModelError, match="nowhere names no linear layer"):
        load_model(plan(folder, {**HQQ, "hqq_layers": {**layers, "nowhere": {"nbits": 4}}}))


def test_groups_that_do_not_divide_a_layer_are_told(folder: Path) -> None:
    layers = {"self_attn.q_proj": {"group_size": 96}}
    with pytest.raises(ModelError, match="which groups of 96 do not divide"):
        load_model(plan(folder, {**HQQ, "hqq_layers": layers}))


def test_fp8_files_become_plain_weights_that_are_saved_plain(folder: Path, tmp_path: Path) -> None:
    packed, block = tmp_path / "fp8", 32
    packed.mkdir()
    weights, expected = {}, {}
    for name, weight in load_file(folder / "model.safetensors").items():
        if not name.endswith("proj.weight"):
            weights[name] = weight
            continue
        rows, columns = weight.shape
        blocks = weight.reshape(rows // block, block, columns // block, block)
        scale = blocks.abs().amax((1, 3)) / 448
        rounded = (blocks / scale[:, None, :, None]).reshape(rows, columns).to(torch.float8_e4m3fn)
        weights[name], weights[f"{name}_scale_inv"] = rounded, scale
        expected[name] = (rounded.float().reshape(blocks.shape) * scale[:, None, :, None]).reshape(rows, columns)
    save_file(weights, packed / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [block, block]}
    (packed / "config.json").write_text(json.dumps(config))
    model = load_model(plan(packed, {"quant_method": "fp8", "quantization_bit": 8, "stored": True, "expanded": True}))
    for name, weight in expected.items():
        torch.testing.assert_close(model.get_parameter(name).data, weight)
    model.save_pretrained(tmp_path / "saved")
    assert "quantization_config" not in json.loads((tmp_path / "saved" / "config.json").read_text())
    saved = load_model(plan(tmp_path / "saved", None))
    assert loss(saved) == loss(model)


def test_compressed_tensors_become_plain_weights_that_are_saved_plain(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("compressed_tensors", reason="the extra `quant` is not installed")
    packed = tmp_path / "packed"
    expected = _compress(folder, packed)
    decided = {"quant_method": "compressed-tensors", "quantization_bit": 4, "stored": True, "expanded": True}
    model = load_model(plan(packed, decided))
    assert loss(model) == pytest.approx(expected, rel=1e-5)
    model.save_pretrained(tmp_path / "saved")
    names = set(load_file(tmp_path / "saved" / "model.safetensors"))
    assert names == set(load_file(folder / "model.safetensors"))
    assert loss(load_model(plan(tmp_path / "saved", None))) == pytest.approx(expected, rel=1e-5)


def _compress(folder: Path, target: Path) -> float:
    """Write the model in four bits, as compressed-tensors packs them; its loss."""
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import (
        QuantizationArgs,
        QuantizationConfig,
        QuantizationScheme,
        QuantizationStatus,
        apply_quantization_config,
    )

    model = load_model(plan(folder, None))
    weights = QuantizationArgs(num_bits=4, type="int", symmetric=True, strategy="group", group_size=32)
    scheme = QuantizationScheme(targets=["Linear"], weights=weights)
    config = QuantizationConfig(
        config_groups={"all": scheme}, format="pack-quantized", ignore=["lm_head"],
        quantization_status=QuantizationStatus.FROZEN,
    )  # fmt: skip
    apply_quantization_config(model, config)
    for module in model.modules():
        if hasattr(module, "weight_scale"):
            grouped = module.weight.data.reshape(module.weight.shape[0], -1, 32)
            module.weight_scale.data = grouped.abs().amax(-1) / 7
    expected = loss(model)
    compressor = ModelCompressor.from_pretrained_model(model, quantization_format="pack-quantized")
    compressor.compress_model(model)
    model.save_pretrained(target)
    compressor.update_config(target)
    return expected
