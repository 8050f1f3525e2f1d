"""Solar Open (Upstage): control tokens around the id, the name and the arguments of each call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import (
    Fragment,
    Parsed,
    Tool,
    ToolFormat,
    arguments_of,
    function_of,
    load_json,
    to_json,
)
from swift.llm.template.tools.scan import value_at
from swift.llm.template.tools.streaming import Around, Streaming

_BEGIN, _NAME, _ARGS, _END = "<|tool_call:begin|>", "<|tool_call:name|>", "<|tool_call:args|>", "<|tool_call:end|>"
_HEAD = re.compile(f"{re.escape(_BEGIN)}(.*?){re.escape(_NAME)}(.*?){re.escape(_ARGS)}", re.DOTALL)


def _with_ids(messages: Sequence[Message]) -> list[Message]:
    """Give calls without an id a running one, answers the id of the oldest open call, and the name of the tool."""
    out: list[Message] = []
    names: dict[str, str] = {}
    open_ids: list[str] = []
    for message in messages:
        if message.tool_calls:
            calls = [
                replace(call, id=call.id or f"{len(names) + number:010d}")
                for number, call in enumerate(message.tool_calls)
            ]
            names.update((str(call.id), call.name) for call in calls)
            open_ids += [str(call.id) for call in calls]
            message = replace(message, tool_calls=tuple(calls))
        elif message.role == "tool":
            id_ = message.tool_call_id or (open_ids[0] if open_ids else "0" * 10)
            if id_ in open_ids:
                open_ids.remove(id_)
            message = replace(message, tool_call_id=id_, name=names.get(id_, message.name))
        out.append(message)
    return out


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    out: list[Fragment] = [
        (
            "## Tools\n\n### Tool Call Instruction\nYou may invoke one or more tools to assist with the user's query. "
            "Available tools are provided in JSON Schema format: "
            "<|tools:begin|><|tool:begin|><tools-json-object><|tool:end|>...<|tools:end|>\n\n### Available Tools\n"
            "<|tools:begin|>",
            True,
        )
    ]
    for tool in tools:
        out += [("<|tool:begin|>", True), (to_json(function_of(tool)), False), ("<|tool:end|>", True)]
    out.append(
        (
            "<|tools:end|>\n\n### Tool Call Format\nFor each tool call, return a JSON object with the following structure, "
            "enclosed within <|tool_call:begin|> and <|tool_call:end|> tags: \n<|tool_call:begin|><tool-call-id>"
            "<|tool_call:name|><tool-name><|tool_call:args|><args-json-object><|tool_call:end|>\n"
            "- The <tool-call-id> must be a randomly generated string consisting of 10 lowercase letters (a-z) and/or "
            "digits (0-9) (e.g., a1b2c3d4e5)\n\n### Tool Response Format\n"
            "Each tool is responded by `tool` with the following structure:\n<|tool_response:id|><tool-call-id>"
            "<|tool_response:name|><tool-name><|tool_response:result|><results><|tool_response:end|>\n"
            "- Ensure the <tool-call-id> matches the corresponding tool call",
            True,
        )
    )
    return out


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = [("<|tool_calls|>", True)]
    for call in calls:
        out += [
            (_BEGIN, True),
            (str(call.id), False),
            (_NAME, True),
            (call.name, False),
            (_ARGS, True),
            (arguments_of(call), False),
            (_END, True),
        ]
    return out


def _results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = []
    for message in messages:
        out += [
            ("<|tool_response:begin|>", True),
            (str(message.tool_call_id), False),
            ("<|tool_response:name|>", True),
            (message.name or "", False),
            ("<|tool_response:result|>", True),
            (message.content, False),
            ("<|tool_response:end|>", True),
        ]
    return out


def _parse(text: str) -> Parsed:
    first = _HEAD.search(text)
    head = first
    calls: list[ToolCall] = []
    while head is not None:
        found = value_at(text, head.end())
        end = text.find(_END, found[1] if found else head.end())
        if end < 0:
            return text, ()
        body = text[head.end() : end]
        value = load_json(body)
        calls.append(ToolCall(head[2], value if isinstance(value, dict) else body, head[1]))
        head = _HEAD.match(text, end + len(_END))
    return (text[: first.start()].removesuffix("<|tool_calls|>"), tuple(calls)) if first is not None else (text, ())


def _read(text: str, tools: Sequence[Tool]) -> Message:
    """A whole answer: a thought, then a text or calls."""
    reasoning, body = None, text.removesuffix("<|end|>").removesuffix("<|calls|>")
    if text.startswith("<|think|>"):
        thought, mark, rest = body.removeprefix("<|think|>").partition("<|end|>")
        if mark:
            reasoning, body = thought or None, rest.removeprefix("<|begin|>assistant")
    content, calls = _parse(body)
    return Message("assistant", content.removeprefix("<|content|>"), reasoning=reasoning, tool_calls=calls)


_ONE = f"{re.escape(_BEGIN)}.*?{re.escape(_NAME)}(?P<name>.*?){re.escape(_ARGS)}\\s*(?=\\{{)"
_AROUND = Around(
    re.compile(r"(?:<\|tool_calls\|>)?" + _ONE, re.DOTALL),
    re.compile(r"\s*" + re.escape(_END) + _ONE, re.DOTALL),
    _END + "<|calls|>",
)

FORMATS = (
    ToolFormat(
        name="solar",
        place="own",
        ids=_with_ids,
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        read=_read,
        streaming=Streaming(
            begins=("<|tool_calls|>", _BEGIN),
            around=_AROUND,
            thinking=("<|think|>", "<|end|>"),
            opening=("<|begin|>assistant", "<|content|>"),
            ending=("<|end|>", "<|calls|>"),
        ),
        group=True,
    ),
)
