"""Grammars bound to a tokenizer: which tokens may come next so that the answer stays what the grammar allows.

The kept library is llguidance; it is imported when the first grammar is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from swift.llm.chat.json_space import JSON_SPACE
from swift.llm.core import Grammar
from swift.llm.tokenizer import TextTokenizer
from swift.utils.errors import DataError, EngineError
from swift.utils.lazy import require

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

__all__ = ["Constrainer", "TokenConstraint"]


class Constrainer:
    """Makes the constraint of one answer from its grammar: ``Constrainer(tokenizer, stop_ids)(grammar)``.

    ``stop_ids`` may come once the grammar is fulfilled, and then end the answer; other control tokens only where a grammar
    names them. Used by several threads at once.
    """

    def __init__(self, tokenizer: TextTokenizer, stop_ids: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        eos = tokenizer.eos_token_id
        self._stop_ids = tuple(dict.fromkeys((*stop_ids, *(() if eos is None else (eos,)))))
        self._made: LLTokenizer | None = None
        self._lock = Lock()

    def __call__(self, grammar: Grammar) -> TokenConstraint:
        """Raises DataError that says what is wrong with the grammar."""
        require("llguidance>=1.3,<2", extra="infer")
        from llguidance import LLMatcher

        # sentencepiece writes a blank before the first word, which its decoder drops
        blank = self._tokenizer.space_mark != "never"
        matcher = LLMatcher(self._bound(), _written(grammar, LLMatcher, blank), log_level=0)
        if matcher.is_error():
            raise DataError(f"{_TITLES[grammar.kind]} cannot be followed: {_reason(matcher.get_error())}")
        return TokenConstraint(matcher, self._stop_ids)

    def _bound(self) -> LLTokenizer:
        with self._lock:
            if self._made is None:
                from llguidance import LLTokenizer

                if not self._stop_ids:
                    raise DataError("a grammar needs a token that ends the answer; this tokenizer has no eos_token.")
                self._made = LLTokenizer(self._tokenizer.backend.to_str(), eos_token=list(self._stop_ids))
            return self._made


_TITLES = {
    "json_object": "a JSON object",
    "json_schema": "the JSON schema",
    "regex": "the regular expression",
    "lark": "the Lark grammar",
}


def _written(grammar: Grammar, library: type[LLMatcher], blank: bool) -> str:
    """The grammar as the library takes it; ``blank``: JSON may have a blank in front."""
    try:
        if grammar.kind in ("json_object", "json_schema"):
            schema = {"type": "object"} if grammar.kind == "json_object" else _schema(grammar.text)
            if blank and isinstance(schema, dict):
                spaced = json.dumps({**schema, "x-guidance": JSON_SPACE}, ensure_ascii=False)
                return library.grammar_from_lark(f'start: " "? value\nvalue: %json {spaced}\n')
            return library.grammar_from_json_schema(schema, defaults=JSON_SPACE)
        if grammar.kind == "regex":
            return library.grammar_from_regex(grammar.text)
        return library.grammar_from_lark(grammar.text)
    except ValueError as error:
        raise DataError(f"{_TITLES[grammar.kind]} cannot be followed: {_reason(str(error))}") from None


def _schema(text: str) -> Any:
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"the JSON schema is not JSON: {error}.") from None
    if not isinstance(schema, dict | bool):
        raise DataError(f"the JSON schema is a {type(schema).__name__}; an object is expected.")
    return schema


def _reason(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return (" ".join(lines[:3]) if lines else "no reason is given").rstrip(".") + "."


class TokenConstraint:
    """Follows one answer; see `swift.llm.engine.protocol.Constraint`. ``logits`` may be a tensor or a numpy array."""

    def __init__(self, matcher: LLMatcher, stop_ids: Sequence[int]) -> None:
        self._matcher = matcher
        self._stop_ids = frozenset(stop_ids)
        self._done = False

    def mask(self, logits: Any) -> Any:
        """Set what may not come next to -inf, in place: ``logits`` (V,); ids that the tokenizer lacks (padding) never come.

        Raises EngineError where the library gives up (a grammar that grew beyond its bounds).
        """
        size = logits.shape[-1]
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        if self._matcher.is_error():
            raise EngineError(f"the grammar could not be followed any further: {_reason(self._matcher.get_error())}")
        allowed = np.unpackbits(bits, bitorder="little")[:size].astype(bool)
        forbidden = np.ones(size, dtype=bool)
        forbidden[: len(allowed)] = ~allowed
        if isinstance(logits, np.ndarray):
            logits[forbidden] = -np.inf
            return logits
        return logits.masked_fill_(logits.new_tensor(forbidden).bool(), float("-inf"))

    def accept(self, token: int) -> None:
        """``token`` was chosen. Raises EngineError for one that may not come."""
        if self._done:
            raise EngineError(f"token {token} after the end of what the grammar allows.")
        if token in self._stop_ids and self._matcher.is_accepting():
            self._done = True
            return
        if not self._matcher.consume_token(token):
            raise EngineError(
                f"token {token} is not what the grammar allows here: {_reason(self._matcher.get_error())}"
            )
        self._done = self._matcher.is_stopped()

    @property
    def is_done(self) -> bool:
        """Whether nothing may follow."""
        return self._done
