"""Result files that a run left unfinished, and going on with them.

Beside a result file lies ``<name>.run.json`` while its run goes on: the fingerprint of rows and settings. A run that ends well
removes it. A later run with the same fingerprint in the same folder takes the file over: its rows are compared with the
questions they answer, a last line that was cut off is dropped, and only what is missing is answered.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from swift.llm.answering.result import result_row
from swift.llm.answering.showing import Question
from swift.llm.dataset.ledger import LedgerLine
from swift.llm.plan.plans import InferPlan
from swift.llm.template import Template
from swift.utils.files import append_jsonl, disk_error, write_json_atomic
from swift.utils.locks import try_locked
from swift.utils.log import logger

__all__ = ["ResultFile", "fingerprint", "ledger_path", "open_result"]

RUN = ".run.json"
WEIGHTS = (".safetensors", ".bin", ".pt")


def ledger_path(result: Path) -> Path:
    """Where the lost rows of a result file are listed."""
    return result.with_name(result.stem + ".row_ledger.jsonl")


@dataclass(slots=True)
class ResultFile:
    """The answers of one run as they are written. ``path`` None: they are kept in memory only.

    ``rows`` and ``lost`` hold what an earlier run left as well. ``first``: the question to go on with.
    """

    path: Path | None
    rows: list[dict[str, Any]] = field(default_factory=list)
    lost: list[LedgerLine] = field(default_factory=list)
    first: int = 0

    def add(self, row: dict[str, Any]) -> None:
        """Write an answered row."""
        self.rows.append(row)
        if self.path is not None:
            append_jsonl(self.path, row)

    def lose(self, *lines: LedgerLine) -> None:
        """Write rows that have no answer."""
        self.lost += lines
        if self.path is not None and lines:
            append_jsonl(ledger_path(self.path), *map(asdict, lines))


@contextmanager
def open_result(
    plan: InferPlan, questions: Sequence[Question], lost: Sequence[LedgerLine], template: Template
) -> Iterator[ResultFile]:
    """The plan's result file, or an unfinished one of the same rows and settings; ``lost`` became no question.

    While the block runs no other process takes the file over; if it ends well the file is finished.
    """
    if plan.result_path is None:
        yield ResultFile(None, lost=list(lost))
        return
    mark = fingerprint(plan, questions, template)
    with ExitStack() as held:
        found = _take_over(plan, mark, questions, lost, template, held) if plan.resume else None
        if found is None:
            found = ResultFile(Path(plan.result_path))
            run = found.path.with_suffix(RUN)  # type: ignore[union-attr]
            write_json_atomic(run, {"fingerprint": mark, "rows": len(questions)})
            held.enter_context(try_locked(run))
            found.lose(*lost)
        yield found
    _run_of(found).unlink(missing_ok=True)


def _run_of(found: ResultFile) -> Path:
    assert found.path is not None
    return found.path.with_suffix(RUN)


def fingerprint(plan: InferPlan, questions: Sequence[Question], template: Template) -> str:
    """sha256 (hex) over all that decides about the answers: weights, template, sampling, and the rows."""
    digest = hashlib.sha256()
    folders = [plan.model.path, plan.adapter, *(adapter.path for adapter in plan.adapters)]
    settings = {
        "model": asdict(plan.model),
        "adapter": plan.adapter,
        "adapters": [asdict(adapter) for adapter in plan.adapters],
        "default_adapter": plan.default_adapter,
        "merge": plan.merge is not None,
        "backend": plan.backend,
        "template": template.fingerprint,
        "generate": asdict(plan.generate),
        "context": plan.context,
        "best": [plan.best_of, plan.best_by, plan.logprobs],
        "weights": [_weights(Path(folder)) for folder in folders if folder is not None],
    }
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    for question in questions:
        row = {**asdict(question.conversation), "place": None, "label": question.label}
        digest.update(json.dumps(row, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _weights(folder: Path) -> list[list[Any]]:
    """Name, size and time of the weight files: another training wrote others."""
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS)
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]


def _take_over(
    plan: InferPlan,
    mark: str,
    questions: Sequence[Question],
    lost: Sequence[LedgerLine],
    template: Template,
    held: ExitStack,
) -> ResultFile | None:
    """The newest unfinished result file with this fingerprint that nobody writes to, read; None where there is none."""
    folder = Path(str(plan.result_path)).parent
    for run in sorted(folder.glob("*" + RUN), reverse=True) if folder.is_dir() else ():
        if _mark_of(run) != mark:
            continue
        with ExitStack() as trial:
            if not trial.enter_context(try_locked(run)):
                continue
            path = run.with_name(run.name.removesuffix(RUN) + ".jsonl")
            found = _read(path, questions, lost, template)
            if found is None:
                logger.warning("%s does not hold the answers to these rows; a new file is begun", path)
                continue
            logger.info(
                "going on with %s: %s of %s rows are there (--resume false begins anew)",
                path, f"{found.first:,}", f"{len(questions):,}",
            )  # fmt: skip
            held.push(trial.pop_all())
            return found
    return None


def _mark_of(run: Path) -> str | None:
    """The fingerprint in a run's file; None for a file that is none of ours, or gone meanwhile."""
    try:
        value = json.loads(run.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value.get("fingerprint") if isinstance(value, dict) else None


def _read(
    path: Path, questions: Sequence[Question], lost: Sequence[LedgerLine], template: Template
) -> ResultFile | None:
    """What an earlier run wrote, if each line answers the question in its turn."""
    try:
        rows, ledger = _lines(path), _lines(ledger_path(path))
        unanswered = [LedgerLine(**line) for line in ledger[len(lost) :]]
    except (ValueError, TypeError):  # somebody else's lines
        return None
    if len(ledger) < len(lost):
        return None
    skipped = {line.row for line in unanswered}
    first = len(rows) + len(unanswered)
    turns = [number for number in range(min(first, len(questions))) if number not in skipped]
    if len(turns) != len(rows) or not skipped <= set(range(first)):
        return None
    for row, number in zip(rows, turns, strict=True):
        question = questions[number]
        expected = result_row(question.conversation, str(row.get("response")), question.label, template)
        if any(row.get(key) != value for key, value in json.loads(json.dumps(expected)).items()):
            return None
    return ResultFile(path, rows, [*lost, *unanswered], first)


def _lines(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file; what is left of a line whose writing was cut off is removed from it."""
    if not path.is_file():
        return []
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        try:
            os.truncate(path, whole)
        except OSError as error:
            raise disk_error(error, path) from error
    return [json.loads(line) for line in data[:whole].splitlines() if line.strip()]
