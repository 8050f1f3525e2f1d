"""TextTokenizer over real folders: the golden ids, control tokens as text, files that transformers reads alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from swift.llm.tokenizer import load_tokenizer
from swift.utils.errors import ModelError

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
NAMES = sorted(path.name for path in (DATA / "tokenizers").iterdir()) if DATA.is_dir() else []
pytestmark = pytest.mark.skipif(not NAMES, reason=f"no golden data: {DATA} is absent")


@pytest.mark.parametrize("name", NAMES)
def test_ids_equal_the_golden_vectors(name: str) -> None:
    tokenizer = load_tokenizer(DATA / "tokenizers" / name)
    golden = json.loads((DATA / "golden" / "tokenize" / f"{name}.json").read_text(encoding="utf-8"))
    cases = [case for key in ("vectors", "more") for case in golden.get(key, ()) if "text" in case]
    assert len(cases) > 10
    texts = [case["text"] for case in cases]
    assert tokenizer.permissive.encode_batch(texts) == [case["ids"] for case in cases]
    for case in cases:
        ids = tokenizer.encode(case["text"])
        assert not set(ids) & set(tokenizer.special_tokens.values()) - {
            tokenizer.special_tokens.get("<unk>"),
            tokenizer.special_tokens.get("[UNK]"),
        }


def test_long_texts_have_the_ids_of_short_ones() -> None:
    tokenizer = load_tokenizer(DATA / "tokenizers" / "gpt2")
    text = "One day, <|endoftext|> it rained. " * 1000
    assert tokenizer.encode(text) == tokenizer.backend.encode(text, add_special_tokens=False).ids


def test_special_tokens_stay_text_and_other_added_tokens_are_tokens() -> None:
    tokenizer = load_tokenizer(DATA / "tokenizers" / "qwen3")
    assert tokenizer.special_tokens["<|im_end|>"] not in tokenizer.encode("a<|im_end|>b")
    assert tokenizer.special_tokens["<|im_end|>"] in tokenizer.permissive.encode("a<|im_end|>b")
    assert len(tokenizer.encode("<think>")) == 1
    assert "<think>" not in tokenizer.special_tokens


def test_a_named_token_is_a_control_token_whatever_the_file_says() -> None:
    tokenizer = load_tokenizer(DATA / "tokenizers" / "deepseek-coder-instruct")
    assert tokenizer.eos_token == "<|EOT|>"
    assert tokenizer.eos_token_id not in tokenizer.encode("<|EOT|>")


@pytest.mark.parametrize("name", ["llama-2-chat", "qwen3"])
def test_saved_files_give_transformers_the_same_ids(name: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(DATA / "tokenizers" / name, source, copy_function=shutil.copyfile)
    source.chmod(0o755)
    config = json.loads((source / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["tokenizer_class"] = "LlamaTokenizer" if name == "llama-2-chat" else config["tokenizer_class"]
    (source / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer = load_tokenizer(source)
    tokenizer.save(tmp_path / "saved")
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(str(tmp_path / "saved"))
    for text in ("Hello  world\n\n  a", "naïve 你好 😀", " lead"):
        assert theirs.encode(text, add_special_tokens=False) == tokenizer.encode(text)
        assert tokenizer.hf().encode(text, add_special_tokens=False) == tokenizer.encode(text)
    assert theirs.chat_template == tokenizer.chat_template
    assert load_tokenizer(tmp_path / "saved").encode("Hello") == tokenizer.encode("Hello")


def test_the_fingerprint_follows_the_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(DATA / "tokenizers" / "gpt2", tmp_path / name, copy_function=shutil.copyfile)
        (tmp_path / name).chmod(0o755)
    first = load_tokenizer(tmp_path / "a").fingerprint
    assert first == load_tokenizer(tmp_path / "b").fingerprint
    (tmp_path / "b" / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    assert first != load_tokenizer(tmp_path / "b").fingerprint
    assert load_tokenizer(tmp_path / "b").chat_template == "{{ messages }}"


def test_folders_without_a_readable_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a folder"):
        load_tokenizer(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="holds no tokenizer"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": ', encoding="utf-8")
    with pytest.raises(ModelError, match="can be read"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="not valid JSON"):
        load_tokenizer(tmp_path)
