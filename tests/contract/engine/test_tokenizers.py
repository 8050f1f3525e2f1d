"""Streamed text equals the text decoded at once, for real tokenizers of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from swift.llm.chat.detokenize import Detokenizer
from swift.llm.tokenizer import load_tokenizer

NAMES = (
    "bge-small", "deepseek-coder-instruct", "gpt2", "llama-2-chat", "llama-3.1-instruct", "mistral-v3",
    "phi-3.5-mini-instruct", "qwen3",
)  # fmt: skip
TEXTS = (
    "Hello, world! 你好，世界。 🎉👩‍👩‍👧‍👦 naïve café ﷽ 한국어 हिन्दी", "  leading spaces\n\n\ttabs  and   runs ", "a",
    "😀" * 10, "ⅷ∑∂ßΩ≈ç√ \u200d zero", "def f(x):\n    return x  # ok\n", "\ufffd\ufffd\ufffd", "a b . c , d ! do n't",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_pieces_make_the_whole(shared: Path, name: str) -> None:
    tokenizer = load_tokenizer(shared / "tokenizers" / name)
    for text in TEXTS:
        ids = tokenizer.encode(text)
        for size in (1, 2, 3, 7):
            detokenizer = Detokenizer(tokenizer)
            pieces = [detokenizer.push(ids[start : start + size]) for start in range(0, len(ids), size)]
            assert "".join([*pieces, detokenizer.finish()]) == tokenizer.decode(ids)
