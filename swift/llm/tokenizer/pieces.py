"""The bytes that a single token stands for in the middle of a text, which decoding it alone does not tell.

Decoders drop the blank at the beginning of a text, and cannot show a part of a character.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from swift.llm.tokenizer.text import TextTokenizer

__all__ = ["TokenBytes"]

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_MARK = "\u2581"  # how sentencepiece writes a blank


class TokenBytes:
    """Token ids to bytes, by the decoder that `tokenizer.json` describes."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._added = {tokenizer.backend.token_to_id(text): text for text in tokenizer.added_tokens}
        kinds = {step["type"] for step in _steps(tokenizer.description.get("decoder"))}
        self._by_letters = "ByteLevel" in kinds
        self._marks_blanks = "Metaspace" in kinds or _MARK in str(tokenizer.description.get("decoder"))
        self._byte_tokens = "ByteFallback" in kinds

    def of(self, token: int) -> bytes:
        """The bytes of a token; none for an unknown id."""
        piece = self._tokenizer.backend.id_to_token(token)
        if piece is None:
            return b""
        if self._by_letters:
            table = _letters()
            known = all(letter in table for letter in piece)  # the decoder leaves others (added tokens) as they are
            return b"".join(table[letter] for letter in piece) if known else piece.encode()
        if token in self._added:
            return self._added[token].encode()
        byte = _BYTE.fullmatch(piece) if self._byte_tokens else None
        if byte is not None:
            return bytes([int(byte[1], 16)])
        if self._marks_blanks:
            return piece.replace(_MARK, " ").encode()
        return self._tokenizer.decode([token]).encode()


def _steps(decoder: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    if decoder is None:
        return []
    inner = decoder.get("decoders")
    return [step for one in inner for step in _steps(one)] if inner is not None else [decoder]


@cache
def _letters() -> dict[str, bytes]:
    """GPT-2's alphabet: printable Latin-1 characters are their own bytes, the other bytes are characters from U+0100 on."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    table = {chr(byte): bytes([byte]) for byte in own}
    return {**table, **{chr(0x100 + number): bytes([byte]) for number, byte in enumerate(others)}}
