"""Apriel 1.5 (ServiceNow): a list of calls between `<tool_calls>` tags; calls of earlier turns carry their ids."""

from __future__ import annotations

from collections.abc import Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, arguments_of
from swift.llm.template.tools.scan import calls_from, loose_call, value_at
from swift.llm.template.tools.streaming import Streaming, json_list

_BEGIN, _END = "<tool_calls>", "</tool_calls>"
ANSWER_FORMAT = (
    "\nReturn all function calls as a list of json objects within <tool_call></tool_call> XML tags. Each json object should "
    "contain a function name and arguments as follows:\n"
    '<tool_calls>[{"name": <function-name-1>, "arguments": <args-dict-1>}, '
    '{"name": <function-name-2>, "arguments": <args-dict-2>},...]</tool_calls>'
)


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [
        (
            "You are provided with function signatures within <available_tools></available_tools> XML tags. You may call one "
            "or more functions to assist with the user query. Don't make assumptions about the arguments. You should infer "
            "the argument values from previous user responses and the system message. Here are the available tools:\n"
            "<available_tools>\n",
            True,
        ),
        ("".join(f"{tool}\n" for tool in tools), False),
        ("</available_tools>", True),
    ]


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    written = ", ".join(
        f'{{"name": "{call.name}", "arguments": {arguments_of(call)}'
        + (f', "id": "{call.id}"' if call.id is not None else "")
        + "}"
        for call in calls
    )
    return [(content, False), ("\n" + _BEGIN, True), (f"[{written}]", False), (_END, True)]


def _results(messages: Sequence[Message]) -> list[Fragment]:
    return [(message.content, False) for message in messages]


def _parse(text: str) -> Parsed:
    start = text.find(_BEGIN)
    while start >= 0:
        place = start + len(_BEGIN)
        found = value_at(text, place)
        calls = None
        if found is not None and text[found[1] :].strip() == _END:
            calls = calls_from(found[0])
        elif text.endswith("]" + _END):
            loose = loose_call(text[place + 1 : -len(_END) - 1])
            calls = (loose,) if loose is not None else None
        if calls is not None:
            return text[:start].removesuffix("\n"), calls
        start = text.find(_BEGIN, place)
    return text, ()


_STREAMING = Streaming(begins=(_BEGIN,), follows="[", leads=("\n",), around=json_list(_BEGIN, _END))

FORMATS = (
    ToolFormat(
        name="apriel",
        place="own",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        streaming=_STREAMING,
    ),
)
