"""Rows that bring their own text or ids: what a chat template must leave alone, as pieces for the encoder."""

from __future__ import annotations

import re
from collections.abc import Sequence

from swift.llm.core import Conversation, Encoded, Segment
from swift.llm.template.render import CUT, PLAIN, Atom
from swift.llm.template.tools import RefusedError
from swift.llm.tokenizer import TextTokenizer

__all__ = ["WrittenRows", "is_written"]


def is_written(conversation: Conversation, *, continues: bool) -> bool:
    """Whether the row is rendered here. ``continues``: the template itself continues texts, and knows how one begins."""
    if conversation.segments:
        return not (continues and len(conversation.messages) == 1)
    return conversation.encoded is not None


class WrittenRows:
    """Segments and ids of rows for one tokenizer; ``everything``: what the row masks is trained, too."""

    def __init__(self, tokenizer: TextTokenizer, everything: bool) -> None:
        self._ids = tokenizer.special_tokens
        self._vocab_size = tokenizer.vocab_size
        self._everything = everything
        bos = tokenizer.bos_token or ""
        self._names = {
            "{bos}": bos,
            "{auto_bos}": bos if tokenizer.starts_with_bos else "",
            "{eos}": tokenizer.eos_token or "",
        }
        longest_first = sorted(self._ids, key=len, reverse=True)
        self._control = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")") if longest_first else None

    def atoms(self, conversation: Conversation, generate: bool = False) -> list[Atom]:
        """The pieces of one row; ``generate``: up to where its last answer begins. Raises RefusedError for unknown ids."""
        if conversation.encoded is not None:
            return self._given(conversation.encoded)
        segments: Sequence[Segment] = conversation.segments
        if generate:
            last = max((i for i, segment in enumerate(segments) if segment.cut), default=len(segments))
            segments = segments[:last]
        out: list[Atom] = []
        for segment in segments:
            trained = segment.train or self._everything
            if segment.cut:
                out.append(CUT)
            if not segment.special:
                out.append((segment.text, PLAIN, trained, segment.weight))
                continue
            text = self._names.get(segment.text, segment.text)
            pieces = [text] if self._control is None else self._control.split(text)
            out += [(piece, self._ids.get(piece, PLAIN), trained, segment.weight) for piece in pieces if piece]
        if generate:
            out.append(CUT)
        return out

    def _given(self, encoded: Encoded) -> list[Atom]:
        ids, trained = encoded.input_ids.tolist(), encoded.trained.tolist()
        if max(ids) >= self._vocab_size:
            raise RefusedError(f"token id {max(ids):,}, the tokenizer has {self._vocab_size:,}: made with another one")
        return [("", id_, flag, 1.0) for id_, flag in zip(ids, trained, strict=True)]
