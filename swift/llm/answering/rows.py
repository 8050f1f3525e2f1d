"""Answers to the rows of a data set: read, answer in batches, show, write, score. Every row ends as an answer or as a loss."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from swift.llm.answering.choosing import choose, drawn, told_logprobs
from swift.llm.answering.result import result_row
from swift.llm.answering.showing import Bar, Printer, Question
from swift.llm.answering.unfinished import ResultFile, ledger_path, open_result
from swift.llm.chat.service import Answer, ChatService
from swift.llm.core import Conversation, Dropped, Place, Sampling
from swift.llm.dataset import read_conversations
from swift.llm.dataset.ledger import LedgerLine
from swift.llm.media.sources import located
from swift.llm.plan.plans import DataPlan, InferPlan
from swift.llm.scoring.likelihood import measure
from swift.llm.scoring.texts import compare
from swift.llm.template import Template
from swift.utils.errors import DataError, EngineError
from swift.utils.files import write_json_atomic
from swift.utils.log import logger

__all__ = ["Question", "Rows", "RowsResult", "answer_rows", "metrics_path", "read_rows"]

SHOWN_ONE_BY_ONE = 100
"""Fewer rows than this are printed as they are answered; more get a progress bar."""


@dataclass(slots=True)
class Rows:
    """The rows to answer, and those that could not become a question."""

    questions: list[Question] = field(default_factory=list)
    lost: list[LedgerLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RowsResult:
    """What came out: one object a row answered (as written to ``path``), the lost rows, and scores.

    ``scores`` are percent, but for ``perplexity``; ``num_labels``: over how many rows. ``metrics``: the file that holds them.
    """

    rows: tuple[dict[str, Any], ...]
    lost: tuple[LedgerLine, ...]
    scores: dict[str, float]
    path: Path | None
    num_labels: int = 0
    metrics: Path | None = None

    def lines(self) -> list[str]:
        """Counts, scores and where the answers are."""
        total = len(self.rows) + len(self.lost)
        lines = [f"answered {len(self.rows):,} of {total:,} rows"]
        if self.lost:
            reasons = Counter(line.group for line in self.lost).most_common(5)
            lines[0] += "; lost " + ", ".join(f"{count:,}: {reason}" for reason, count in reasons)
        if self.scores:
            width = max(map(len, self.scores))
            lines.append(f"scores of {self.num_labels:,} rows with a label")
            for name, value in self.scores.items():
                lines.append(f"  {name:<{width}}  {value:8.2f}{'' if name == 'perplexity' else ' %'}")
        if self.path is not None and self.rows:
            lines.append(f"answers: {self.path}")
        if self.metrics is not None:
            lines.append(f"scores: {self.metrics}")
        if self.path is not None and self.lost:
            lines.append(f"lost rows: {ledger_path(self.path)}")
        return lines


def metrics_path(result: Path) -> Path:
    """Where the scores of a result file are."""
    return result.with_suffix(".metrics.json")


def read_rows(plan: DataPlan, limit: int, *, images: bool = False) -> Rows:
    """The first ``limit`` (-1: all) validation rows as questions; those with ``images`` where these are answered.

    Paths of images begin at the row's file, else at the folder one is in.

    Raises DataError where there are none, or at the first row that cannot be used if the plan is strict.
    """
    rows = Rows()
    found = read_conversations(plan, which="val")
    for row in islice(found, limit if limit >= 0 else None):
        question = _question(row, images)
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


def _question(row: Conversation | Dropped, images: bool) -> Question | Dropped:
    if isinstance(row, Dropped):
        return row
    kinds = sorted({media.kind for media in row.media} - ({"image"} if images else set()))
    if kinds:
        return Dropped(
            f"has {', '.join(kinds)}, and only text{' and images are' if images else ' is'} answered", row.place
        )
    if row.media:
        folders = (*((Path(row.place.source).parent,) if row.place is not None else ()), Path.cwd())
        row = replace(row, media=tuple(located(media, folders) for media in row.media))
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
    """Answer the questions in their order; whole lines are written as the answers come, then the scores.

    An interrupted run keeps what it has answered, and goes on there when it is started again. Raises DataError for a row
    without an answer if the plan is strict, EngineError where the engine lacks what the plan asks for.
    """
    _check(plan, service)
    with open_result(plan, rows.questions, rows.lost, service.template) as result:
        _answer(plan, rows.questions, service, sampling, result)
        scores, num_labels, note = _scores(plan, rows.questions, service, result.rows)
        if note is not None:
            logger.warning("perplexity and token accuracy of the labels are not measured: %s", note)
        metrics = metrics_path(result.path) if result.path is not None and scores else None
        if metrics is not None:
            counts = {"rows": len(result.rows), "lost": len(result.lost), "labels": num_labels}
            write_json_atomic(metrics, {**counts, "scores": scores})
    return RowsResult(tuple(result.rows), tuple(result.lost), scores, result.path, num_labels, metrics)


def _check(plan: InferPlan, service: ChatService) -> None:
    most = service.engine.limits.logprobs
    for asked, count in (("--result_logprobs", plan.logprobs), ("--best_by logprob", _ranking(plan))):
        if count is not None and (most is None or count > most):
            raise EngineError(
                f"{asked}: needs log-probabilities with {count} alternatives; the engine {plan.backend} gives"
                f" {'none' if most is None else f'at most {most}'}."
            )


def _ranking(plan: InferPlan) -> int | None:
    """How many alternatives choosing needs beside each token (none), if it needs log-probabilities."""
    return 0 if plan.best_of > 1 and plan.best_by == "logprob" else None


def _answer(
    plan: InferPlan, questions: Sequence[Question], service: ChatService, sampling: Sampling, result: ResultFile
) -> None:
    verbose = plan.verbose if plan.verbose is not None else len(questions) < SHOWN_ONE_BY_ONE
    streams = plan.stream and plan.best_of == 1
    show = Printer(questions, service.template, streams) if verbose else Bar(len(questions), result.first)
    on_text = show.text if isinstance(show, Printer) and streams else None
    is_whole = False
    try:
        for number, answers in _answers(plan, questions, service, sampling, result.first, on_text):
            question = questions[number]
            chosen = choose(answers, plan.best_by)
            answer = answers[chosen]
            show.answered(number, answer, sum(one.num_tokens for one in answers))
            if answer.error is None:
                row = result_row(question.conversation, answer.text, question.label, service.template)
                if plan.best_of > 1:
                    row["responses"] = drawn(answers, chosen)
                if plan.logprobs is not None:
                    row["logprobs"] = told_logprobs(answer)
                result.add(row)
                continue
            line = _lost(Dropped(answer.error.rstrip("."), question.conversation.place), number)
            if plan.data is not None and plan.data.strict:
                raise DataError(f"{line}.")
            result.lose(line)
        is_whole = True
    finally:
        show.close()
        if not is_whole and result.path is not None and result.rows:
            logger.warning(
                "%s holds the first %s answers; the same command again goes on there",
                result.path,
                f"{len(result.rows):,}",
            )


def _answers(
    plan: InferPlan,
    questions: Sequence[Question],
    service: ChatService,
    sampling: Sampling,
    first: int,
    on_text: Any,
) -> Iterator[tuple[int, list[Answer]]]:
    """Row number and all answers drawn for it, from row ``first`` on. Answer ``i`` of a row has the seed after that of ``i - 1``."""
    several = plan.best_of
    logprobs = plan.logprobs
    if several > 1 and logprobs is None and service.engine.limits.logprobs is not None:
        logprobs = 0  # for the choice
    answers = service.answers(
        (question.conversation for question in questions[first:] for _ in range(several)),
        sampling,
        max_batch=plan.max_batch_size,
        on_text=on_text,
        first=first * several,
        adapter=plan.default_adapter,
        logprobs=logprobs,
    )
    for number in range(first, len(questions)):
        yield number, list(islice(answers, several))


def _scores(
    plan: InferPlan, questions: Sequence[Question], service: ChatService, rows: Sequence[dict[str, Any]]
) -> tuple[dict[str, float], int, str | None]:
    """Scores of the rows with a label, their number, and why the labels' likelihood is not among them, if it is not."""
    labelled = [(row["response"], row["label"]) for row in rows if row["label"] is not None]
    if not labelled:
        return {}, 0, None
    pairs = [_comparable(service.template, *pair) for pair in labelled]
    scores = compare([answer for answer, _ in pairs], [label for _, label in pairs])
    if not plan.score_labels:
        return scores, len(labelled), None
    asked = [(one.conversation, one.label) for one in questions if one.label is not None]
    num_all = len(asked)
    if not service.engine.limits.media:
        asked = [pair for pair in asked if not pair[0].media]
    if len(asked) < num_all:
        logger.warning(
            "perplexity and token accuracy are without %s labels of rows with images: the engine %s does not measure them",
            f"{num_all - len(asked):,}", plan.backend,
        )  # fmt: skip
    if not asked:
        return scores, len(labelled), None
    try:
        found = asyncio.run(
            measure(
                service.engine,
                service.template,
                asked,
                service.prepare,
                adapter=plan.default_adapter,
                max_batch=plan.max_batch_size,
            )
        )
    except EngineError as error:
        return scores, len(labelled), str(error)
    if found.num_skipped:
        logger.warning(
            "%s labels are not measured: with their prompts they are too long, or an image cannot be read",
            f"{found.num_skipped:,}",
        )
    return {**scores, **found.scores()}, len(labelled), None


def _comparable(template: Template, response: str, label: str) -> tuple[str, str]:
    """An answer and its label as they are compared: reasoning counts only where the label has it, too."""
    read = template.parse(response)
    if read.reasoning is None or template.parse(label).reasoning is not None:
        return response, label
    return read.content, label
