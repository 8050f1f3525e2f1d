"""Hermes, as Qwen 2.5 and 3 use it: JSON calls between `<tool_call>` tags."""

from __future__ import annotations

import re
from collections.abc import Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import (
    Fragment,
    Parsed,
    Tool,
    ToolFormat,
    arguments_of,
    call_from,
    load_json,
    to_json,
)


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
    calls: list[ToolCall] = []
    for body in re.findall(r"<tool_call>\s*(.*?)\s*</tool_call>", text, re.DOTALL):
        call = call_from(load_json(body))
        if call is None:  # arguments that are not JSON stay text
            loose = re.fullmatch(r'\{"name": "([^"]*)", "arguments": (.*)\}', body, re.DOTALL)
            call = ToolCall(loose[1], loose[2]) if loose else None
        if call is None:
            return text, ()
        calls.append(call)
    if not calls:
        return text, ()
    content = text[: text.index("<tool_call>")]
    return content[:-1] if content.endswith("\n") else content, tuple(calls)


FORMATS = (
    ToolFormat(
        name="hermes",
        place="system",
        describe=_hermes_describe,
        calls=_hermes_calls,
        results=_hermes_results,
        parse=_hermes_parse,
        group=True,
    ),
)
