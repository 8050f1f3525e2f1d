"""Hermes 2 Pro and Hermes 3 (Nous Research): tools as Python signatures, calls between `<tool_call>` tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, arguments_of, function_of, to_json
from swift.llm.template.tools.scan import parameters_of, properties_of, tagged_calls, text_of
from swift.llm.template.tools.streaming import Streaming, tagged

_BASIC = {"string": "str", "number": "float", "integer": "int", "boolean": "bool"}


def python_type(schema: Any, list_name: str = "list", dict_name: str = "dict") -> str:
    """A JSON schema as a Python type. Lists have no element type: the official templates fail to look it up."""
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    if isinstance(kind, str):
        if kind in _BASIC:
            return _BASIC[kind]
        if kind == "array":
            return f"{list_name}[Union[]]"
        if kind == "object":
            values = schema.get("additionalProperties") if isinstance(schema, Mapping) else None
            inner = "" if values is None else python_type(values, list_name, dict_name)
            return f"{dict_name}[str, {inner}]" if inner else dict_name
        return "Any"
    kinds = kind if isinstance(kind, (list, tuple)) else ()
    return "Union[" + ",".join(python_type({"type": one}, list_name, dict_name) for one in kinds) + "]"


def _signature(tool: Tool) -> str:
    function = function_of(tool)
    name, properties = text_of(function.get("name")), properties_of(function)
    result = function.get("return")
    text = (
        f'{{"type": "function", "function": {{"name": "{name}", "description": "{name}('
        + ", ".join(f"{one}: {python_type(field)}" for one, field in properties.items())
        + ")"
        + (f" -> {python_type(result)}" if result is not None else "")
        + f" - {text_of(function.get('description'))}\n\n"
        + ("    Args:\n" if properties else "")
    )
    for one, field in properties.items():
        about = text_of(field.get("description") if isinstance(field, Mapping) else None)
        text += f"        {one}({python_type(field)}): {about.strip()}"
    if isinstance(result, Mapping) and "description" in result:
        text += f"\n    Returns:\n        {result['description']}"
    schema = to_json(parameters_of(function)) if properties else "{}"
    return f'{text}", "parameters": {schema}}}'


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [
        (
            "You are a function calling AI model. You are provided with function signatures within <tools></tools> XML "
            "tags. You may call one or more functions to assist with the user query. Don't make assumptions about what "
            "values to plug into functions. Here are the available tools: <tools> ",
            True,
        ),
        ("\n".join(map(_signature, tools)), False),
        (
            ' </tools>Use the following pydantic model json schema for each tool call you will make: {"properties": '
            '{"name": {"title": "Name", "type": "string"}, "arguments": {"title": "Arguments", "type": "object"}}, '
            '"required": ["name", "arguments"], "title": "FunctionCall", "type": "object"}}\n'
            "For each function call return a json object with function name and arguments within <tool_call></tool_call> "
            'XML tags as follows:\n<tool_call>\n{"name": <function-name>, "arguments": <args-dict>}\n</tool_call>',
            True,
        ),
    ]


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = []
    for number, call in enumerate(calls):
        out += [
            ("\n" * bool(number) + '<tool_call>\n{"name": "', True),
            (f'{call.name}", "arguments": {arguments_of(call)}', False),
            ("}\n</tool_call>", True),
        ]
    return out


def _results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = []
    for message in messages:
        out += [("<tool_response>\n", True), (message.content, False), ("\n</tool_response>\n", True)]
    return out


def _parse(text: str) -> Parsed:
    return tagged_calls(text, "<tool_call>", "</tool_call>")


FORMATS = (
    ToolFormat(
        name="hermes_tool_use",
        place="first_block",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        group=True,
        streaming=Streaming(begins=("<tool_call>",), follows="{", around=tagged("<tool_call>", "</tool_call>")),
    ),
)
