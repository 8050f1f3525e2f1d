"""Reading the world: folders that are models, folders that are not, and this machine."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from swift.llm.plan.facts import (
    GpuFacts,
    free_gib,
    gather_checkpoint,
    gather_machine,
    gather_model,
    parse_gpus,
    read_chat_template,
)
from swift.utils.errors import CheckpointError, ModelError
from swift.utils.manifest import write_manifest

CONFIG = {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 2048}


def safetensors(path: Path, tensors: dict[str, tuple[str, list[int]]]) -> None:
    """A whole file with zeros, written by hand."""
    sizes = {"F32": 4, "BF16": 2, "I32": 4}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        begin, end = end, end + sizes[dtype] * int(__import__("math").prod(shape))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "tokenizer.json").write_text("{}")
    safetensors(tmp_path / "model.safetensors", {"a": ("BF16", [10, 4]), "b": ("F32", [3])})
    return tmp_path


def test_a_model(model: Path) -> None:
    facts = gather_model(model)
    assert (facts.architecture, facts.max_position_embeddings) == ("LlamaForCausalLM", 2048)
    assert (facts.num_parameters, facts.weight_dtype) == (43, "bf16")
    assert facts.weight_bytes == (model / "model.safetensors").stat().st_size
    assert facts.has_tokenizer
    assert not facts.is_adapter
    assert facts.hub_id is None


def test_shards_are_counted_together(model: Path) -> None:
    (model / "model.safetensors").rename(model / "model-1.safetensors")
    safetensors(model / "model-2.safetensors", {"c": ("BF16", [7])})
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    assert gather_model(model).num_parameters == 50
    (model / "model-2.safetensors").unlink()
    with pytest.raises(ModelError, match=r"1 of 2 weight files are missing \(model-2.safetensors\)"):
        gather_model(model)


def test_quantised_weights_are_not_counted(model: Path) -> None:
    config = {**CONFIG, "quantization_config": {"quant_method": "gptq", "bits": 4}}
    (model / "config.json").write_text(json.dumps(config))
    facts = gather_model(model)
    assert facts.num_parameters is None
    assert facts.quantization_config == {"quant_method": "gptq", "bits": 4}


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("pooling_mode_mean_tokens", "mean"), ("pooling_mode_lasttoken", "last"), ("pooling_mode_cls_token", "other")],
)
def test_how_a_model_for_embeddings_makes_its_vectors(model: Path, mode: str, kind: str) -> None:
    assert gather_model(model).pooling is None
    (model / "1_Pooling").mkdir()
    (model / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 64, mode: True}))
    assert gather_model(model).pooling == kind


def test_weights_may_come_later_from_a_hub_only(model: Path) -> None:
    (model / "model.safetensors").unlink()
    assert gather_model(model, hub_id="me/mine").num_parameters is None
    with pytest.raises(ModelError, match="no weights"):
        gather_model(model)
    with pytest.raises(ModelError, match="no weights"):
        gather_model(model, hub_id="swift.demo:model")


def test_an_index_alone_is_what_a_hub_gives_first(model: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    assert gather_model(model, hub_id="me/mine").weight_bytes is None


def test_pickled_weights_are_refused(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pickled \(pytorch_model.bin\)"):
        gather_model(model)


@pytest.mark.parametrize("keep", [4, 60, -1])
def test_weights_that_were_cut_short(model: Path, keep: int) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"model.safetensors: .*(cut short|not a whole|damaged)"):
        gather_model(model)


def test_a_damaged_header(model: Path) -> None:
    (model / "model.safetensors").write_bytes(struct.pack("<Q", 4) + b"oops" + bytes(20))
    with pytest.raises(ModelError, match="header is damaged"):
        gather_model(model)


def test_a_missing_folder() -> None:
    with pytest.raises(ModelError, match="/no/such/model: there is no such folder"):
        gather_model("/no/such/model")


def test_a_file_is_not_a_folder(model: Path) -> None:
    with pytest.raises(ModelError, match="a file, not a folder"):
        gather_model(model / "config.json")


def test_a_folder_that_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it is empty"):
        gather_model(tmp_path)
    (tmp_path / "holiday.txt").touch()
    with pytest.raises(ModelError, match=r"not a model: config.json is missing \(it holds holiday.txt\)"):
        gather_model(tmp_path)


def test_an_adapter_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "acme/base"}')
    with pytest.raises(ModelError, match=r"an adapter, .*'acme/base'.*--ckpt_dir"):
        gather_model(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{\n  oops", "line 2"),
        ("[]", "a JSON object is expected"),
        ("{}", "architectures"),
        ('{"architectures": []}', "architectures"),
    ],
)
def test_a_config_that_cannot_be_used(model: Path, text: str, told: str) -> None:
    (model / "config.json").write_text(text)
    with pytest.raises(ModelError, match=told):
        gather_model(model)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(model: Path) -> None:
    model.chmod(0)
    try:
        with pytest.raises(ModelError, match="no permission"):
            gather_model(model)
    finally:
        model.chmod(0o755)


def test_chat_templates_by_place(tmp_path: Path) -> None:
    assert read_chat_template(tmp_path) is None
    several = [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": several}))
    assert read_chat_template(tmp_path) == "D"
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "C"}')
    assert read_chat_template(tmp_path) == "C"
    (tmp_path / "chat_template.jinja").write_text("J")
    assert read_chat_template(tmp_path) == "J"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"n_positions": 1024}, 1024),
        ({"seq_length": 8192}, 8192),
        ({"text_config": {"max_position_embeddings": 5}}, 5),
        ({}, None),
    ],
)
def test_the_length_of_the_context(model: Path, config: dict[str, Any], expected: int | None) -> None:
    (model / "config.json").write_text(json.dumps({"architectures": ["X"], **config}))
    assert gather_model(model).max_position_embeddings == expected


def test_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 8}')
    (tmp_path / "sft_args.json").write_text('{"lora_rank": 8}')
    write_manifest(tmp_path)
    facts = gather_checkpoint(tmp_path)
    assert (facts.kind, facts.adapter_config, facts.sft_args, facts.plan) == (
        "adapter",
        {"r": 8},
        {"lora_rank": 8},
        None,
    )
    assert facts.problems == ()
    (tmp_path / "sft_args.json").write_text("{oops")
    problems = " ".join(gather_checkpoint(tmp_path).problems)
    assert "sft_args.json" in problems
    assert "not valid JSON" in problems


def test_what_is_not_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        gather_checkpoint(tmp_path / "gone")
    (tmp_path / "checkpoint-10").mkdir()
    with pytest.raises(CheckpointError, match="It holds checkpoint-10: give one of them"):
        gather_checkpoint(tmp_path)


def test_this_machine() -> None:
    machine = gather_machine()
    assert machine.num_cores >= 1
    assert machine.memory_gib > 0.1
    assert "numpy" in machine.versions
    assert "torch" not in machine.versions or machine.versions["torch"][0].isdigit()


SMI = """0, GPU-aaa, NVIDIA H200, 143771, 9.0
1, GPU-bbb, Tesla T4, 15360, 7.5
2, GPU-ccc, NVIDIA A100, 81920, 8.0
3, GPU-ddd, Odd One, [N/A], 8.0
"""


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["NVIDIA H200", "Tesla T4", "NVIDIA A100"]),
        ("2,0", ["NVIDIA A100", "NVIDIA H200"]),
        ("GPU-bbb", ["Tesla T4"]),
        ("-1", []),
        ("0,9,1", ["NVIDIA H200"]),
    ],
)
def test_gpus_as_cuda_counts_them(visible: str | None, names: list[str]) -> None:
    assert [gpu.name for gpu in parse_gpus(SMI, visible)] == names


def test_a_gpu() -> None:
    assert parse_gpus(SMI, "1") == (GpuFacts(name="Tesla T4", memory_gib=15.0, bf16=False),)


def test_free_space_where_a_folder_will_be(tmp_path: Path) -> None:
    assert free_gib(tmp_path / "not" / "yet") > 0
