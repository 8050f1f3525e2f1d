"""gpt-oss (harmony): tools as a TypeScript namespace, calls as messages to a recipient, answers from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import (
    Fragment,
    Parsed,
    RefusedError,
    Tool,
    ToolFormat,
    arguments_of,
    function_of,
    to_json,
)
from swift.llm.template.tools.scan import value_at
from swift.llm.template.tools.streaming import Streaming

_TO = re.compile(r"\bto=functions\.([^\s<]+)")
# The text of one message of an answer, with its header (channel, recipient, content type) in front.
_MESSAGE = re.compile(
    r"(?:<\|start\|>)?(?P<head>[^<]*(?:<\|channel\|>[^<]*)?(?:<\|constrain\|>[^<]*)?)<\|message\|>"
    r"(?P<text>.*?)(?:<\|end\|>|<\|return\|>|<\|call\|>|\Z)",
    re.DOTALL,
)
_ARRAYS = {"string": "string[]", "number": "number[]", "integer": "number[]", "boolean": "boolean[]"}


def one_by_one(messages: Sequence[Message]) -> list[Message]:
    """Give each call a turn of its own, followed by its answer, and each answer the name of the tool.

    The format has one call a message: the model waits for its answer before it makes the next one.
    """
    out: list[Message] = []
    place = 0
    name: str | None = None
    while place < len(messages):
        message = messages[place]
        place += 1
        if message.role == "assistant" and not message.tool_calls:
            name = None
        if message.role == "tool":
            if name is None:
                raise RefusedError("a tool's answer without a call before it")
            out.append(replace(message, name=name))
            continue
        if len(message.tool_calls) < 2:
            name = message.tool_calls[0].name if message.tool_calls else name
            out.append(message)
            continue
        answers: list[Message] = []
        while place < len(messages) and messages[place].role == "tool":
            answers.append(messages[place])
            place += 1
        for number, call in enumerate(message.tool_calls):
            first = number == 0
            content, reasoning = (message.content, message.reasoning) if first else ("", None)
            out.append(replace(message, content=content, reasoning=reasoning, tool_calls=(call,)))
            if answers:
                given = [one for one in answers if call.id is not None and one.tool_call_id == call.id] or answers[:1]
                answers.remove(given[0])
                out.append(replace(given[0], name=call.name))
        name = message.tool_calls[-1].name
        out += [replace(answer, name=name) for answer in answers]
    return out


def typescript(schema: Mapping[str, Any]) -> str:
    """A JSON schema as the TypeScript type that the official template writes."""
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items")
        if not items:
            text = "any[]"
        elif isinstance(items.get("type"), str) and items["type"] in _ARRAYS:
            text = _ARRAYS[items["type"]]
        else:
            inner = typescript(items)
            text = "any[]" if inner == "object | object" or len(inner) > 50 else inner + "[]"
        return text + (" | null" if schema.get("nullable") else "")
    if isinstance(kind, list) and kind:
        return " | ".join(map(str, kind)) if len(kind) > 1 else str(kind[0])
    if schema.get("oneOf"):
        return _one_of(schema["oneOf"])
    if kind == "string":
        if schema.get("enum"):
            return '"' + '" | "'.join(map(str, schema["enum"])) + '"'
        return "string | null" if schema.get("nullable") else "string"
    if kind in ("number", "integer"):
        return "number"
    if kind == "boolean":
        return "boolean"
    if kind == "object":
        return _object(schema)
    return "any"


def _one_of(variants: Sequence[Mapping[str, Any]]) -> str:
    text = ""
    for number, variant in enumerate(variants):
        text += typescript(variant)
        if variant.get("description"):
            text += "// " + variant["description"]
        if "default" in variant:
            text += " " * 20 + "// default: " + to_json(variant["default"])
        text += " | \n" if number + 1 < len(variants) else ""
    return text


def _object(schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties")
    if not properties:
        return "object"
    required = schema.get("required") or ()
    fields = [
        # the line break stands in the official template's text
        f"{name}{'' if name in required else '?'}: \n                {typescript(field)}"
        for name, field in properties.items()
    ]
    return "{\n" + ", ".join(fields) + "}"


def _default(field: Mapping[str, Any]) -> str:
    if "default" not in field:
        return ""
    value = field["default"]
    if field.get("enum"):
        return f", // default: {value}"
    if field.get("oneOf"):
        return f"// default: {value}"
    return ", // default: " + to_json(value)


def _signature(tool: Tool) -> str:
    function = function_of(tool)
    text = f"// {function.get('description', '')}\ntype {function.get('name', '')} = "
    parameters = function.get("parameters") or {}
    fields = parameters.get("properties")
    if not fields:
        return text + "() => any;\n\n"
    required = parameters.get("required") or ()
    text += "(_: {\n"
    for name, field in fields.items():
        if field.get("description"):
            text += f"// {field['description']}\n"
        text += f"{name}{'' if name in required else '?'}: {typescript(field)}{_default(field)},\n"
    return text + "}) => any;\n\n"


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [
        ("# Tools\n\n## functions\n\nnamespace functions {\n\n", True),
        ("".join(map(_signature, tools)), False),
        ("} // namespace functions", True),
    ]


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    [call] = calls
    return [
        (" to=functions.", True),
        (call.name, False),
        ("<|channel|>commentary json<|message|>", True),
        (arguments_of(call), False),
    ]


def _results(messages: Sequence[Message]) -> list[Fragment]:
    [message] = messages
    return [
        ("<|start|>functions.", True),
        (str(message.name), False),
        (" to=assistant<|channel|>commentary<|message|>", True),
        (to_json(message.content), False),
        ("<|end|>", True),
    ]


def read(text: str, tools: Sequence[Tool] = ()) -> Message:
    """An answer of several messages: analysis is reasoning, commentary to a function a call, the rest the text."""
    thoughts: list[str] = []
    texts: list[str] = []
    calls: list[ToolCall] = []
    place = 0
    while (found := _MESSAGE.match(text, place)) is not None and found.end() > place:
        place = found.end()
        head, body = found["head"], found["text"]
        to = _TO.search(head)
        if to is not None:
            value = value_at(body, 0)
            whole = value is not None and isinstance(value[0], dict) and not body[value[1] :].strip()
            calls.append(ToolCall(to[1], value[0] if whole and value is not None else body))
        elif "<|channel|>analysis" in head:
            thoughts.append(body)
        else:
            texts.append(body)
    if not thoughts and not texts and not calls:
        return Message("assistant", text)
    rest = text[place:]
    if rest.lstrip().startswith(("<|start|>", "<|channel|>")):
        rest = ""  # the header of a message that was cut off
    return Message("assistant", "".join(texts) + rest, reasoning="\n".join(thoughts) or None, tool_calls=tuple(calls))


def _parse(text: str) -> Parsed:
    message = read(text)
    return (message.content, message.tool_calls) if message.tool_calls else (text, ())


FORMATS = (
    ToolFormat(
        name="harmony",
        place="own",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        read=read,
        streaming=Streaming(channels=True, ending=("<|end|>", "<|return|>", "<|call|>")),
        ids=one_by_one,
        one_call=True,
    ),
)
