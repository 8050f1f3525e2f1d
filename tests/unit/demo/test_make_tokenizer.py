"""The demo model's tokenizer: every text survives, digits stand alone, the chat template is ChatML."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import pytest
from tokenizers import Tokenizer


@pytest.fixture(scope="module")
def tokenizer(make_tokenizer: ModuleType, stories: list[str]) -> Tokenizer:
    trained: Tokenizer = make_tokenizer.train_tokenizer(stories, vocabulary=400)
    return trained


@pytest.fixture(scope="module")
def config(
    make_tokenizer: ModuleType, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer.save_tokenizer(tokenizer, folder)
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).to_str() == tokenizer.to_str()
    read: dict[str, Any] = json.loads((folder / "tokenizer_config.json").read_text())
    return read


def render(config: dict[str, Any], messages: list[dict[str, str]], **names: Any) -> str:
    def refuse(text: str) -> None:
        raise ValueError(text)

    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(config["chat_template"])
    return template.render(messages=messages, raise_exception=refuse, **{"add_generation_prompt": False, **names})


@pytest.mark.parametrize(
    "text", ["Tim has 123 apples.", "你好，世界 🙂", "  two\n\n\tlines \r\n", "don't", "naïve café", ""]
)
def test_text_survives(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_digits_stand_alone(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("2025").tokens == ["2", "0", "2", "5"]


def test_markers_are_one_token_each_and_come_first(tokenizer: Tokenizer) -> None:
    assert [tokenizer.encode(marker).ids for marker in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")] == [
        [0],
        [1],
        [2],
    ]


def test_special_tokens_of_the_config_are_in_the_vocabulary(tokenizer: Tokenizer, config: dict[str, Any]) -> None:
    assert tokenizer.token_to_id(config["eos_token"]) == 2
    assert tokenizer.token_to_id(config["pad_token"]) == 0
    assert config["bos_token"] is None


def test_the_template_is_chatml(config: dict[str, Any]) -> None:
    chat = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": " Hi \n"},
        {"role": "assistant", "content": "Hello!"},
    ]
    expected = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in chat)
    assert render(config, chat) == expected
    assert render(config, chat[:2], add_generation_prompt=True) == expected.removesuffix("Hello!<|im_end|>\n")


def test_no_system_text_is_added(config: dict[str, Any]) -> None:
    assert render(config, [{"role": "user", "content": "Hi"}]) == "<|im_start|>user\nHi<|im_end|>\n"


def test_an_unknown_role_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not tool"):
        render(config, [{"role": "tool", "content": "4"}])


def test_rendered_markers_become_their_ids(tokenizer: Tokenizer, config: dict[str, Any]) -> None:
    ids = tokenizer.encode(render(config, [{"role": "user", "content": "Hi"}], add_generation_prompt=True)).ids
    assert ids[0] == 1
    assert ids.count(1) == 2
    assert ids.count(2) == 1
