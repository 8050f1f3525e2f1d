"""MiniMax M2: calls as `<invoke>` with named parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, function_of, to_json
from swift.llm.template.tools.streaming import Streaming
from swift.llm.template.tools.values import as_json, named_arguments, read_value, schema_of

_BLOCK = re.compile(r"<minimax:tool_call>(.*)</minimax:tool_call>", re.DOTALL)
_CALL = re.compile(r'<invoke name="([^"\n]+)">\n(.*?)</invoke>\n(?=<invoke |\s*\Z)', re.DOTALL)
_PARAMETER = re.compile(r'<parameter name="([^"\n]+)">(.*?)</parameter>\n?(?=<parameter |\s*\Z)', re.DOTALL)


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    listed = "".join(f"<tool>{to_json(function_of(tool))}</tool>\n" for tool in tools)
    return [
        (
            "# Tools\nYou may call one or more tools to assist with the user query.\n"
            "Here are the tools available in JSONSchema format:\n\n<tools>\n",
            True,
        ),
        (listed, False),
        (
            "</tools>\n\nWhen making tool calls, use XML format to invoke tools and pass parameters:\n\n<minimax:tool_call>\n"
            '<invoke name="tool-name-1">\n<parameter name="param-key-1">param-value-1</parameter>\n'
            '<parameter name="param-key-2">param-value-2</parameter>\n...\n</invoke>\n</minimax:tool_call>',
            True,
        ),
    ]


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = [(content, False), ("\n<minimax:tool_call>\n", True)]
    for call in calls:
        out.append((f'<invoke name="{call.name}">\n', False))
        out += [
            (f'<parameter name="{key}">{as_json(value)}</parameter>\n', False)
            for key, value in named_arguments(call).items()
        ]
        out.append(("</invoke>\n", False))
    return [*out, ("</minimax:tool_call>", True)]


def _results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = []
    for message in messages:
        out += [("\n<response>", True), (message.content, False), ("</response>", True)]
    return out


def _parse(text: str, tools: Sequence[Tool] = ()) -> Parsed:
    block = _BLOCK.search(text)
    if block is None:
        return text, ()
    calls: list[ToolCall] = []
    for name, body in _CALL.findall(block[1]):
        schema = schema_of(tools, name)
        found = _PARAMETER.findall(body)
        if not found and body.strip():
            return text, ()
        calls.append(ToolCall(name, {key: read_value(value, schema.get(key)) for key, value in found}))
    return (text[: block.start()].removesuffix("\n"), tuple(calls)) if calls else (text, ())


FORMATS = (
    ToolFormat(
        name="minimax_m2",
        place="system",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        streaming=Streaming(begins=("<minimax:tool_call>",), follows="<", leads=("\n",), ends="</minimax:tool_call>"),
        group=True,
        typed=True,
    ),
)
