"""Log-probabilities of token ids as those of texts: each token's text and the bytes it stands for."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from swift.llm.core import Tokenizer
from swift.llm.engine.protocol import TokenLogprob
from swift.llm.tokenizer import TextTokenizer
from swift.llm.tokenizer.pieces import TokenBytes

__all__ = ["LogprobText", "TextLogprob"]


@dataclass(frozen=True, slots=True)
class TextLogprob:
    """``logprob`` of one token. ``bytes`` are what it adds to the text in UTF-8; ``text`` is their reading.

    A token that is part of a character has ``text`` with U+FFFD in it; the bytes of its neighbours complete it. ``top``: the
    likeliest tokens as (id, text, bytes, logprob), likeliest first.
    """

    token_id: int
    text: str
    bytes: bytes
    logprob: float
    top: tuple[tuple[int, str, builtins.bytes, float], ...] = ()


class LogprobText:
    """Token ids to texts and bytes, each looked up once for a tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        find = TokenBytes(tokenizer).of if isinstance(tokenizer, TextTokenizer) else _decoded(tokenizer)
        self.bytes_of: Callable[[int], bytes] = lru_cache(maxsize=65536)(find)

    def of(self, given: TokenLogprob) -> TextLogprob:
        """The same with text."""
        top = tuple((token, *self._text(token), logprob) for token, logprob in given.top)
        return TextLogprob(given.token, *self._text(given.token), given.logprob, top)

    def _text(self, token: int) -> tuple[str, bytes]:
        data = self.bytes_of(token)
        return data.decode("utf-8", errors="replace"), data


def _decoded(tokenizer: Tokenizer) -> Callable[[int], bytes]:
    return lambda token: tokenizer.decode([token]).encode()
