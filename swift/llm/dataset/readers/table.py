"""csv and tsv. Empty strings stay empty strings; a quoted field may span lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from swift.llm.dataset.readers.content import Content, TooLongError
from swift.llm.dataset.readers.rows import MAX_ROW, Meter, Read, Spot, Unusable, broken_end
from swift.utils.errors import DataError

__all__ = ["table"]


class _DamagedError(Exception):
    """The content ended before its end."""


class _Lines:
    """Lines for ``csv.reader``, which asks for one when it needs it: so ``offset`` and ``line`` are behind the last row."""

    def __init__(self, content: Content, spot: Spot) -> None:
        self._content = content
        self.offset, self.line = spot.offset, spot.line
        self.bad: str | None = None  # why a line since the last look is not UTF-8

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        try:
            raw = self._content.readline()
        except TooLongError as error:
            self.offset, self.line = self.offset + error.size, self.line + 1
            raise
        if self._content.damage is not None and not raw.endswith(b"\n"):
            raise _DamagedError
        if not raw:
            raise StopIteration
        begin = self._content.begin + self.offset
        self.offset, self.line = self.offset + len(raw), self.line + 1
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            self.bad = f"not UTF-8 (byte {raw[error.start]:#04x} at offset {begin + error.start:,})"
            return raw.decode("utf-8", "surrogateescape")


def table(path: Path, start: Spot, meter: Meter) -> Iterator[Read]:
    """Read a table with a header. A row with more or fewer fields than the header is lost."""
    csv.field_size_limit(MAX_ROW)  # texts are longer than the 128 KiB that csv allows a field
    delimiter = "\t" if ".tsv" in path.suffixes[-2:] else ","
    with closing(Content(path)) as content:
        lines = _Lines(content, Spot())
        header = _header(path, lines, delimiter)
        behind = Spot(lines.offset, lines.line)
    if header is None:
        return
    spot = start if start.offset else behind
    with closing(Content(path, spot.offset)) as content:
        meter.tell = content.tell
        lines = _Lines(content, spot)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            line = lines.line + 1
            lost: str | None = None
            fields: list[str] = []
            try:
                fields = next(reader)
            except StopIteration:
                return
            except _DamagedError:
                rest = Spot(lines.offset, line - 1)
                yield from broken_end(path, rest, str(content.damage), rows_before=lines.line > behind.line)
                return
            except TooLongError as error:
                lost = error.reason
            except csv.Error as error:
                lost = _why(error, line, lines.line)
            lost, lines.bad = lines.bad or lost, None
            if lost is None and not fields:
                continue
            if lost is None and len(fields) != len(header):
                lost = f"{len(fields)} fields, the header has {len(header)}"
            yield lines.offset, lines.line, line, Unusable(lost) if lost else dict(zip(header, fields, strict=True))


def _header(path: Path, lines: _Lines, delimiter: str) -> list[str] | None:
    try:
        header = next((row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row), None)
    except _DamagedError:
        raise DataError(f"{path}: the file is damaged or cut off in its header. Get or write it anew.") from None
    except (csv.Error, TooLongError) as error:
        why = str(error)
        if why.startswith("new-line character"):
            why = "its lines end with a carriage return alone, as on old Macs; save it with line ends \\n"
        raise DataError(f"{path}:1: the header is not one that csv can read: {why}") from None
    if lines.bad is not None:
        raise DataError(f"{path}:1: the header is {lines.bad}. Save the file as UTF-8.")
    if header is not None and len(set(header)) != len(header):
        raise DataError(f"{path}:1: the header names a column twice: {', '.join(header)}")
    return header


def _why(error: csv.Error, first: int, last: int) -> str:
    if "unexpected end of data" in str(error):
        return f"a quote is opened and never closed, up to the end of the file (lines {first:,} to {last:,})"
    return f"not a row that csv can read: {str(error)[:100]}"
