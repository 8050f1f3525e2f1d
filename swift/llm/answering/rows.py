"""Answers to the rows of a data set: read, answer in batches, show, write, score. Every row ends as an answer or as a loss."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from swift.llm.answering.result import result_row, system_of
from swift.llm.chat.service import Answer, ChatService
from swift.llm.core import Conversation, Dropped, Place, Sampling
from swift.llm.dataset import read_conversations
from swift.llm.dataset.ledger import LedgerLine
from swift.llm.plan.plans import DataPlan, InferPlan
from swift.utils.errors import DataError
from swift.utils.files import append_jsonl
from swift.utils.log import logger
from swift.utils.text_metrics import text_scores

__all__ = ["Question", "Rows", "RowsResult", "answer_rows", "read_rows"]

SHOWN_ONE_BY_ONE = 100
"""Fewer rows than this are printed as they are answered; more get a progress bar."""


@dataclass(frozen=True, slots=True)
class Question:
    """A row without its last answer, and that answer (None where it had none)."""

    conversation: Conversation
    label: str | None


@dataclass(slots=True)
class Rows:
    """The rows to answer, and those that could not become a question."""

    questions: list[Question] = field(default_factory=list)
    lost: list[LedgerLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RowsResult:
    """What came out: one object a row answered (as written to ``path``), the lost rows, and scores in percent."""

    rows: tuple[dict[str, Any], ...]
    lost: tuple[LedgerLine, ...]
    scores: dict[str, float]
    path: Path | None

    def lines(self) -> list[str]:
        """Counts, scores and where the answers are."""
        total = len(self.rows) + len(self.lost)
        lines = [f"answered {len(self.rows):,} of {total:,} rows"]
        if self.lost:
            reasons = Counter(line.group for line in self.lost).most_common(5)
            lines[0] += "; lost " + ", ".join(f"{count:,}: {reason}" for reason, count in reasons)
        if self.scores:
            lines.append("  ".join(f"{name} {value:.2f}" for name, value in self.scores.items()) + "  (percent)")
        if self.path is not None and self.rows:
            lines.append(f"answers: {self.path}")
        if self.path is not None and self.lost:
            lines.append(f"lost rows: {ledger_path(self.path)}")
        return lines


def ledger_path(result: Path) -> Path:
    """Where the lost rows of a result file are listed."""
    return result.with_name(result.stem + ".row_ledger.jsonl")


def read_rows(plan: DataPlan, limit: int) -> Rows:
    """The first ``limit`` (-1: all) validation rows as questions.

    Raises DataError where there are none, or at the first row that cannot be used if the plan is strict.
    """
    rows = Rows()
    found = read_conversations(plan, which="val")
    for row in islice(found, limit if limit >= 0 else None):
        question = _question(row)
        if isinstance(question, Question):
            rows.questions.append(question)
            continue
        line = _lost(question, len(rows.questions) + len(rows.lost))
        if plan.strict:
            raise DataError(
                f"{line}. --strict_data false (and --check_dataset_strategy none) lists such rows and goes on."
            )
        if plan.check_strategy == "warning":
            logger.warning("%s", line)
        rows.lost.append(line)
    if not rows.questions:
        lost = f" All {len(rows.lost):,} were lost: {rows.lost[0]}." if rows.lost else ""
        raise DataError(f"there are no rows to answer in {' '.join((*plan.val_dataset, *plan.dataset))}.{lost}")
    return rows


def _question(row: Conversation | Dropped) -> Question | Dropped:
    if isinstance(row, Dropped):
        return row
    if row.media:
        kinds = ", ".join(sorted({media.kind for media in row.media}))
        return Dropped(f"has {kinds}, and only text is answered", row.place)
    label = None
    if row.messages and row.messages[-1].role == "assistant":
        label = row.messages[-1].content
        row = replace(row, messages=row.messages[:-1])
    if all(message.role == "system" for message in row.messages):
        return Dropped("has no question", row.place)
    return Question(row, label)


def _lost(dropped: Dropped, number: int) -> LedgerLine:
    place = dropped.place or Place("", 0)
    return LedgerLine(place.source, place.line, number, "lost", dropped.reason, dropped.tokens, "val")


def answer_rows(plan: InferPlan, rows: Rows, service: ChatService, sampling: Sampling) -> RowsResult:
    """Answer the questions in their order; whole lines are written as the answers come.

    An interrupted run keeps what it has answered. Raises DataError for a row without an answer if the plan is strict.
    """
    path = Path(plan.result_path) if plan.result_path is not None else None
    written: list[dict[str, Any]] = []
    lost = list(rows.lost)
    if path is not None and lost:
        append_jsonl(ledger_path(path), *map(asdict, lost))
    verbose = plan.verbose if plan.verbose is not None else len(rows.questions) < SHOWN_ONE_BY_ONE
    show = _Printer(rows, service, plan.stream) if verbose else _Bar(len(rows.questions))
    try:
        for number, answer in enumerate(_answers(plan, rows, service, sampling, show)):
            question = rows.questions[number]
            show.answered(number, answer)
            if answer.error is None:
                written.append(result_row(question.conversation, answer.text, question.label, service.template))
                if path is not None:
                    append_jsonl(path, written[-1])
                continue
            line = _lost(Dropped(answer.error.rstrip("."), question.conversation.place), number)
            if plan.data is not None and plan.data.strict:
                raise DataError(f"{line}.")
            lost.append(line)
            if path is not None:
                append_jsonl(ledger_path(path), asdict(line))
    finally:
        show.close()
        if len(written) + len(lost) < len(rows.questions) + len(rows.lost) and path is not None and written:
            logger.warning("%s holds the first %s answers", path, f"{len(written):,}")
    pairs = [(row["response"], row["label"]) for row in written if row["label"] is not None]
    scores = text_scores([response for response, _ in pairs], [label for _, label in pairs])
    return RowsResult(tuple(written), tuple(lost), scores, path)


def _answers(
    plan: InferPlan, rows: Rows, service: ChatService, sampling: Sampling, show: _Printer | _Bar
) -> Iterator[Answer]:
    return service.answers(
        (question.conversation for question in rows.questions),
        sampling,
        max_batch=plan.max_batch_size,
        on_text=show.text if isinstance(show, _Printer) and plan.stream else None,
    )


class _Bar:
    """A progress bar on standard error; where that is no terminal, a line for each tenth of the rows."""

    def __init__(self, total: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, unit="row", file=sys.stderr, disable=None)
        self._total = total
        self._tokens = 0

    def answered(self, number: int, answer: Answer) -> None:
        """One row further."""
        self._tokens += answer.num_tokens
        self._bar.update()
        self._bar.set_postfix(tokens=self._tokens, refresh=False)
        if self._bar.disable and (number + 1) * 10 // self._total > number * 10 // self._total:
            logger.info("answered %s of %s rows, %s tokens", f"{number + 1:,}", f"{self._total:,}", f"{self._tokens:,}")

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


class _Printer:
    """Each row with its answer on standard output; with ``stream`` the answer appears as it is written."""

    def __init__(self, rows: Rows, service: ChatService, stream: bool) -> None:
        self._rows = rows
        self._service = service
        self._stream = stream
        self._begun = -1

    def _begin(self, number: int) -> None:
        if self._begun == number:
            return
        self._begun = number
        conversation = self._rows.questions[number].conversation
        system = system_of(conversation, self._service.template)
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

    def answered(self, number: int, answer: Answer) -> None:
        """The rest of a row: what was not streamed, and its label."""
        self._begin(number)
        print("" if self._stream else answer.text, end="")
        print(f"[no answer: {answer.error}]" if answer.error is not None else "")
        label = self._rows.questions[number].label
        if label is not None:
            print(f"[LABEL] {label}")
        print("-" * 50, flush=True)

    def close(self) -> None:
        """Nothing is left open."""
