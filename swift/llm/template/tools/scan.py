"""Reading calls out of text where JSON stands beside other text: one value from a place on, whatever follows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from swift.llm.core import ToolCall
from swift.llm.template.tools.base import Parsed, call_from

_DECODER = json.JSONDecoder()


def value_at(text: str, place: int) -> tuple[Any, int] | None:
    """Return the JSON value that begins at a place (white space before it is skipped) and where it ends; None: there is none."""
    while place < len(text) and text[place].isspace():
        place += 1
    try:
        return _DECODER.raw_decode(text, place)
    except json.JSONDecodeError:
        return None


def calls_from(values: Any, name: str = "name", arguments: str = "arguments") -> tuple[ToolCall, ...] | None:
    """Calls out of a decoded list of objects, None where any of it is no call. ``name``, ``arguments``: their keys."""
    if not isinstance(values, list) or not values:
        return None
    found = []
    for value in values:
        if name != "name" and isinstance(value, dict):
            value = {**value, "name": value.get(name)}
        call = call_from(value, arguments)
        if call is None:
            return None
        found.append(call)
    return tuple(found)


def tagged_calls(text: str, begin: str, end: str, arguments: str = "arguments") -> Parsed:
    """Take calls written as ``begin {"name": ..., arguments: ...} end`` out of a text, several in a row.

    A tag inside a JSON string ends nothing. Arguments that are not JSON stay text. What stands before the first call is the
    content; a text with anything else behind it, or with a broken call, is returned whole.
    """
    start = text.find(begin)
    calls: list[ToolCall] = []
    place = start
    while 0 <= place < len(text):
        if not text.startswith(begin, place):
            return text, ()
        place += len(begin)
        found = value_at(text, place)
        call = call_from(found[0], arguments) if found else None
        if found is not None and call is not None:
            place = found[1]
            close = text.find(end, place)
            if close < 0 or text[place:close].strip():
                return text, ()
        else:
            close = text.find(end, place)
            call = loose_call(text[place:close].strip(), arguments) if close >= 0 else None
            if call is None:
                return text, ()
        calls.append(call)
        place = close + len(end)
        while place < len(text) and text[place].isspace():
            place += 1
    return (text[:start], tuple(calls)) if calls else (text, ())


def listed_calls(text: str, begin: str, end: str) -> Parsed:
    """Take calls written as ``begin [{"name": ..., "arguments": ...}, ...] end`` from the end of a text.

    Arguments of a single call that are not JSON stay text. Where a tag begins no list, the next one is tried; a text without a
    whole list at its end is returned whole.
    """
    start = text.find(begin)
    while start >= 0:
        place = start + len(begin)
        found = value_at(text, place)
        calls = None
        if found is not None and text[found[1] :].strip() == end:
            calls = calls_from(found[0])
        elif text.endswith("]" + end):
            loose = loose_call(text[place + 1 : -len(end) - 1])
            calls = (loose,) if loose is not None else None
        if calls is not None:
            return text[:start].removesuffix("\n"), calls
        start = text.find(begin, place)
    return text, ()


def loose_call(body: str, arguments: str = "arguments") -> ToolCall | None:
    """A call whose arguments are not JSON, as text; None where it is none."""
    head, mark, rest = body.partition(f'", "{arguments}": ')
    if not mark or not head.startswith('{"name": "') or not rest.endswith("}"):
        return None
    return ToolCall(head.removeprefix('{"name": "'), rest[:-1])


def properties_of(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """The described parameters of a function by name, empty where it has none."""
    properties = parameters_of(function).get("properties")
    return properties if isinstance(properties, Mapping) else {}


def parameters_of(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON schema of a function's parameters, empty where it has none."""
    parameters = function.get("parameters")
    return parameters if isinstance(parameters, Mapping) else {}


def text_of(value: Any) -> str:
    """The text that a schema gives for a description; empty where there is none."""
    return "" if value is None else str(value)
