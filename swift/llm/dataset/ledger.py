"""What became of every row: the row ledger, the counts for people, and the decision whether too much was lost."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from swift.llm.core import Encoded
from swift.utils.errors import DataError
from swift.utils.files import atomic_write
from swift.utils.log import logger

__all__ = ["DataReport", "LedgerLine", "SourceReport", "judge", "write_ledger"]

WRONG_TYPE = "wrong type"
_MANY = 0.1
"""The share of a source's rows from which on one reason is a problem of the source, and is explained."""
_DETAILS = re.compile(r" \((?:column|byte|lines) .*\)$")
_TOO_LONG = re.compile(r"[\d,]+ tokens, limit ([\d,]+)")


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One row that was lost or cut. ``row`` is its number in the source, from 0; ``tokens`` what it had before."""

    source: str
    line: int
    row: int
    action: Literal["lost", "cut"]
    reason: str
    tokens: int = 0
    split: Literal["train", "val"] = "train"

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """The fields of a line of the ledger file."""
        return {
            "source": self.source, "line": self.line, "action": self.action, "reason": self.reason,
            "tokens": self.tokens, "split": self.split,
        }  # fmt: skip

    @property
    def group(self) -> str:
        """The reason without what is of this one row (numbers, and what stands in brackets at the end), for counting."""
        match = _TOO_LONG.match(self.reason)
        return f"over {match[1]} tokens" if match else _DETAILS.sub("", self.reason)


@dataclass(frozen=True, slots=True)
class SourceReport:
    """Counts of one source: ``read`` rows, of them ``drawn`` (by ``#count``), of them ``kept`` and ``lost``.

    ``split_rows`` were longer than a block and became several samples. ``train_samples`` counts repeats; ``tokens`` and
    ``trained`` are of all samples of training and validation; ``empty_turns`` counts turns without text in rows that were kept.
    """

    label: str
    read: int
    drawn: int
    kept: int
    lost: Mapping[str, int]
    cut: int
    cut_tokens: int
    split_rows: int
    train_samples: int
    val_samples: int
    tokens: int
    trained: int
    empty_turns: int = 0

    @property
    def num_lost(self) -> int:
        """Rows lost for any reason."""
        return sum(self.lost.values())

    def line(self) -> str:
        """Say it in one line."""
        drawn = f", drawn {self.drawn:,}" if self.drawn != self.read else ""
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.lost.items())
        lost = f"lost {self.num_lost:,} ({reasons})" if reasons else "lost 0"
        cut = f"cut {self.cut:,}" + (f" ({self.cut_tokens:,} tokens)" if self.cut else "")
        split = f", split {self.split_rows:,} rows into blocks" if self.split_rows else ""
        samples = f"{self.train_samples:,} samples" + (
            f" + {self.val_samples:,} for validation" if self.val_samples else ""
        )
        return (
            f"{self.label}: read {self.read:,}{drawn}, kept {self.kept:,}, {lost}, {cut}{split}; "
            f"{samples}, {self.tokens:,} tokens, {self.trained:,} trained"
        )


@dataclass(frozen=True, slots=True)
class DataReport:
    """All sources, all lost and cut rows, and the first three training samples."""

    sources: tuple[SourceReport, ...]
    ledger: tuple[LedgerLine, ...]
    first_rows: tuple[Encoded, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return one line a source, a total where there are several, and the notes (packing)."""
        lines = [source.line() for source in self.sources]
        if len(self.sources) > 1:
            lines.append(
                f"all: read {sum(s.read for s in self.sources):,}, kept {sum(s.kept for s in self.sources):,}, "
                f"lost {sum(s.num_lost for s in self.sources):,}, cut {sum(s.cut for s in self.sources):,}; "
                f"{sum(s.train_samples for s in self.sources):,} samples + "
                f"{sum(s.val_samples for s in self.sources):,} for validation, {sum(s.tokens for s in self.sources):,} tokens"
            )
        return [*lines, *self.notes]


def count_reasons(lines: Sequence[LedgerLine]) -> dict[str, int]:
    """Count lost rows by reason, the most frequent first."""
    return dict(Counter(line.group for line in lines if line.action == "lost").most_common())


def write_ledger(path: Path, lines: Sequence[LedgerLine]) -> None:
    """Write one JSON line for each lost or cut row, whole or not at all; an empty file says that there is none."""
    with atomic_write(path) as file:
        for line in lines:
            file.write(json.dumps(line.to_json(), ensure_ascii=False) + "\n")


def judge(
    label: str, drawn: int, lines: Sequence[LedgerLine], *,
    strict: bool, check_strategy: str, max_lost_ratio: float, max_length: int | None,
    advise: Callable[[str], str] | None = None,
) -> None:  # fmt: skip
    """Raise DataError if a source lost more of its ``drawn`` rows than the run allows; warn where that is asked for.

    ``advise`` says what to do about a reason; a reason that many rows share is explained, whether the run goes on or not.
    """
    lost = [line for line in lines if line.action == "lost"]
    wrong = [line for line in lost if line.reason.startswith(WRONG_TYPE)]
    if wrong and check_strategy == "error":
        raise DataError(
            f"{label}: {_rows(wrong)} of the wrong type, and --check_dataset_strategy is error:{_examples(wrong)}"
        )
    if wrong and check_strategy == "warning":
        logger.warning("%s: %s of the wrong type dropped:%s", label, _rows(wrong), _examples(wrong))
    if lost and strict:
        raise DataError(
            f"{label}: {_rows(lost)} cannot be used, and --strict_data is true: {_reasons(lost)}:{_examples(lost)}\n"
            "Repair them, or leave --strict_data out: they are then dropped and listed in the row ledger."
        )
    explained = _explained(lost, drawn, advise)
    if not lost or not drawn or (len(lost) / drawn <= max_lost_ratio and len(lost) < drawn):
        if explained:
            logger.warning("%s: %s", label, explained)
        return  # none drawn: a source that is still being read
    lengths = [line.tokens for line in lost if _TOO_LONG.match(line.reason)]
    advice = "Repair these rows, or allow more with --max_lost_ratio."
    if len(lengths) == len(lost) == drawn:
        raise DataError(
            f"{label}: all {drawn:,} rows are over --max_length {max_length}: the shortest has {min(lengths):,} tokens, the "
            f"longest {max(lengths):,}. Give --max_length {max(lengths)}, or keep the end of each row with "
            "--truncation_strategy truncation_left."
        )
    if lengths:
        advice = (
            f"The longest row has {max(lengths):,} tokens: give a larger --max_length, or --truncation_strategy "
            f"truncation_left; repair the others, or allow more with --max_lost_ratio."
        )
    share = f"all {drawn:,} rows" if len(lost) == drawn else f"{len(lost):,} of {drawn:,} rows"
    limit = "" if len(lost) == drawn else f" (more than --max_lost_ratio {max_lost_ratio:g})"
    raise DataError(f"{label}: {share} lost{limit}: {_reasons(lost)}:{_examples(lost)}\n{explained}{advice}")


def _explained(lost: Sequence[LedgerLine], drawn: int, advise: Callable[[str], str] | None) -> str:
    """The most frequent reason and what to do about it, where it took a good part of the rows; a line, or nothing."""
    if not lost or not drawn or advise is None:
        return ""
    reason, count = Counter(line.reason for line in lost).most_common(1)[0]
    advice = advise(reason) if count / drawn >= _MANY else ""
    return f"{count:,} of {drawn:,} rows: {reason}. {advice}\n" if advice else ""


def _rows(lines: Sequence[LedgerLine]) -> str:
    return f"{len(lines):,} row" + ("s" if len(lines) != 1 else "")


def _reasons(lines: Sequence[LedgerLine]) -> str:
    reasons = list(count_reasons(lines).items())
    more = f" and {len(reasons) - 8} more reasons" if len(reasons) > 8 else ""
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons[:8]) + more


def _examples(lines: Sequence[LedgerLine], limit: int = 5) -> str:
    shown = "".join(f"\n  {line}" for line in lines[:limit])
    return shown + (f"\n  … and {len(lines) - limit:,} more" if len(lines) > limit else "")
