"""Weights in few bits, decided: methods, widths, what the machine lacks, what an adapter over them can become."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from world import CONFIG, CPU, GPU, MODEL, ROW, resolve

from swift.llm.catalog.quantizers import QUANTIZERS
from swift.llm.catalog.registries import MODEL_MAPPING
from swift.llm.catalog.rows import ModelRow
from swift.llm.plan.explain import explain
from swift.llm.plan.quant import held_bytes, plain, read_hqq_layers, stored_bits, stored_method, twin_of
from swift.utils.errors import PlanError

VERSIONS = {"torch": "2.13.0", "bitsandbytes": "0.50.2", "hqq": "0.2.8.post1", "compressed-tensors": "0.19.0"}
HAVE = replace(CPU, versions=VERSIONS)
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128}
FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}


def stored(config: dict[str, Any], **changes: Any) -> Any:
    """The invented model, its files quantised."""
    return replace(
        MODEL, quantization_config=config, model_config={**CONFIG, "quantization_config": config}, num_parameters=None,
        weight_bytes=100_000, **changes,
    )  # fmt: skip


def problems(**given: Any) -> str:
    with pytest.raises(PlanError) as caught:
        resolve(**given)
    return "\n".join(caught.value.problems)


def test_plain_weights_stay_plain() -> None:
    assert resolve(machine=HAVE).model.quantization is None


@pytest.mark.parametrize(("bits", "method"), [(4, "bnb"), (8, "bnb"), (3, "hqq"), (2, "hqq"), (1, "hqq")])
def test_the_method_follows_the_bits(bits: int, method: str) -> None:
    decided = resolve(machine=HAVE, quantization_bit=bits).model.quantization
    assert decided is not None
    assert (decided["quant_method"], decided["quantization_bit"]) == (method, bits)


def test_four_bits_compute_in_the_dtype_of_the_arithmetic() -> None:
    assert resolve(machine=HAVE, quantization_bit=4).model.quantization["bnb_4bit_comp_dtype"] == "fp32"  # type: ignore[index]
    half = resolve(machine=HAVE, quantization_bit=4, dtype="bf16").model.quantization
    assert half is not None
    assert half["bnb_4bit_comp_dtype"] == "bf16"
    asked = resolve(machine=HAVE, quantization_bit=4, bnb_4bit_comp_dtype="bf16", bnb_4bit_quant_storage="bf16")
    assert asked.model.quantization["bnb_4bit_quant_storage"] == "bfloat16"  # type: ignore[index]
    assert asked.reasons["model.bnb_4bit_comp_dtype"] == "flag --bnb_4bit_comp_dtype"


def test_the_plan_says_what_comes_of_it() -> None:
    plan = resolve(machine=HAVE, quantization_bit=4)
    assert plan.model.quantization["result"] == "mergeable"  # type: ignore[index]
    assert "merge-lora folds it into this model's plain weights" in explain(plan)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"quantization_bit": 4, "sft_type": "full"}, "cannot be trained themselves. Use --sft_type lora"),
        ({"quantization_bit": 3, "quant_method": "bnb"}, "bitsandbytes takes 4 or 8"),
        ({"quantization_bit": 8, "quant_method": "eetq"}, "needs a CUDA GPU, and this machine has none. Use --quant_method bnb"),
        ({"quant_method": "bnb"}, "has an effect only with --quantization_bit 4 or 8"),
        ({"quant_method": "gptq"}, "config.json of this model states no quantization_config"),
        ({"quantization_bit": 8, "bnb_4bit_quant_type": "fp4"}, "--bnb_4bit_quant_type: has an effect only with"),
        ({"quantization_bit": 4, "hqq_axis": 1}, "--hqq_axis: has an effect only with --quant_method hqq"),
        ({"quantization_bit": 4, "init_lora_weights": "pissa"}, "changes the base weights, and these are packed"),
        ({"quantization_bit": 4, "bnb_4bit_quant_storage": "int3"}, "choose one of uint8, fp16, bf16, fp32"),
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else None,
)  # fmt: skip
def test_what_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    assert said in problems(machine=HAVE, **given)


def test_a_missing_or_old_library_is_named_with_its_install() -> None:
    assert "bitsandbytes, which is not installed: pip install 'swift[quant]'" in problems(quantization_bit=4)
    old = replace(CPU, versions={"bitsandbytes": "0.41.0"})
    assert "needs bitsandbytes>=0.50, and 0.41.0 is installed" in problems(machine=old, quantization_bit=8)


def test_packed_files_keep_an_adapter_apart_and_name_the_plain_twin() -> None:
    machine = replace(GPU, versions={**VERSIONS, "optimum": "2.3.0", "gptqmodel": "7.6.0"})
    row = MODEL_MAPPING["qwen2_5-7b-instruct-gptq-int4"]
    plan = resolve(machine=machine, model=stored(GPTQ), row=row)
    decided = plan.model.quantization
    assert decided is not None
    assert not plain(decided)
    assert (decided["quant_method"], decided["quantization_bit"], decided["result"]) == ("gptq", 4, "adapter only")
    assert "--model_type qwen2_5-7b-instruct (Qwen/Qwen2.5-7B-Instruct)" in plan.reasons["model.result"]


def test_packed_files_are_not_packed_again_and_not_trained_in_full() -> None:
    machine = replace(GPU, versions={**VERSIONS, "optimum": "2.3.0", "gptqmodel": "7.6.0"})
    said = problems(machine=machine, model=stored(GPTQ), quantization_bit=4, quant_method="awq")
    assert "GPTQ 4-bit already, and are not quantised again" in said
    assert "--quant_method awq: its weights are GPTQ 4-bit, says config.json" in said
    assert "cannot be trained themselves" in problems(machine=machine, model=stored(GPTQ), sft_type="full")
    said = problems(model=stored(GPTQ))
    assert "GPTQ needs optimum, which is not installed" in said
    have = replace(CPU, versions=machine.versions)
    assert "CUDA" not in problems(machine=have, model=stored(GPTQ), sft_type="full")
    assert resolve(machine=have, model=stored(GPTQ)).model.quantization["result"] == "adapter only"  # type: ignore[index]


def test_files_that_expand_are_trained_as_plain_weights() -> None:
    for given in ({}, {"sft_type": "full"}):
        decided = resolve(model=stored(FP8), **given).model.quantization
        assert decided is not None
        assert plain(decided)
        assert (decided["quant_method"], decided["expanded"], decided["result"]) == ("fp8", True, "mergeable")


def test_a_method_that_nobody_loads_is_refused() -> None:
    assert "quantised by vptq, and this version cannot load such files" in problems(
        model=stored({"quant_method": "vptq"})
    )


@pytest.mark.parametrize(
    ("config", "method", "bits"),
    [
        (GPTQ, "gptq", 4),
        ({"quant_method": "awq", "w_bit": 4}, "awq", 4),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "bnb", 8),
        ({"load_in_4bit": True}, "bnb", 4),
        (FP8, "fp8", 8),
        ({"quant_method": "mxfp4"}, "mxfp4", 4),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"num_bits": 4}}}},
            "compressed-tensors",
            4,
        ),
    ],
)
def test_a_configuration_is_read(config: dict[str, Any], method: str, bits: int) -> None:
    row = stored_method(config)
    assert row is not None
    assert (row.name, stored_bits(config)) == (method, bits)


def test_every_method_of_the_catalog_is_known_and_most_rows_have_a_twin() -> None:
    rows = [row for row in MODEL_MAPPING.values() if row.quant is not None]
    unknown = {row.quant[0] for row in rows if row.quant} - {one.name for one in QUANTIZERS}
    assert unknown <= {"nvfp4"}  # made for engines that serve; transformers reads it on the newest GPUs alone
    expanding = {one.name for one in QUANTIZERS if one.expands}
    alone = [row.model_type for row in rows if row.quant and row.quant[0] not in expanding and twin_of(row) is None]
    assert set(alone) <= {"wizardlm2-7b-awq", "deepseek-r1-awq", "deepseek-r1-0528-awq", "minimax-m2_7"}


def test_a_twin_has_the_same_size_and_the_longest_common_name() -> None:
    def row(name: str, **changes: Any) -> ModelRow:
        return replace(ROW, model_type=name, family="tiny", **changes)

    rows = [row("tiny-7b"), row("tiny-7b-chat"), row("tiny-13b-chat"), row("tiny-7b-chat-awq", quant=("awq", 4))]
    twin = twin_of(rows[-1], rows)
    assert twin is not None
    assert twin.model_type == "tiny-7b-chat"
    assert twin_of(rows[0], rows) is None


def test_memory_counts_packed_layers_and_plain_tables() -> None:
    config = {"vocab_size": 1000, "hidden_size": 100, "tie_word_embeddings": False}
    num, tables = 1_000_000, 200_000
    four = {"quant_method": "bnb", "quantization_bit": 4, "bnb_4bit_use_double_quant": False}
    assert held_bytes(config, num, "bf16", four) == tables * 2 + 800_000 * 9 // 16  # half a byte, and 4 a block of 64
    eight = {"quant_method": "bnb", "quantization_bit": 8}
    assert held_bytes(config, num, "bf16", eight) == tables * 2 + 800_000
    experts = {**config, "num_experts": 4, "moe_intermediate_size": 50, "num_hidden_layers": 10}
    assert (
        held_bytes(experts, num, "bf16", eight) == tables * 2 + 600_000 * 2 + 200_000
    )  # one tensor of experts stays plain
    assert (
        held_bytes(
            config, num, "bf16", {"quant_method": "fp8", "quantization_bit": 8, "stored": True, "expanded": True}
        )
        == num * 2
    )
    packed = {"quant_method": "gptq", "quantization_bit": 4, "stored": True, "weight_bytes": 123}
    assert held_bytes(config, num, "bf16", packed) == 123


def test_settings_of_single_layers_are_read_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "layers.json"
    file.write_text(json.dumps({"self_attn.q_proj": {"nbits": 8, "group_size": 64}}))
    assert read_hqq_layers(file) == {"self_attn.q_proj": {"nbits": 8, "group_size": 64}}
    for wrong in ({"self_attn.q_proj": {"bits": 8}}, {"mlp": {"nbits": 5}}, []):
        file.write_text(json.dumps(wrong))
        with pytest.raises(PlanError, match="--hqq_dynamic_config_path"):
            read_hqq_layers(file)
