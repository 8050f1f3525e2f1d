"""The engine's tokens as text and log-probabilities together: what a stop string cuts off is cut off from both.

Knows no template and no engine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from swift.llm.chat.detokenize import Detokenizer
from swift.llm.chat.logprobs import LogprobText, TextLogprob
from swift.llm.core import Tokenizer
from swift.llm.engine.protocol import TokenLogprob

__all__ = ["TextReader"]


class TextReader:
    """One answer as it is read. ``logprob_text`` None: nobody asked for log-probabilities.

    A token's log-probability is let out with the first character of its text; a token whose text begins behind a stop string
    that ended the answer is cut with it.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str], logprob_text: LogprobText | None) -> None:
        self._detokenizer = Detokenizer(tokenizer, stop)
        self._logprob_text = logprob_text
        self._waiting: deque[tuple[int, TextLogprob]] = (
            deque()
        )  # where a token's text begins, and what is to be said of it

    @property
    def stopped(self) -> str | None:
        """The stop string that ended the answer."""
        return self._detokenizer.stopped

    def push(
        self, ids: Sequence[int], logprobs: Sequence[TokenLogprob], *, is_end: bool
    ) -> tuple[str, tuple[TextLogprob, ...]]:
        """Take new tokens; returns the text and the log-probabilities that can be let out."""
        detokenizer = self._detokenizer
        if self._logprob_text is None or not logprobs:
            text = detokenizer.push(ids)
        else:
            text = ""
            for token, logprob in zip(ids, logprobs, strict=True):
                self._waiting.append((detokenizer.num_characters, self._logprob_text.of(logprob)))
                text += detokenizer.push((token,))
                if detokenizer.stopped is not None:
                    break
        if is_end:
            text += detokenizer.finish()
        return text, tuple(self._let_out(is_end))

    def _let_out(self, is_end: bool) -> list[TextLogprob]:
        shown = len(self._detokenizer.text)
        everything = is_end and self.stopped is None
        out = []
        while self._waiting and (everything or self._waiting[0][0] < shown):
            out.append(self._waiting.popleft()[1])
        return out
