"""Loading: the right weights, the right dtype, and for everything that is broken an error that names the file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen2Config, Qwen2ForCausalLM

from swift.llm.model.load import check_weights, load_model
from swift.llm.plan.plans import ModelPlan
from swift.utils.errors import CheckpointError, ModelError

IDS = torch.arange(3, 23).reshape(2, 10)


def source() -> Any:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    return Qwen2ForCausalLM(config).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One file of weights."""
    source().save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """Several files and an index."""
    source().save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    return tmp_path


def plan(folder: Path, **changes: Any) -> ModelPlan:
    values: dict[str, Any] = {
        "model_type": None, "path": str(folder), "architecture": "Qwen2ForCausalLM",
        "loader": "swift.llm.model.loaders:causal_lm", "dtype": "fp32", "attention": "sdpa", "device": "cpu",
    }  # fmt: skip
    return ModelPlan(**{**values, **changes})


@pytest.mark.parametrize("attention", ["varlen", "sdpa", "eager"])
def test_gives_the_saved_weights(attention: str, sharded: Path) -> None:
    model = load_model(plan(sharded, attention=attention))
    assert not model.training
    with torch.no_grad():
        assert torch.allclose(model(IDS).logits, source()(IDS).logits, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32), ("fp16", torch.float16)]
)
def test_dtype_is_the_planned_one(name: str, dtype: torch.dtype, folder: Path) -> None:
    assert {p.dtype for p in load_model(plan(folder, dtype=name)).parameters()} == {dtype}


def test_rope_scaling_stretches_positions(folder: Path) -> None:
    scaled = load_model(plan(folder, rope_scaling={"rope_type": "linear", "factor": 4.0}))
    plain = source()
    with torch.no_grad():
        stretched = plain(IDS, position_ids=torch.arange(10)[None] * 1.0 / 4).logits
        assert torch.allclose(scaled(IDS).logits, stretched, atol=1e-5)
    assert scaled.config.rope_parameters["factor"] == 4.0


def test_pickled_weights_are_read_without_their_code(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    assert check_weights(folder) is False
    with torch.no_grad():
        assert torch.allclose(load_model(plan(folder))(IDS).logits, source()(IDS).logits, atol=1e-6)


class Evil:
    """What a pickle may do when nobody looks."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("was-run",)


def test_pickled_code_is_not_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="hold more than tensors, and that was not run"):
        load_model(plan(folder))
    assert not (folder / "was-run").exists()


def cut(folder: Path) -> None:
    path = next(iter(sorted(folder.glob("*.safetensors"))))
    path.write_bytes(path.read_bytes()[:-100])


def garbled(folder: Path) -> None:
    next(iter(sorted(folder.glob("*.safetensors")))).write_bytes(b"\xff" * 64)


def one_missing(folder: Path) -> None:
    next(iter(sorted(folder.glob("*.safetensors")))).unlink()


def broken_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("{")


def false_index(folder: Path) -> None:
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["model.not.there"] = next(iter(index["weight_map"].values()))
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, r"model-00001-of-\d+.safetensors: is damaged or cut short"),
        (garbled, r"model-00001-of-\d+.safetensors: is damaged or cut short"),
        (one_missing, r"1 of \d+ weight files are missing: model-00001"),
        (broken_index, r"model.safetensors.index.json: is damaged"),
        (false_index, r"promises 'model.not.there' in it"),
    ],
)
def test_damaged_weights(damage: Callable[[Path], None], message: str, sharded: Path) -> None:
    damage(sharded)
    with pytest.raises(CheckpointError, match=message):
        load_model(plan(sharded))


def test_no_weights_and_only_an_adapter(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="holds no weights"):
        load_model(plan(folder))
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="holds an adapter, not a model"):
        load_model(plan(folder))


def test_weights_that_are_in_no_file(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    del state["model.layers.1.mlp.up_proj.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"1 weights are in no file: model.layers.1.mlp.up_proj.weight"):
        load_model(plan(folder))


def test_weights_of_another_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 40}))
    with pytest.raises(ModelError, match="shape"):
        load_model(plan(folder))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "no-such-family"}, "is not known to the installed transformers"),
        (
            {"model_type": "x", "auto_map": {"AutoConfig": "a.B", "AutoModelForCausalLM": "a.C"}},
            "runs code that comes with the weights",
        ),
    ],
)
def test_models_that_transformers_does_not_have(config: dict[str, Any], message: str, folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=message):
        load_model(plan(folder))


def test_an_attention_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ModelError, match="--attn_impl flash_attention_2"):
        load_model(plan(folder, attention="flash_attention_2"))
