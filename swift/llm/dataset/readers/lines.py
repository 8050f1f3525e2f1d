"""A row a line: JSON lines and plain text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from swift.llm.dataset.readers.content import Content, TooLongError
from swift.llm.dataset.readers.rows import Meter, Read, Spot, Unusable, broken_end, clip, has_half_pair

__all__ = ["DECODER", "checked", "json_lines", "plain_lines", "why_not_json"]

_BLANK = " \t\r\n"


def _constant(name: str) -> float | None:
    """NaN is how pandas writes that there is no value; the infinities are numbers."""
    return None if name == "NaN" else float(name.replace("Infinity", "inf"))


DECODER = json.JSONDecoder(parse_constant=_constant)


def json_lines(path: Path, start: Spot, meter: Meter) -> Iterator[Read]:
    """Read JSON lines. A comma behind a row is forgiven, several values on a line are several rows."""
    scan = DECODER.raw_decode
    for begin, offset, line, text in _lines(path, start, meter):
        if isinstance(text, Unusable):
            yield offset, line, line, text
            continue
        row = text.strip(_BLANK)
        if not row:
            continue
        if row[0] == ",":  # left over from the value before, where a stream goes on within a line
            yield from _several(text, begin, offset, line)
            continue
        try:
            value, end = scan(row)
        except (ValueError, RecursionError) as error:
            yield offset, line, line, Unusable(why_not_json(error, row))
            continue
        if end == len(row):
            yield offset, line, line, checked(value, row)
        else:
            yield from _several(text, begin, offset, line)


def _several(text: str, begin: int, offset: int, line: int) -> Iterator[Read]:
    """Read the values of one line, which begins at byte ``begin`` and ends before ``offset``."""
    at, size = 0, len(text.rstrip(_BLANK))
    while True:
        while at < size and text[at] in _BLANK + ",":
            at += 1
        if at == size:
            return
        try:
            value, end = DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield offset, line, line, Unusable(why_not_json(error, text[at:]))
            return
        rest = text[end:size].strip(_BLANK + ",")
        behind = (begin + len(text[:end].encode()), line - 1) if rest else (offset, line)
        yield *behind, line, checked(value, text[at:end])
        at = end


def plain_lines(path: Path, start: Spot, meter: Meter) -> Iterator[Read]:
    """Read a text file: each line that is not blank is a row ``{"text": line}``."""
    for _, offset, line, text in _lines(path, start, meter):
        if isinstance(text, Unusable):
            yield offset, line, line, text
        elif text.strip():
            yield offset, line, line, {"text": text.rstrip("\r\n")}


def _lines(path: Path, start: Spot, meter: Meter) -> Iterator[tuple[int, int, int, str | Unusable]]:
    """Give the offset of each line, the one behind it, its number and its text.

    Lines end at ``\\n`` only: other separators of Unicode occur inside of JSON strings.
    """
    offset, line = start.offset, start.line
    any_row = offset > 0
    with closing(Content(path, offset)) as content:
        meter.tell = content.tell
        while True:
            try:
                raw = content.readline()
            except TooLongError as error:
                offset, line = offset + error.size, line + 1
                yield offset, offset, line, Unusable(error.reason)
                continue
            if content.damage is not None and not raw.endswith(b"\n"):
                break
            if not raw:
                return
            begin, offset, line = offset, offset + len(raw), line + 1
            any_row = True
            try:
                yield begin, offset, line, raw.decode()
            except UnicodeDecodeError as error:
                at = content.begin + begin + error.start
                yield begin, offset, line, Unusable(f"not UTF-8 (byte {raw[error.start]:#04x} at offset {at:,})")
        for end, _, number, lost in broken_end(path, Spot(offset, line), content.damage, rows_before=any_row):
            yield offset, end, number, lost


def checked(value: Any, text: str) -> Any:
    """Return a parsed row, or why it cannot be used; ``text`` is what it was parsed from."""
    if "\\u" in text:
        try:
            if has_half_pair(value):
                return Unusable("holds half of a surrogate pair (\\ud800 to \\udfff), which is no character")
        except RecursionError:
            return Unusable("nested too deeply to be read as JSON")
    return value


def why_not_json(error: ValueError | RecursionError, text: str) -> str:
    """Say in one line why ``text`` is not JSON."""
    if isinstance(error, RecursionError):
        return "nested too deeply to be read as JSON"
    if not isinstance(error, json.JSONDecodeError):
        return "holds an integer of more than 4,300 digits"
    near = clip(text[max(error.pos - 15, 0) : error.pos + 25], 40).replace("(", "[").replace(")", "]")
    return f"not JSON: {error.msg.removesuffix(': ')} (column {error.colno}, near {near!r})"
