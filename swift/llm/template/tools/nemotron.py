"""Nemotron Nano v2 (NVIDIA): a list of calls between `<TOOLCALL>` tags."""

from __future__ import annotations

from collections.abc import Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Tool, ToolFormat, arguments_of, function_of, to_json
from swift.llm.template.tools.scan import listed_calls
from swift.llm.template.tools.streaming import Streaming, json_list

_BEGIN, _END = "<TOOLCALL>", "</TOOLCALL>"


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [
        ("You can use the following tools to assist the user if required:\n<AVAILABLE_TOOLS>[", True),
        (", ".join(to_json(function_of(tool)) for tool in tools), False),
        (
            "]</AVAILABLE_TOOLS>\n\nIf you decide to call any tool(s), use the following format:\n"
            '<TOOLCALL>[{{"name": "tool_name1", "arguments": "tool_args1"}}, '
            '{{"name": "tool_name2", "arguments": "tool_args2"}}]</TOOLCALL>\n\n'
            "The user will execute tool-calls and return responses from tool(s) in this format:\n"
            '<TOOL_RESPONSE>[{{"tool_response1"}}, {{"tool_response2"}}]</TOOL_RESPONSE>\n\n'
            "Based on the tool responses, you can call additional tools if needed, correct tool calls if any errors are "
            "found, or just respond to the user.",
            True,
        ),
    ]


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    written = ", ".join(f'{{"name": "{call.name}", "arguments": {arguments_of(call)}}}' for call in calls)
    text = content.strip()
    return [(text, False), ("\n" * bool(text) + _BEGIN, True), (f"[{written}]", False), (_END, True)]


def _results(messages: Sequence[Message]) -> list[Fragment]:
    return [
        ("<TOOL_RESPONSE>", True),
        ("[" + ", ".join(message.content for message in messages) + "]", False),
        ("</TOOL_RESPONSE>", True),
    ]


_STREAMING = Streaming(begins=(_BEGIN,), follows="[", leads=("\n",), around=json_list(_BEGIN, _END))

FORMATS = (
    ToolFormat(
        name="nemotron",
        place="own",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=lambda text: listed_calls(text, _BEGIN, _END),
        streaming=_STREAMING,
        group=True,
    ),
)
