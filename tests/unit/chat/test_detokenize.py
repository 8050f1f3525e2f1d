from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from swift.llm.chat.detokenize import Detokenizer


class Bytes:
    """One token a byte: every character of more than one byte is cut."""

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        return bytes(ids).decode("utf-8", errors="replace")


TEXTS = (
    "plain text", "naïve café", "你好，世界", "🎉👩‍👩‍👧‍👦", "a🙂b中c", "한국어 हिन्दी ﷽", "", "\n\n\t", "\u200d\u0301",
)  # fmt: skip


def pushed(text: str, sizes: Sequence[int], stop: Sequence[str] = ()) -> tuple[list[str], Detokenizer]:
    ids = list(text.encode())
    detokenizer = Detokenizer(Bytes(), stop)  # type: ignore[arg-type]
    pieces, start, turn = [], 0, 0
    while start < len(ids):
        size = sizes[turn % len(sizes)]
        pieces.append(detokenizer.push(ids[start : start + size]))
        start, turn = start + size, turn + 1
    pieces.append(detokenizer.finish())
    return pieces, detokenizer


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("sizes", [(1,), (2,), (3, 1), (100,)])
def test_whole_characters_only_and_nothing_lost(text: str, sizes: Sequence[int]) -> None:
    pieces, detokenizer = pushed(text, sizes)
    assert "".join(pieces) == text == detokenizer.text
    assert all("\ufffd" not in piece for piece in pieces)


def test_a_character_comes_with_its_last_byte() -> None:
    detokenizer = Detokenizer(Bytes())  # type: ignore[arg-type]
    assert [detokenizer.push([byte]) for byte in "a中".encode()] == ["a", "", "", "中"]


def test_a_broken_end_is_let_out_at_the_end() -> None:
    detokenizer = Detokenizer(Bytes())  # type: ignore[arg-type]
    assert detokenizer.push("ok中".encode()[:-1]) == "ok"
    assert detokenizer.finish() == "\ufffd"


def test_a_real_replacement_character_survives() -> None:
    pieces, _ = pushed("a\ufffdb\ufffd", (1,))
    assert "".join(pieces) == "a\ufffdb\ufffd"


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_stop_strings_across_steps(size: int) -> None:
    pieces, detokenizer = pushed("Hello World\nUser: again", (size,), ("\nUser:", "###"))
    assert "".join(pieces) == "Hello World"
    assert detokenizer.stopped == "\nUser:"
    assert detokenizer.push([65]) == ""


def test_what_only_looks_like_a_stop_is_held_then_let_out() -> None:
    detokenizer = Detokenizer(Bytes(), ("<end>",))  # type: ignore[arg-type]
    assert detokenizer.push(b"a<en") == "a"
    assert detokenizer.push(b"x") == "<enx"
    assert detokenizer.push(b"<e") == ""
    assert detokenizer.finish() == "<e"
    assert detokenizer.stopped is None


def test_the_earliest_stop_wins_and_the_longer_at_one_place() -> None:
    _, detokenizer = pushed("one two three", (50,), ("three", "two"))
    assert (detokenizer.text, detokenizer.stopped) == ("one ", "two")
    _, detokenizer = pushed("abcd", (50,), ("b", "bc"))
    assert (detokenizer.text, detokenizer.stopped) == ("a", "bc")


def test_property_pieces_make_the_text_up_to_the_first_stop() -> None:
    chooser = random.Random(0)
    for _ in range(300):
        text = "".join(chooser.choice("ab中🙂 <|") for _ in range(chooser.randrange(30)))
        stop = "".join(chooser.choice("ab中<") for _ in range(chooser.randrange(1, 4)))
        pieces, detokenizer = pushed(text, [chooser.randrange(1, 6) for _ in range(5)], (stop,))
        assert "".join(pieces) == text.split(stop)[0]
        assert (detokenizer.stopped is not None) == (stop in text)
