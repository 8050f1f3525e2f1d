"""LFM2 (Liquid AI): calls written as a list of Python calls between control tokens.

The reader takes what such a call can say in JSON, in Python's spelling or in JSON's own, and never evaluates anything.
"""

from __future__ import annotations

import json
import keyword
import math
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, to_json
from swift.llm.template.tools.streaming import Streaming

_BEGIN, _END = "<|tool_call_start|>", "<|tool_call_end|>"


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [
        ("List of tools: <|tool_list_start|>[", True),
        (", ".join(map(to_json, tools)), False),
        ("]<|tool_list_end|>", True),
    ]


def _literal(value: Any) -> str:
    """A value as a Python literal, with text as JSON quotes it (Python reads that, too)."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(value)


def _written(call: ToolCall) -> str:
    if isinstance(call.arguments, str):
        return f"{call.name}({call.arguments})"
    named = {key: value for key, value in call.arguments.items() if _is_name(key)}
    others = {key: value for key, value in call.arguments.items() if key not in named}
    parts = [f"{key}={_literal(value)}" for key, value in named.items()]
    return f"{call.name}({', '.join([*parts, *([f'**{_literal(others)}'] if others else [])])})"


def _is_name(key: str) -> bool:
    return key.isascii() and key.isidentifier() and not keyword.iskeyword(key)


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    return [(_BEGIN, True), ("[" + ", ".join(map(_written, calls)) + "]", False), (_END, True), (content, False)]


def _results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = []
    for message in messages:
        out += [("<|tool_response_start|>", True), (message.content, False), ("<|tool_response_end|>", True)]
    return out


def _parse(text: str) -> Parsed:
    before, mark, rest = text.partition(_BEGIN)
    place = _blank(rest, 0)
    if not mark or not rest.startswith("[", place):
        return text, ()
    calls: list[ToolCall] = []
    place = _blank(rest, place + 1)
    while not rest.startswith("]", place):
        named = _CALLED.match(rest, place)
        found = _arguments(rest, named.end()) if named is not None else None
        if named is None or found is None:
            return text, ()
        calls.append(ToolCall(named["name"], found[0]))
        place = _blank(rest, found[1])
        if rest.startswith(",", place):
            place = _blank(rest, place + 1)
        elif not rest.startswith("]", place):
            return text, ()
    place = _blank(rest, place + 1)
    if not calls or (place < len(rest) and not rest.startswith(_END, place)):
        return text, ()
    return before + rest[place + len(_END) :], tuple(calls)


def _blank(text: str, place: int) -> int:
    """The next place that is no white space."""
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _arguments(text: str, place: int) -> tuple[dict[str, Any] | str, int] | None:
    """What stands behind an opening bracket, and the place behind the closing one; None where nothing closes it.

    Arguments by name, and ``**{...}``, are an object; anything else stays text.
    """
    try:
        return _named(text, place)
    except (_OtherError, RecursionError):
        close = _closing(text, place - 1)
        return None if close is None else (text[place:close], close + 1)


def _named(text: str, place: int) -> tuple[dict[str, Any], int]:
    read: dict[str, Any] = {}
    place = _blank(text, place)
    while not text.startswith(")", place):
        if text.startswith("**", place):
            more, place = _value(text, place + 2)
            if not isinstance(more, dict):
                raise _OtherError
        else:
            key = _KEY.match(text, place)
            if key is None:
                raise _OtherError
            value, place = _value(text, key.end())
            more = {key["name"]: value}
        if more.keys() & read.keys():
            raise _OtherError
        read.update(more)
        place = _next(text, place, ")")
    return read, place + 1


def _next(text: str, place: int, close: str) -> int:
    """The place of what follows a value: behind a comma, or the bracket that closes."""
    place = _blank(text, place)
    if text.startswith(",", place):
        return _blank(text, place + 1)
    if not text.startswith(close, place):
        raise _OtherError
    return place


def _value(text: str, place: int) -> tuple[Any, int]:
    """One literal that JSON can say, and where it ends; JSON's own words are read, too. Raises _OtherError for anything else."""
    place = _blank(text, place)
    plain = _PLAIN.match(text, place)
    if plain is not None:
        return _plain(plain), plain.end()
    letter = text[place : place + 1]
    if letter in ("[", "("):
        return _many(text, place + 1, "]" if letter == "[" else ")")
    if letter != "{":
        raise _OtherError
    read: dict[str, Any] = {}
    place = _blank(text, place + 1)
    while not text.startswith("}", place):
        key, place = _value(text, place)
        place = _blank(text, place)
        if not isinstance(key, str) or not text.startswith(":", place):
            raise _OtherError
        read[key], place = _value(text, place + 1)
        place = _next(text, place, "}")
    return read, place + 1


def _many(text: str, place: int, close: str) -> tuple[list[Any], int]:
    values = []
    place = _blank(text, place)
    while not text.startswith(close, place):
        value, place = _value(text, place)
        values.append(value)
        place = _next(text, place, close)
    if close == ")" and len(values) == 1:
        raise _OtherError  # brackets around a value, or a tuple of one: nobody writes either
    return values, place + 1


def _plain(found: re.Match[str]) -> Any:
    if found["word"]:
        return _WORDS[found["word"]]
    if found["number"]:
        try:
            number = int(found["number"]) if found["number"].lstrip("+-").isdigit() else float(found["number"])
        except ValueError:  # more digits than Python takes
            raise _OtherError from None
        if isinstance(number, float) and not math.isfinite(number):
            raise _OtherError
        return number
    text = found[0]
    size = 3 if text[:3] in ('"""', "'''") else 1
    read = _ESCAPE.sub(_escaped, text[size:-size])
    # JSON writes what lies beyond 16 bits as two escapes.
    return read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _escaped(found: re.Match[str]) -> str:
    digits = found["hex"]
    if digits is None:
        return _ESCAPES.get(found[0][1], found[0])
    code = int(digits[1:], 16)
    return chr(code) if code <= sys.maxunicode else found[0]


def _closing(text: str, start: int) -> int | None:
    """The place of the bracket that closes the one at `start`; brackets inside quotes do not count."""
    depth, quote, place = 0, "", start
    while 0 <= place < len(text):
        letter = text[place]
        if quote:
            if letter == "\\":
                place += 1
            elif letter == quote:
                quote = ""
        elif letter in "\"'":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if depth == 0:
                return place
        place += 1
    return None


class _OtherError(Exception):
    """What stands there is no literal that JSON can say."""


_CALLED = re.compile(r"""(?P<name>[^\s()\[\]{}'"=,]+)\s*\(""")
_KEY = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*=(?!=)", re.ASCII)
_WORDS = {"True": True, "False": False, "None": None, "true": True, "false": False, "null": None}
_PLAIN = re.compile(
    rf"""(?P<word>{"|".join(_WORDS)})\b
    | (?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![\w.])
    | \"\"\"(?:[^\\]|\\.)*?\"\"\" | '''(?:[^\\]|\\.)*?''' | "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*'""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:(?P<hex>x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|.)", re.DOTALL)
# Python keeps the backslash of what it does not know; JSON knows the slash, too.
_ESCAPES = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0", "\n": "",
    "\\": "\\", "'": "'", '"': '"', "/": "/",
}  # fmt: skip

FORMATS = (
    ToolFormat(
        name="lfm2",
        place="system",
        join="\n",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        streaming=Streaming(begins=(_BEGIN,), follows="[", ends=_END, goes_on=True),
    ),
)
