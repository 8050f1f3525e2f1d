"""Saving: whole or absent, the tokenizer's own bytes, and nothing of this process in the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from swift.kernels.attention import register
from swift.llm.model.saving import save_model, write_whole
from swift.utils.errors import DiskError
from swift.utils.manifest import check_manifest


def model() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4,
                         max_position_embeddings=64, attn_implementation=register())  # fmt: skip
    return LlamaForCausalLM(config).eval()


def test_saved_folder_is_complete_and_plain(tmp_path: Path) -> None:
    target = tmp_path / "out" / "model"
    save_model(
        model(),
        target,
        tokenizer_files={"tokenizer.json": b"{ }\n", "sub/a.jinja": b"x"},
        extra_files={"plan.json": "{}"},
    )
    assert (target / "tokenizer.json").read_bytes() == b"{ }\n"
    assert (target / "sub" / "a.jinja").read_bytes() == b"x"
    assert {"config.json", "generation_config.json", "model.safetensors", "plan.json", "manifest.json"} <= {
        p.name for p in target.iterdir()
    }
    assert check_manifest(target) == []
    assert "swift_varlen" not in (target / "config.json").read_text()
    ids = torch.arange(3, 13)[None]
    with torch.no_grad():
        assert torch.allclose(
            AutoModelForCausalLM.from_pretrained(target).eval()(ids).logits, model()(ids).logits, atol=1e-6
        )


def test_pickled_format_on_request(tmp_path: Path) -> None:
    save_model(model(), tmp_path / "m", tokenizer_files={}, safetensors=False)
    assert not list((tmp_path / "m").glob("*.safetensors"))
    assert json.loads((tmp_path / "m" / "config.json").read_text())["model_type"] == "llama"
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "m")
    assert torch.equal(again.lm_head.weight, model().lm_head.weight)


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "m"
    write_whole(target, lambda folder: (folder / "a").write_text("old") and None)

    def fail(folder: Path) -> None:
        (folder / "a").write_text("new")
        raise OSError(28, "No space left on device")

    with pytest.raises(DiskError, match="The disk is full"):
        write_whole(target, fail)
    assert (target / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_success_replaces_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "m"
    for text in ("old", "new"):
        write_whole(target, lambda folder, text=text: (folder / text).write_text(text) and None)
    assert sorted(path.name for path in target.iterdir()) == ["manifest.json", "new"]
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
