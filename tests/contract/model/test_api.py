"""`get_model_tokenizer` on a real tokenizer: the ids are those of its own files, before and after saving."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from swift.llm.model.api import get_model_tokenizer
from swift.llm.model.saving import save_model
from swift.llm.tokenizer import load_tokenizer
from swift.utils.errors import ArgumentError, ModelError

TEXT = "def f(x):\n    return x + 12345  # how are you?"


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Path:
    """A small Llama beside the DeepSeek tokenizer, whose class transformers 5 would rebuild wrongly."""
    target = tmp_path / "model"
    shutil.copytree(shared / "tokenizers" / "deepseek-coder-instruct", target)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32256, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(target)
    return target


def test_model_and_tokenizer_of_a_folder(folder: Path) -> None:
    model, tokenizer = get_model_tokenizer(str(folder), attn_impl="varlen")
    wanted = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(TEXT, add_special_tokens=False).ids
    assert tokenizer(TEXT, add_special_tokens=False)["input_ids"] == wanted
    assert model.config.vocab_size == 32256
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert get_model_tokenizer(model_id_or_path=str(folder), load_weights=False)[0] is None


def test_saved_tokenizer_still_gives_the_same_ids(folder: Path, tmp_path: Path) -> None:
    model, tokenizer = get_model_tokenizer(model_id_or_path=str(folder))
    target = tmp_path / "saved"
    save_model(model, target, tokenizer_files=load_tokenizer(folder).contents())
    again = AutoTokenizer.from_pretrained(target)
    assert again(TEXT, add_special_tokens=False)["input_ids"] == tokenizer(TEXT, add_special_tokens=False)["input_ids"]


def test_names_that_are_not_there(folder: Path) -> None:
    with pytest.raises(
        ArgumentError, match=r"unknown model_type 'qwen2_5-7b-instrct'; did you mean 'qwen2_5-7b-instruct'"
    ):
        get_model_tokenizer("qwen2_5-7b-instrct")
    with pytest.raises(ArgumentError, match="give a model_type, or model_id_or_path"):
        get_model_tokenizer()
    config = folder / "config.json"
    config.write_text(config.read_text().replace("LlamaForCausalLM", "OtherForCausalLM"))
    with pytest.raises(ModelError, match="attn_impl varlen: not proven"):
        get_model_tokenizer(model_id_or_path=str(folder), attn_impl="varlen")
