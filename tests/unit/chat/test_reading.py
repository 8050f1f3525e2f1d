"""Tokens as text with their log-probabilities: what a stop string cuts is cut from both."""

from __future__ import annotations

from pathlib import Path

import pytest

from swift.llm.chat.logprobs import LogprobText
from swift.llm.chat.reading import TextReader
from swift.llm.engine.protocol import TokenLogprob
from swift.llm.tokenizer import TextTokenizer, load_tokenizer

DEMO = Path(__file__).parents[3] / "swift" / "demo" / "model"


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return load_tokenizer(DEMO)


def read(tokenizer: TextTokenizer, text: str, stop: tuple[str, ...], chunk: int) -> tuple[str, str, list[int]]:
    """The text let out, the text of the log-probabilities, and how many came with each step."""
    words = LogprobText(tokenizer)
    reader = TextReader(tokenizer, stop, words)
    ids = tokenizer.encode(text)
    shown, told, counts = "", b"", []
    for start in range(0, len(ids), chunk):
        part = ids[start : start + chunk]
        more, logprobs = reader.push(
            part, [TokenLogprob(token, -1.0, ((token, -1.0),)) for token in part], is_end=start + chunk >= len(ids)
        )
        shown += more
        told += b"".join(one.bytes for one in logprobs)
        counts.append(len(logprobs))
        if reader.stopped is not None:
            break
    return shown, told.decode(), counts


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize("text", ["Hello, big world", "naïve ☀ 天気 🎉!", " two  blanks\n\n"])
def test_bytes_of_the_tokens_are_the_text(tokenizer: TextTokenizer, text: str, chunk: int) -> None:
    assert read(tokenizer, text, (), chunk)[:2] == (text, text)


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_a_stop_string_cuts_the_log_probabilities(tokenizer: TextTokenizer, chunk: int) -> None:
    shown, told, _ = read(tokenizer, "Count: one, two. STOP and more", (" STOP",), chunk)
    assert shown == "Count: one, two."
    assert told == shown


def test_held_back_text_holds_its_log_probabilities_back(tokenizer: TextTokenizer) -> None:
    words = LogprobText(tokenizer)
    reader = TextReader(tokenizer, ("Observation:",), words)
    out = [reader.push((token,), [TokenLogprob(token, -1.0)], is_end=False) for token in tokenizer.encode("x Obs")]
    assert "".join(text for text, _ in out) == "x "
    before = "".join(one.text for _, told in out for one in told)
    text, told = reader.push((), (), is_end=True)
    assert text == "Obs"
    assert "x Obs".startswith(before)
    assert before + "".join(one.text for one in told) == "x Obs"
    assert told


def test_a_part_of_a_character_has_its_own_bytes(tokenizer: TextTokenizer) -> None:
    words = LogprobText(tokenizer)
    parts = [words.of(TokenLogprob(token, -0.5)) for token in tokenizer.encode("🎉")]
    assert len(parts) > 1
    assert "\ufffd" in parts[0].text
    assert b"".join(part.bytes for part in parts).decode() == "🎉"
