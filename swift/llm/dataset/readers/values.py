"""JSON values one after the other: a list of rows, or objects that span lines. Read in blocks: memory is that of one row.

A row that is not JSON is lost alone if its end is found by its brackets; otherwise nobody can tell what is a row behind it.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from swift.llm.dataset.readers.content import Content
from swift.llm.dataset.readers.lines import DECODER, checked, json_lines, why_not_json
from swift.llm.dataset.readers.rows import MAX_ROW, Meter, Read, Spot, Unusable, broken_end, clip
from swift.utils.errors import DataError

__all__ = ["json_file"]

_BLANK = re.compile(r"[ \t\n\r]*")
_NEXT = re.compile(r"[ \t\n\r]*,?[ \t\n\r]*\{")
_MARKS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)
_HEAD = 1 << 20


def json_file(path: Path, start: Spot, meter: Meter) -> Iterator[Read]:
    """Read ``.json`` and ``.jsonl`` alike: what the file holds decides, its name only where that leaves it open."""
    head = _head(path)
    if _is_lines(head, path):
        return json_lines(path, start, meter)
    return _values(path, start, meter, is_list=head.lstrip().startswith("["))


def _head(path: Path) -> str:
    parts: list[bytes] = []
    with closing(Content(path)) as content:
        while sum(map(len, parts)) < _HEAD and (block := content.read()):
            parts.append(block)
    return b"".join(parts).decode("utf-8", "surrogateescape")


def _is_lines(head: str, path: Path) -> bool:
    text = head.lstrip()
    named = path.name.lower().find(".jsonl") > 0 or path.name.lower().find(".ndjson") > 0
    first, newline, rest = text.partition("\n")
    if text.startswith("["):
        return bool(rest.strip()) and _is_json(first.rstrip().rstrip(","))
    if not text.startswith("{"):
        return named
    try:
        _, end = DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        # a broken first line of JSON lines is told with its number; a broken object of many lines is not JSON lines
        return named or (bool(newline) and first.rstrip().endswith(("}", "},")))
    return "\n" not in text[:end] and (named or bool(newline and rest.strip()))


def _is_json(text: str) -> bool:
    try:
        DECODER.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


class _Window:
    """A part of the content as text: ``at`` the place in it, ``line`` and ``offset`` (bytes) of that place in the file."""

    def __init__(self, content: Content, start: Spot) -> None:
        self._content = content
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.text = ""
        self.at = 0
        self.offset, self.line = start.offset, start.line + 1
        self.ended = False

    def grow(self) -> None:
        """Let go of what lies behind and read about as much again as there is."""
        parts = [self.text[self.at :]]
        wanted = max(len(parts[0]), 1 << 16)
        while wanted > 0 and not self.ended:
            block = self._content.read()
            self.ended = not block
            parts.append(self._decoder.decode(block, self.ended))
            wanted -= len(parts[-1])
        self.text, self.at = "".join(parts), 0

    def move(self, at: int) -> str:
        """Go on to ``at`` in the text; return what was passed."""
        piece = self.text[self.at : at]
        self.offset += len(piece) if piece.isascii() else len(piece.encode("utf-8", "surrogateescape"))
        self.line += piece.count("\n")
        self.at = at
        return piece

    def peek(self) -> str:
        """The next character that is not blank, none at the end; the place is before it then."""
        while True:
            self.move(_BLANK.match(self.text, self.at).end())  # type: ignore[union-attr]
            if self.at < len(self.text):
                return self.text[self.at]
            if self.ended:
                return ""
            self.grow()

    def next_object(self) -> tuple[int, Any] | None:
        """The line and the value of the object that is next, behind a comma; None where anything is out of the ordinary."""
        found = _NEXT.match(self.text, self.at)
        if found is None:
            return None
        begin = found.end() - 1
        try:
            value, end = DECODER.raw_decode(self.text, begin)
            piece = self.text[self.at : end]
            size = len(piece) if piece.isascii() else len(piece.encode())
        except (ValueError, RecursionError):
            return None
        line = self.line + self.text.count("\n", self.at, begin)
        self.line = line + self.text.count("\n", begin, end)
        self.offset, self.at = self.offset + size, end
        return line, checked(value, piece)

    def value(self) -> Any:
        """Read one value, or give it as ``Unusable``. Raises ValueError or RecursionError where its end is not found."""
        while True:
            try:
                value, end = DECODER.raw_decode(self.text, self.at)
                if end < len(self.text) or self.ended:  # a number at the edge may go on
                    break
            except (ValueError, RecursionError) as error:
                closed = _closing(self.text, self.at)
                if closed is not None:
                    broken = Unusable(why_not_json(_shifted(error, self.at), self.text[self.at : closed]))
                    self.move(closed)
                    return broken
                if self.ended:
                    raise _shifted(error, self.at) from None
            if len(self.text) - self.at > MAX_ROW:
                raise ValueError(f"one value is longer than {MAX_ROW >> 20} MiB")
            self.grow()
        begin = self._content.begin + self.offset
        piece = self.move(end)
        try:
            piece.isascii() or piece.encode()
        except UnicodeEncodeError as error:
            at = begin + len(piece[: error.start].encode("utf-8", "surrogateescape"))
            return Unusable(f"not UTF-8 (byte {ord(piece[error.start]) - 0xDC00:#04x} at offset {at:,})")
        return checked(value, piece)


def _shifted(error: ValueError | RecursionError, at: int) -> ValueError | RecursionError:
    """The same error, its column counted from ``at``."""
    if isinstance(error, json.JSONDecodeError):
        return json.JSONDecodeError(error.msg, error.doc[at : error.pos + 40], error.pos - at)
    return error


def _closing(text: str, at: int) -> int | None:
    """The end of the value that begins at ``at``, by its brackets; None where they do not close."""
    depth = 0
    if text[at] not in "[{":
        found = re.compile(r"[,\]}\n]").search(text, at + 1)
        return found.start() if found else None
    for mark in _MARKS.finditer(text, at):
        kind = mark[0]
        if kind == '"':
            return None  # a text that does not end
        if kind in ("{", "["):
            depth += 1
        elif kind in ("}", "]"):
            depth -= 1
            if depth == 0:
                return mark.end()
    return None


def _values(path: Path, start: Spot, meter: Meter, *, is_list: bool) -> Iterator[Read]:
    num_rows = 0
    with closing(Content(path, start.offset)) as content:
        meter.tell = content.tell
        window = _Window(content, start)
        if not start.offset:
            if not window.peek():
                if content.damage is not None:
                    yield from broken_end(path, start, content.damage, rows_before=False)
                return
            if is_list:
                window.move(window.at + 1)
            elif window.peek() != "{":
                _refuse(path, window)
        before = bool(start.offset)
        while True:
            while before and (found := window.next_object()) is not None:
                yield window.offset, window.line - 1, *found
            while window.peek() == ",":  # one too many is forgiven
                window.move(window.at + 1)
            mark = window.peek()
            spot = Spot(window.offset, window.line - 1)
            if not mark:
                if content.damage is not None or is_list:
                    why = content.damage or "the list is not closed; expected ',' or ']'"
                    yield from broken_end(path, spot, why, rows_before=before)
                return
            if is_list and mark == "]":
                window.move(window.at + 1)
                if window.peek():
                    spot = Spot(window.offset, window.line - 1)
                    yield from broken_end(path, spot, "there is more after the list", rows_before=before)
                return
            line = window.line
            try:
                value = window.value()
            except (ValueError, RecursionError) as error:
                why = content.damage or why_not_json(error, window.text[window.at : window.at + 200])
                if not isinstance(error, json.JSONDecodeError | RecursionError):
                    why = str(error)
                yield from broken_end(path, spot, why, rows_before=before)
                return
            if not is_list and not before and not num_rows and not window.peek() and content.damage is None:
                _refuse_object(path, value)
            num_rows, before = num_rows + 1, True
            yield window.offset, window.line - 1, line, value


def _refuse(path: Path, window: _Window) -> None:
    try:
        value = window.value()
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}:{window.line}: {why_not_json(error, window.text[:200])}") from None
    if isinstance(value, Unusable):
        raise DataError(f"{path}:{window.line}: {value.reason}")
    raise DataError(
        f"{path}: holds {type(value).__name__} {clip(repr(value))}; expected a list of rows: [{{...}}, {{...}}]."
    )


def _refuse_object(path: Path, value: Any) -> None:
    if isinstance(value, Unusable):
        raise DataError(f"{path}: {value.reason}. Expected a list of rows: [{{...}}, {{...}}].")
    lists = [key for key, inner in value.items() if isinstance(inner, list)]
    hint = f" Its rows seem to be under {lists[0]!r}: save that list by itself." if lists else ""
    raise DataError(
        f"{path}: holds one JSON object; expected a list of rows: [{{...}}, {{...}}].{hint} If the object is one row, put it in a list."
    )
