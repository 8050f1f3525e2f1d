"""What a reader gives: a row, where it stands, and where to go on behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swift.utils.errors import DataError
from swift.utils.log import logger

__all__ = ["END", "MAX_ROW", "Meter", "Position", "Read", "Spot", "Unusable", "broken_end", "clip", "has_half_pair"]

MAX_ROW = 1 << 26
"""Bytes (64 MiB) that one row may have; what is longer is a file without line ends, and would fill the memory."""


END = -1
"""The ``offset`` behind the last row of a file whose rest cannot be read: there is nowhere to go on in it."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """What stands in place of a row that the file format itself rejects, without losing its neighbours.

    What differs from row to row (a column, an offset) stands in brackets at the end of ``reason``, so that equal reasons
    can be counted.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Position:
    """The place right behind a row. Plain ints: ``asdict`` is JSON, ``Position(**values)`` reads it back.

    ``file``: number of the file in the source. ``offset``: byte in the decompressed file, counted from behind a byte order
    mark (text formats), or rows of this file before it (parquet, arrow); ``END`` in a file that cannot be read further. ``line``: lines that end before it. ``row``: rows of
    the whole source before it.
    """

    file: int = 0
    offset: int = 0
    line: int = 0
    row: int = 0


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in one file: ``offset`` and ``line`` of a ``Position``."""

    offset: int = 0
    line: int = 0


@dataclass(slots=True)
class Meter:
    """How far a reader is in its file, in bytes as they lie on the disk: for the progress bar only."""

    tell: Callable[[], int] = lambda: 0


Read = tuple[int, int, int, Any]
"""``offset`` and ``line`` of the spot behind the row, the row's own line, its values (or ``Unusable``)."""


def broken_end(path: Path, spot: Spot, why: str, *, rows_before: bool) -> Iterator[Read]:
    """Give the rest of a file, which cannot be read, as one lost row, and say so loudly.

    Raises DataError where no row came before it: then there is nothing to keep.
    """
    if not rows_before:
        raise DataError(f"{path}: {why}. Nothing of it can be read; get or write the file anew.")
    line = spot.line + 1
    logger.warning(
        "%s: %s. The rows before line %d are read; all that follows is lost, and is one line of the row ledger.",
        path, why, line,
    )  # fmt: skip
    yield END, line, line, Unusable(f"the rest of the file cannot be read: {why}")


def has_half_pair(value: Any) -> bool:
    """Whether a text in ``value`` holds half of a surrogate pair, which no tokenizer takes and no file can hold."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def clip(text: str, limit: int = 60) -> str:
    """The beginning of a text, for a message."""
    text = text.strip()
    return text if len(text) <= limit else text[:limit] + "…"
