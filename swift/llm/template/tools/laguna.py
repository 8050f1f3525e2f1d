"""Laguna (Poolside): calls as tagged names, keys and values, text values unquoted."""

from __future__ import annotations

import re
from collections.abc import Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, to_json
from swift.llm.template.tools.streaming import Streaming
from swift.llm.template.tools.values import as_json, named_arguments, read_value, schema_of

_PAIR_TEXT = r"<arg_key>(.*?)</arg_key>\n<arg_value>(.*?)</arg_value>\n"
_PAIR = re.compile(_PAIR_TEXT, re.DOTALL)
_CALL = re.compile(rf"<tool_call>([^\n<>]+)\n((?:{_PAIR_TEXT})*)</tool_call>\s*", re.DOTALL)


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [
        (
            "\n\n### Tools\n\nYou may call functions to assist with the user query.\nAll available function signatures are "
            "listed below:\n<available_tools>\n",
            True,
        ),
        ("".join(to_json(tool) + "\n" for tool in tools), False),
        ("</available_tools>\n\n", True),
    ]


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = [(content, False)]
    for call in calls:
        out.append((f"<tool_call>{call.name}\n", True))
        for key, value in named_arguments(call).items():
            out += [
                ("<arg_key>", True),
                (key, False),
                ("</arg_key>\n<arg_value>", True),
                (as_json(value), False),
                ("</arg_value>\n", True),
            ]
        out.append(("</tool_call>\n", True))
    return out


def _results(messages: Sequence[Message]) -> list[Fragment]:
    return [(message.content, False) for message in messages]


def _parse(text: str, tools: Sequence[Tool] = ()) -> Parsed:
    start = text.find("<tool_call>")
    if start < 0:
        return text, ()
    calls: list[ToolCall] = []
    place = start
    while found := _CALL.match(text, place):
        schema = schema_of(tools, found[1])
        pairs = _PAIR.findall(found[2])
        calls.append(ToolCall(found[1], {key: read_value(value, schema.get(key)) for key, value in pairs}))
        place = found.end()
    return (text[:start].removesuffix("\n"), tuple(calls)) if place == len(text) else (text, ())


def _read(text: str, tools: Sequence[Tool]) -> Message:
    """A whole answer, without the line breaks that part it from the tags. The prompt may hold the tag that opens it."""
    thought, mark, rest = text.partition("</think>")
    reasoning = thought.removeprefix("<think>").strip() if mark else ""
    content, calls = _parse((rest if mark else text).strip(), tools)
    return Message("assistant", content.strip(), reasoning=reasoning or None, tool_calls=calls)


FORMATS = (
    ToolFormat(
        name="laguna",
        place="own",
        typed=True,
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        read=_read,
        streaming=Streaming(
            begins=("<tool_call>",), ends="</tool_call>", stripped=True, thinking=("<think>", "</think>")
        ),
    ),
)
