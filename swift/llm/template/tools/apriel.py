"""Apriel 1.5 (ServiceNow): a list of calls between `<tool_calls>` tags; calls of earlier turns carry their ids."""

from __future__ import annotations

from collections.abc import Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Tool, ToolFormat, arguments_of
from swift.llm.template.tools.scan import listed_calls
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


_STREAMING = Streaming(begins=(_BEGIN,), follows="[", leads=("\n",), around=json_list(_BEGIN, _END))

FORMATS = (
    ToolFormat(
        name="apriel",
        place="own",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=lambda text: listed_calls(text, _BEGIN, _END),
        streaming=_STREAMING,
    ),
)
