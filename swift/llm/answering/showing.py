"""Answers to rows on the screen: each row, or a progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.answering.result import system_of
from swift.llm.chat.service import Answer
from swift.llm.core import Conversation
from swift.llm.template import Template
from swift.utils.log import logger

__all__ = ["Bar", "Printer", "Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """A row without its last answer, and that answer (None where it had none)."""

    conversation: Conversation
    label: str | None


class Bar:
    """A progress bar on standard error; where that is no terminal, a line for each tenth of the rows."""

    def __init__(self, total: int, done: int = 0) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, initial=done, unit="row", file=sys.stderr, disable=None)
        self._total = total
        self._tokens = 0
        self._begun = time.monotonic()

    def answered(self, number: int, answer: Answer, num_tokens: int) -> None:
        """One row further; ``num_tokens`` of all answers to it."""
        self._tokens += num_tokens
        speed = self._tokens / max(time.monotonic() - self._begun, 1e-9)
        self._bar.update()
        self._bar.set_postfix_str(f"{self._tokens:,} tokens, {speed:,.0f} tokens/s", refresh=False)
        if self._bar.disable and (number + 1) * 10 // self._total > number * 10 // self._total:
            logger.info(
                "answered %s of %s rows, %s tokens, %s tokens/s",
                f"{number + 1:,}", f"{self._total:,}", f"{self._tokens:,}", f"{speed:,.0f}",
            )  # fmt: skip

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


class Printer:
    """Each row with its answer on standard output; with ``stream`` the answer appears as it is written."""

    def __init__(self, questions: Sequence[Question], template: Template, stream: bool) -> None:
        self._questions = questions
        self._template = template
        self._stream = stream
        self._begun = -1

    def _begin(self, number: int) -> None:
        if self._begun == number:
            return
        self._begun = number
        conversation = self._questions[number].conversation
        system = system_of(conversation, self._template)
        if system:
            print(f"[SYSTEM] {system}")
        for message in conversation.messages[:-1]:
            if message.role != "system":
                print(f"[HISTORY {message.role}] {message.content}")
        print(f"[QUERY] {conversation.messages[-1].content}\n[RESPONSE] ", end="", flush=True)

    def text(self, number: int, text: str) -> None:
        """A piece of the answer of the row whose turn it is."""
        self._begin(number)
        print(text, end="", flush=True)

    def answered(self, number: int, answer: Answer, num_tokens: int) -> None:
        """The rest of a row: what was not streamed, and its label."""
        self._begin(number)
        print("" if self._stream else answer.text, end="")
        print(f"[no answer: {answer.error}]" if answer.error is not None else "")
        label = self._questions[number].label
        if label is not None:
            print(f"[LABEL] {label}")
        print("-" * 50, flush=True)

    def close(self) -> None:
        """Nothing is left open."""
