"""The model that comes with the package: all its files, small enough to travel with every clone."""

from __future__ import annotations

import json
import struct

import pytest
from tokenizers import Tokenizer

import swift.demo

FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "README.md",
)


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_there(name: str) -> None:
    assert (swift.demo.MODEL / name).is_file(), "scripts/demo_model/build makes it"


def test_the_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in swift.demo.MODEL.iterdir()) <= 12_000_000


def test_the_model_has_3_to_6_million_parameters_in_bf16() -> None:
    with (swift.demo.MODEL / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    header.pop("__metadata__", None)
    assert {tensor["dtype"] for tensor in header.values()} == {"BF16"}
    assert 3e6 <= sum(t["data_offsets"][1] - t["data_offsets"][0] for t in header.values()) / 2 <= 6e6


def test_configuration_and_tokenizer_agree() -> None:
    config = json.loads((swift.demo.MODEL / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(swift.demo.MODEL / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == config["vocab_size"] == 4096
    assert tokenizer.token_to_id("<|im_end|>") == config["eos_token_id"]
    assert tokenizer.token_to_id("<|endoftext|>") == config["pad_token_id"]
    assert config["tie_word_embeddings"]
