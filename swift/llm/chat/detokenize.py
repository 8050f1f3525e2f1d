"""New token ids to new text, in whole characters, with stop strings held back until they are certain.

Knows no template and no engine; only a tokenizer's ``decode``.
"""

from __future__ import annotations

from collections.abc import Sequence

from swift.llm.core import Tokenizer

__all__ = ["Detokenizer"]

_BROKEN = "\ufffd"  # what decoders write for bytes that are no whole character (yet)


class Detokenizer:
    """The text of one answer as it grows. ``text`` is all that was let out; ``stopped`` the stop string that ended it.

    Only the ids since the last but one clean border are decoded again, so a long answer costs no more a token than a short
    one; decoding from a border on is what keeps the blank that many decoders drop at the beginning of a text.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(word for word in stop if word)
        self._window: list[int] = []  # ids from the last but one clean border on
        self._border = 0  # how many of them lie before the last border
        self._known = ""  # what of the window's text is in `text` or `_held`
        self._held = ""  # whole characters that may be the beginning of a stop string
        self.text = ""
        self.stopped: str | None = None

    @property
    def num_characters(self) -> int:
        """Whole characters read so far, those that are held back included."""
        return len(self.text) + len(self._held)

    def push(self, ids: Sequence[int]) -> str:
        """Take new ids; returns the new text that is safe to show (often empty in the middle of a character)."""
        if self.stopped is not None or not ids:
            return ""
        self._window.extend(ids)
        text = self._tokenizer.decode(self._window)
        whole = text.rstrip(_BROKEN)
        # A decoder may take back what it said of bytes (all bytes in a row broken while the last is): wait for the end.
        fresh = whole[len(self._known) :] if whole.startswith(self._known) else ""
        if fresh:
            self._known = whole
        if whole == text and whole == self._known:
            self._window, self._border = self._window[self._border :], len(self._window) - self._border
            self._known = self._tokenizer.decode(self._window)
        return self._let_out(fresh, is_end=False)

    def finish(self) -> str:
        """Let out the rest: a broken character as it is, and what only looked like a stop string."""
        if self.stopped is not None:
            return ""
        text = self._tokenizer.decode(self._window)
        return self._let_out(text[len(self._known) :], is_end=True)

    def _let_out(self, fresh: str, *, is_end: bool) -> str:
        held = self._held + fresh
        found = [(place, word) for word in self._stop if (place := held.find(word)) >= 0]
        if found:
            place, self.stopped = min(found, key=lambda pair: (pair[0], -len(pair[1])))
            held, self._held = held[:place], ""
        else:
            keep = 0 if is_end else max((_overlap(held, word) for word in self._stop), default=0)
            self._held = held[len(held) - keep :]
            held = held[: len(held) - keep]
        self.text += held
        return held


def _overlap(text: str, word: str) -> int:
    """How many characters at the end of ``text`` are a beginning of ``word``."""
    for size in range(min(len(text), len(word) - 1), 0, -1):
        if text.endswith(word[:size]):
            return size
    return 0
