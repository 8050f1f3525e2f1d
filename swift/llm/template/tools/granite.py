"""Granite (IBM): tools as a block of their own, calls as a JSON list behind `<|tool_call|>` or between tags (4.0)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, arguments_of, to_json
from swift.llm.template.tools.scan import calls_from, loose_call, value_at
from swift.llm.template.tools.streaming import Streaming, json_list

_MARK = "<|tool_call|>"


def _block(listed: str) -> list[Fragment]:
    return [
        ("<|start_of_role|>available_tools<|end_of_role|>", True),
        (listed, False),
        ("<|end_of_text|>\n", True),
    ]


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return _block(to_json(list(tools), indent=4))


def _describe_3_0(tools: Sequence[Tool]) -> list[Fragment]:
    return _block("\n" + "\n\n".join(to_json(tool, indent=4) for tool in tools))


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    written = ", ".join(f'{{"name": {to_json(call.name)}, "arguments": {arguments_of(call)}}}' for call in calls)
    return [(content, False), (_MARK, True), (f"[{written}]", False)]


def _results(messages: Sequence[Message]) -> list[Fragment]:
    return [(message.content, False) for message in messages]


def _parse(text: str) -> Parsed:
    start = text.find(_MARK)
    while start >= 0:
        place = start + len(_MARK)
        found = value_at(text, place)
        if found is not None and not text[found[1] :].strip():
            calls = calls_from(found[0] if isinstance(found[0], list) else [found[0]])
            if calls is not None:
                return text[:start], calls
        body = text[place:].strip()
        loose = loose_call(body[1:-1]) if body.startswith("[") and body.endswith("]") else None
        if loose is not None:
            return text[:start], (loose,)
        start = text.find(_MARK, place)
    return text, ()


_STREAMING = Streaming(begins=(_MARK,), follows="[{", around=json_list(re.escape(_MARK)))

FORMATS = (
    ToolFormat(
        name="granite",
        place="after_system",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        streaming=_STREAMING,
    ),
    ToolFormat(
        name="granite_3_0",
        place="own",
        describe=_describe_3_0,
        calls=_calls,
        results=_results,
        parse=_parse,
        streaming=_STREAMING,
    ),
)
