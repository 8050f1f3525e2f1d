"""Mistral: control tokens of its own, and calls with ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import (
    Fragment,
    Parsed,
    Tool,
    ToolFormat,
    arguments_of,
    call_from,
    function_of,
    load_json,
    to_json,
)
from swift.llm.template.tools.scan import value_at
from swift.llm.template.tools.streaming import Around, Streaming, json_list

# v11 writes an id, v13 none.
_V11_CALL = re.compile(r"\[TOOL_CALLS\]([^\[\]]+)(?:\[CALL_ID\]([^\[\]]*))?\[ARGS\]")


def _mistral_tool(tool: Tool) -> str:
    fields = ", ".join(
        f'"{key}": "{value}"' if isinstance(value, str) else f'"{key}": {to_json(value)}'
        for key, value in function_of(tool).items()
        if key != "return"
    )
    return '{"type": "function", "function": {' + fields + "}}"


def with_ids(messages: Sequence[Message]) -> list[Message]:
    """Give every call and its answer an id of nine letters or digits, which Mistral's format demands.

    An id that is so already stays; others become running numbers. An answer without an id belongs to the oldest open call.
    """
    out: list[Message] = []
    given: dict[str | None, str] = {}
    open_calls: list[str] = []
    number = 0
    for message in messages:
        if message.tool_calls:
            calls = []
            for call in message.tool_calls:
                fits = call.id is not None and re.fullmatch(r"[A-Za-z0-9]{9}", call.id)
                new = str(call.id) if fits else f"{number:09d}"
                number += 1
                given[call.id] = new
                open_calls.append(new)
                calls.append(replace(call, id=new))
            message = replace(message, tool_calls=tuple(calls))
        elif message.role == "tool":
            known = message.tool_call_id is not None and message.tool_call_id in given
            new = given[message.tool_call_id] if known else open_calls[0] if open_calls else f"{number:09d}"
            if new in open_calls:
                open_calls.remove(new)
            message = replace(message, tool_call_id=new)
        out.append(message)
    return out


def _mistral(space: str) -> dict[str, Any]:
    def describe(tools: Sequence[Tool]) -> list[Fragment]:
        listed = "[" + ", ".join(map(_mistral_tool, tools)) + "]"
        return [("[AVAILABLE_TOOLS]" + space, True), (listed, False), ("[/AVAILABLE_TOOLS]", True)]

    def write_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
        written = ", ".join(
            f'{{"name": {to_json(call.name)}, "arguments": {arguments_of(call)}, "id": "{call.id}"}}' for call in calls
        )
        return [("[TOOL_CALLS]" + space, True), ("[" + written + "]", False)]

    def results(messages: Sequence[Message]) -> list[Fragment]:
        out: list[Fragment] = []
        for message in messages:
            body = f'{{"content": {message.content}, "call_id": "{message.tool_call_id}"}}'
            out += [("[TOOL_RESULTS]" + space, True), (body, False), ("[/TOOL_RESULTS]", True)]
        return out

    return {"describe": describe, "calls": write_calls, "results": results}


def _v11_describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [("[AVAILABLE_TOOLS]", True), (to_json(list(tools)), False), ("[/AVAILABLE_TOOLS]", True)]


def _v11_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = []
    for call in calls:
        out += [
            ("[TOOL_CALLS]", True),
            (call.name, False),
            ("[CALL_ID]", True),
            (str(call.id), False),
            ("[ARGS]", True),
            (arguments_of(call), False),
        ]
    return out


def _v11_results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = []
    for message in messages:
        out += [
            ("[TOOL_RESULTS]", True),
            (str(message.tool_call_id), False),
            ("[TOOL_CONTENT]", True),
            (message.content, False),
            ("[/TOOL_RESULTS]", True),
        ]
    return out


def _v11_parse(text: str) -> Parsed:
    first = _V11_CALL.search(text)
    call = first
    calls: list[ToolCall] = []
    while call is not None:
        found = value_at(text, call.end())
        end = found[1] if found is not None and isinstance(found[0], dict) else text.find("[TOOL_CALLS]", call.end())
        end = len(text) if end < 0 else end
        body = text[call.end() : end]
        calls.append(ToolCall(call[1], found[0] if found is not None and isinstance(found[0], dict) else body, call[2]))
        call = _V11_CALL.match(text, end)
        if call is None and text[end:].strip():
            return text, ()
    return (text[: first.start()], tuple(calls)) if first is not None else (text, ())


def _mistral_parse(text: str) -> Parsed:
    content, mark, body = text.partition("[TOOL_CALLS]")
    values = load_json(body.strip()) if mark else None
    calls = [call_from(value) for value in values] if isinstance(values, list) else []
    found = tuple(call for call in calls if call is not None)
    return (content, found) if found and len(found) == len(calls) else (text, ())


_STREAMING = Streaming(begins=("[TOOL_CALLS]",), follows="[", around=json_list(r"\[TOOL_CALLS\]"))
_V11_ONE = r"\[TOOL_CALLS\](?P<name>[^\[\]]+)(?:\[CALL_ID\][^\[\]]*)?\[ARGS\]\s*(?=\{)"

FORMATS = (
    ToolFormat(
        name="mistral",
        place="before_last_user",
        parse=_mistral_parse,
        streaming=_STREAMING,
        bare=True,
        ids=with_ids,
        **_mistral(" "),
    ),
    ToolFormat(
        name="mistral_nemo",
        place="before_last_user",
        parse=_mistral_parse,
        streaming=_STREAMING,
        bare=True,
        ids=with_ids,
        **_mistral(""),
    ),
    ToolFormat(
        name="mistral_v11",
        place="before_last_user",
        describe=_v11_describe,
        calls=_v11_calls,
        results=_v11_results,
        parse=_v11_parse,
        streaming=Streaming(begins=("[TOOL_CALLS]",), around=Around(re.compile(_V11_ONE), re.compile(_V11_ONE), "")),
        ids=with_ids,
    ),
)
