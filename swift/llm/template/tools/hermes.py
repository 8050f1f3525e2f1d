"""Hermes, as Qwen 2.5 and 3 use it: JSON calls between `<tool_call>` tags."""

from __future__ import annotations

from collections.abc import Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import (
    Fragment,
    Parsed,
    Tool,
    ToolFormat,
    arguments_of,
    to_json,
)
from swift.llm.template.tools.scan import tagged_calls
from swift.llm.template.tools.streaming import Streaming, tagged


def _hermes_describe(tools: Sequence[Tool]) -> list[Fragment]:
    listed = "".join("\n" + to_json(tool) for tool in tools)
    return [
        (
            "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            "You are provided with function signatures within <tools></tools> XML tags:\n<tools>",
            True,
        ),
        (listed, False),
        (
            "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
            '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
            "</tool_call>",
            True,
        ),
    ]


def _hermes_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = [(content, False)]
    for number, call in enumerate(calls):
        lead = "\n" if number or content else ""
        out += [
            (lead + '<tool_call>\n{"name": "', True),
            (f'{call.name}", "arguments": {arguments_of(call)}', False),
            ("}\n</tool_call>", True),
        ]
    return out


def _hermes_results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = []
    for number, message in enumerate(messages):
        out += [
            ("\n" * bool(number) + "<tool_response>\n", True),
            (message.content, False),
            ("\n</tool_response>", True),
        ]
    return out


def _hermes_parse(text: str) -> Parsed:
    content, calls = tagged_calls(text, "<tool_call>", "</tool_call>")
    return (content.removesuffix("\n"), calls) if calls else (text, ())


FORMATS = (
    ToolFormat(
        name="hermes",
        place="system",
        describe=_hermes_describe,
        calls=_hermes_calls,
        results=_hermes_results,
        parse=_hermes_parse,
        group=True,
        streaming=Streaming(
            begins=("<tool_call>",), follows="{", leads=("\n",), around=tagged("<tool_call>", "</tool_call>")
        ),
    ),
)
