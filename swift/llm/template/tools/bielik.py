"""Bielik v3 (SpeakLeash): a list of tools told in Polish, calls between `<tool_call>` tags."""

from __future__ import annotations

from collections.abc import Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, arguments_of, to_json
from swift.llm.template.tools.scan import tagged_calls
from swift.llm.template.tools.streaming import Streaming, tagged


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [
        (
            "\n\nMasz dostęp do następujących narzędzi. Definicje narzędzi znajdują się poniżej wewnątrz znaczników "
            "<|function_list|>:\n<|function_list|>\n",
            True,
        ),
        ("[" + ",\n".join(map(to_json, tools)) + "]", False),
        (
            '\n<|function_list|>\n\nAby wywołać narzędzie, użyj formatu <tool_call>{"name": "nazwa_narzędzia", '
            '"arguments": {"argument": "wartość"}}</tool_call>. Wyniki działania narzędzi zostaną przekazane z markerem '
            "<|function_output|>.\n",
            True,
        ),
    ]


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = [(content, False)]
    for call in calls:
        out += [
            ('\n<tool_call>\n{"name": "', True),
            (f'{call.name}", "arguments": {arguments_of(call)}', False),
            ("}\n</tool_call>", True),
        ]
    return out


def _results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = []
    for message in messages:
        out += [("<|function_output|>", True), (message.content, False)]
    return out


def _parse(text: str) -> Parsed:
    content, calls = tagged_calls(text, "<tool_call>", "</tool_call>")
    return (content.removesuffix("\n"), calls) if calls else (text, ())


FORMATS = (
    ToolFormat(
        name="bielik",
        place="system",
        join="",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        group=True,
        streaming=Streaming(
            begins=("<tool_call>",), follows="{", leads=("\n",), around=tagged("<tool_call>", "</tool_call>")
        ),
    ),
)
