"""Llama 3.1: the answer is one JSON call."""

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


def _llama_describe(tools: Sequence[Tool]) -> list[Fragment]:
    listed = "".join(to_json(tool, indent=4) + "\n\n" for tool in tools)
    return [
        (
            "Given the following functions, please respond with a JSON for a function call with its proper arguments "
            "that best answers the given prompt.\n\nRespond in the format "
            '{"name": function name, "parameters": dictionary of argument name and its value}.Do not use variables.\n\n',
            True,
        ),
        (listed, False),
    ]


def _llama_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    # The official template writes the call alone and leaves out any text beside it.
    call = calls[0]
    return [('{"name": "' + call.name + '", "parameters": ' + arguments_of(call) + "}", False)]


def _llama_results(messages: Sequence[Message]) -> list[Fragment]:
    return [(to_json(message.content), False) for message in messages]


def _llama_parse(text: str) -> Parsed:
    body = text.strip()
    call = call_from(load_json(body.removeprefix("<|python_tag|>")), "parameters")
    if call is None:
        loose = re.fullmatch(r'\{"name": "([^"]*)", "parameters": (.*)\}', body, re.DOTALL)
        call = ToolCall(loose[1], loose[2]) if loose else None
    return (text, ()) if call is None else ("", (call,))


FORMATS = (
    ToolFormat(
        name="llama3_1",
        place="first_user",
        describe=_llama_describe,
        calls=_llama_calls,
        results=_llama_results,
        parse=_llama_parse,
        head="Environment: ipython\n",
        one_call=True,
    ),
)
