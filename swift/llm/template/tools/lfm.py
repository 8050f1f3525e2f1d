"""LFM2 (Liquid AI): calls written as a list of Python calls between control tokens."""

from __future__ import annotations

import ast
import json
import keyword
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
    end = rest.rfind(_END)
    body = rest[:end].strip() if end >= 0 else rest.strip()
    if not mark or not (body.startswith("[") and body.endswith("]")):
        return text, ()
    calls = []
    place, last = 1, len(body) - 1
    while place < last:
        start = body.find("(", place)
        close = _closing(body, start)
        if start < 0 or close is None:
            return text, ()
        calls.append(ToolCall(body[place:start].strip(), _read(body[start + 1 : close])))
        place = close + 1
        while place < last and body[place] in ", \n":
            place += 1
    after = rest[end + len(_END) :] if end >= 0 else ""
    return (before + after, tuple(calls)) if calls else (text, ())


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


def _read(arguments: str) -> dict[str, Any] | str:
    """Keyword arguments as an object; anything else stays text."""
    try:
        call = ast.parse(f"f({arguments})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            return arguments
        read: dict[str, Any] = {}
        for one in call.keywords:
            value = ast.literal_eval(one.value)
            read.update(value if one.arg is None else {one.arg: value})
    except (SyntaxError, ValueError, TypeError, RecursionError):
        return arguments
    return read


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
