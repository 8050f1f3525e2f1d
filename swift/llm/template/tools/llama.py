"""Llama 3.1: the answer is one JSON call, or one Python call of a built-in tool. Llama 4: several JSON calls."""

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
from swift.llm.template.tools.scan import loose_call, value_at
from swift.llm.template.tools.streaming import Around, Streaming, json_object

_BUILTIN = re.compile(r'<\|python_tag\|>([\w-]+)\.call\(((?:\w+="[^"]*"(?:, )?)*)\)')
_ARGUMENT = re.compile(r'(\w+)="([^"]*)"')


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


def builtin_call(call: ToolCall) -> list[Fragment]:
    """A call of a built-in tool (search, Wolfram Alpha), as Llama 3.1 writes it where ``builtin_tools`` are named."""
    given = call.arguments.items() if not isinstance(call.arguments, str) else ()
    written = ", ".join(f'{key}="{value}"' for key, value in given)
    return [("<|python_tag|>", True), (f"{call.name}.call({written})", False)]


def _llama4_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    written = "".join(f'{{"name": "{call.name}", "parameters": {arguments_of(call)}}}' for call in calls)
    return [("<|python_start|>", True), (content, False), ("<|python_end|>", True), (written, False)]


def _llama_results(messages: Sequence[Message]) -> list[Fragment]:
    return [(to_json(message.content), False) for message in messages]


def _llama_parse(text: str) -> Parsed:
    body = text.strip()
    builtin = _BUILTIN.fullmatch(body)
    if builtin is not None:
        return "", (ToolCall(builtin[1], dict(_ARGUMENT.findall(builtin[2]))),)
    call = call_from(load_json(body.removeprefix("<|python_tag|>")), "parameters")
    if call is None:
        loose = re.fullmatch(r'\{"name": "([^"]*)", "parameters": (.*)\}', body, re.DOTALL)
        call = ToolCall(loose[1], loose[2]) if loose else None
    return (text, ()) if call is None else ("", (call,))


def _llama4_parse(text: str) -> Parsed:
    content, body = "", text
    if text.startswith("<|python_start|>"):
        content, mark, body = text.removeprefix("<|python_start|>").partition("<|python_end|>")
        if not mark:
            return text, ()
    calls: list[ToolCall] = []
    place = 0
    while place < len(body.rstrip()):
        found = value_at(body, place)
        call = call_from(found[0], "parameters") if found is not None else None
        if found is None or call is None:
            loose = loose_call(body, "parameters") if not calls else None
            return (content, (loose,)) if loose is not None else (text, ())
        calls.append(call)
        place = found[1]
    return (content, tuple(calls)) if calls else (text, ())


_ONE = json_object(arguments="parameters")
_STREAMING = Streaming(
    begins=("{", "<|python_tag|>"),
    anchored=True,
    plain=True,
    around=Around(re.compile(r"(?:<\|python_tag\|>)?\s*" + _ONE), None, "}"),
)
_TEXT = r"(?:<\|python_start\|>(?P<content>.*?)<\|python_end\|>)?\s*"
_STREAMING_4 = Streaming(
    begins=("{", "<|python_start|>"),
    anchored=True,
    plain=True,
    around=Around(re.compile(_TEXT + _ONE, re.DOTALL), re.compile(r"\s*\}\s*" + _ONE), "}"),
)

FORMATS = (
    ToolFormat(
        name="llama3_1",
        place="own",
        describe=_llama_describe,
        calls=_llama_calls,
        results=_llama_results,
        parse=_llama_parse,
        streaming=_STREAMING,
        one_call=True,
    ),
    ToolFormat(
        name="llama4",
        place="first_user",
        describe=_llama_describe,
        calls=_llama4_calls,
        results=_llama_results,
        parse=_llama4_parse,
        streaming=_STREAMING_4,
        head="Environment: ipython\n",
    ),
)
