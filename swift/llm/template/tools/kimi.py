"""Kimi K2: calls with ids that hold the tool's name and a running number; answers refer to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, arguments_of, to_json
from swift.llm.template.tools.scan import value_at
from swift.llm.template.tools.streaming import Around, Streaming

_SECTION, _SECTION_END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
_CALL, _ARGUMENTS, _CALL_END = "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"
_HEAD = re.compile(re.escape(_CALL) + r"\s*(?:functions\.)?(.+?):(\d+)\s*" + re.escape(_ARGUMENTS))


def numbered(messages: Sequence[Message]) -> list[Message]:
    """Number the calls through the conversation; an answer belongs to the oldest call that has none yet."""
    out: list[Message] = []
    waiting: list[str] = []
    number = 0
    for message in messages:
        if message.tool_calls:
            calls = []
            for call in message.tool_calls:
                calls.append(replace(call, id=f"functions.{call.name}:{number}"))
                number += 1
            waiting += [str(call.id) for call in calls]
            message = replace(message, tool_calls=tuple(calls))
        elif message.role == "tool":
            id_ = waiting.pop(0) if waiting else f"functions.{message.name or 'unknown'}:{number}"
            message = replace(message, tool_call_id=id_)
        out.append(message)
    return out


def numbered_by_turn(messages: Sequence[Message]) -> list[Message]:
    """Number the calls of each turn from 0; answers keep the ids that the data gives them, or get those of the calls."""
    out: list[Message] = []
    waiting: list[str] = []
    for message in messages:
        if message.tool_calls:
            calls = [replace(call, id=f"functions.{call.name}:{i}") for i, call in enumerate(message.tool_calls)]
            waiting = [str(call.id) for call in calls]
            message = replace(message, tool_calls=tuple(calls))
        elif message.role == "tool":
            oldest = waiting.pop(0) if waiting else ""
            if message.tool_call_id is None:
                message = replace(message, tool_call_id=oldest)
        out.append(message)
    return out


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [("<|im_system|>tool_declare<|im_middle|>", True), (to_json(list(tools)), False), ("<|im_end|>", True)]


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = [(content, False), (_SECTION, True)]
    for call in calls:
        out += [
            (_CALL, True),
            (str(call.id), False),
            (_ARGUMENTS, True),
            (arguments_of(call), False),
            (_CALL_END, True),
        ]
    return [*out, (_SECTION_END, True)]


def _results(messages: Sequence[Message]) -> list[Fragment]:
    return [(f"## Return of {message.tool_call_id}\n{message.content}", False) for message in messages]


def _bare_results(messages: Sequence[Message]) -> list[Fragment]:
    # The template writes a backslash and an n, no line break.
    return [(f"## Return of {message.tool_call_id}\\n{message.content}", False) for message in messages]


def _parse(text: str) -> Parsed:
    content, mark, body = text.partition(_SECTION)
    calls: list[ToolCall] = []
    head = _HEAD.match(body) if mark else None
    while head is not None:
        found = value_at(body, head.end())
        end = body.find(_CALL_END, found[1] if found is not None else head.end())
        if end < 0:
            return text, ()
        value = found[0] if found is not None and isinstance(found[0], dict) else body[head.end() : end]
        calls.append(ToolCall(head[1], value, f"functions.{head[1]}:{head[2]}"))
        head = _HEAD.match(body, end + len(_CALL_END))
    return (content, tuple(calls)) if calls else (text, ())


_ONE = rf"{re.escape(_CALL)}\s*(?:functions\.)?(?P<name>.+?):\d+\s*{re.escape(_ARGUMENTS)}\s*(?=\{{)"
_AROUND = Around(
    re.compile(re.escape(_SECTION) + _ONE), re.compile(r"\s*" + re.escape(_CALL_END) + _ONE), _CALL_END + _SECTION_END
)
_STREAMING = Streaming(begins=(_SECTION,), follows="<", around=_AROUND)

FORMATS = (
    ToolFormat(
        name="kimi_k2",
        place="own",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        streaming=_STREAMING,
        ids=numbered,
    ),
    ToolFormat(
        name="kimi_k2_first",
        place="own",
        describe=_describe,
        calls=_calls,
        results=_bare_results,
        parse=_parse,
        streaming=_STREAMING,
        ids=numbered_by_turn,
    ),
)
