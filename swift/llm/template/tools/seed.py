"""Seed-OSS: tools as Python signatures, calls as `<function=...>` whose values are what Python prints."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, RefusedError, Tool, ToolFormat, function_of
from swift.llm.template.tools.scan import parameters_of, properties_of
from swift.llm.template.tools.streaming import Streaming
from swift.llm.template.tools.values import as_python, named_arguments, read_value, schema_of

_TYPES = {"string": "str", "number": "int", "integer": "int", "boolean": "bool", "array": "list"}
_HOW = (
    "\n工具调用请遵循如下格式:\n<seed:tool_call>\n<function=example_function_name>\n"
    "<parameter=example_parameter_1>value_1</parameter>\n<parameter=example_parameter_2>This is the value for the second "
    "parameter\nthat can span\nmultiple lines</parameter>\n</function>\n</seed:tool_call>\n"
)
_CALL = re.compile(r"<seed:tool_call>\s*<function=([^>\n]+)>\n(.*?)</function>\s*</seed:tool_call>", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>\n]+)>(.*?)</parameter>\n?(?=<parameter=|\s*\Z)", re.DOTALL)


def _python_type(field: Any) -> str:
    kind = field.get("type")
    return _TYPES.get(kind, "Any") if isinstance(kind, str) else "Any"


def _signature(tool: Tool) -> str:
    function = function_of(tool)
    fields = properties_of(function)
    required = parameters_of(function).get("required") or ()
    listed = ",".join(f"{name}: {_python_type(field)}" for name, field in fields.items())
    text = f'\n\nFunction:\ndef {function.get("name", "")}({listed}):\n    """\n    '
    text += str(function.get("description", "")).strip() + "\n"
    if fields:
        text += "\n    Args:"
        for name, field in fields.items():
            must = "[必填]" if name in required else "[选填]"
            text += f"\n    - {name} ({_python_type(field)}) {must}: {field.get('description') or ''}"
        text += "\n"
    returned = properties_of({"parameters": function.get("returns")})
    if returned:
        text += "\n    Returns:"
        for name, field in returned.items():
            text += f"\n    - {name} ({_python_type(field)}): {field.get('description') or ''}"
        text += "\n"
    return text + '\n    """'


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    for tool in tools:
        if not properties_of(function_of(tool)) and "properties" not in parameters_of(function_of(tool)):
            raise RefusedError(f"the tool {function_of(tool).get('name')!r} has no properties, which this format lists")
    return [("".join(map(_signature, tools)), False), (_HOW, True)]


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    content = content.strip()
    out: list[Fragment] = [(content + "\n" if content else "", False)]
    for call in calls:
        out += [("\n", True), ("<seed:tool_call>", True), ("\n<function=", True), (call.name, False), (">\n", True)]
        for key, value in named_arguments(call).items():
            out += [("<parameter=", True), (f"{key}>{as_python(value)}", False), ("</parameter>\n", True)]
        out += [("</function>\n", True), ("</seed:tool_call>", True)]
    return out


def _results(messages: Sequence[Message]) -> list[Fragment]:
    return [(message.content, False) for message in messages]


def _parse(text: str, tools: Sequence[Tool] = ()) -> Parsed:
    calls: list[ToolCall] = []
    for name, body in _CALL.findall(text):
        schema = schema_of(tools, name)
        found = _PARAMETER.findall(body)
        if not found and body.strip():
            return text, ()
        calls.append(ToolCall(name, {key: read_value(value, schema.get(key)) for key, value in found}))
    if not calls:
        return text, ()
    return text[: text.index("<seed:tool_call>")].removesuffix("\n").removesuffix("\n"), tuple(calls)


FORMATS = (
    ToolFormat(
        name="seed_oss",
        place="system",
        join="",
        alone="You are Doubao, a helpful AI assistant. You may call one or more functions to assist with the user query.",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        streaming=Streaming(begins=("<seed:tool_call>",), follows="<", leads=("\n\n", "\n"), ends="</seed:tool_call>"),
        typed=True,
    ),
)
