"""Apertus (Swiss AI): tools as TypeScript types, calls and their results inside one long assistant turn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, arguments_of, function_of, to_json
from swift.llm.template.tools.scan import parameters_of, properties_of, text_of, value_at
from swift.llm.template.tools.streaming import Around, Streaming

_SIMPLE = {"number": "number", "integer": "number", "boolean": "boolean"}
_ELEMENTS = {"string": "string[]", **{name: f"{written}[]" for name, written in _SIMPLE.items()}}
_BEGIN, _END = "<|tools_prefix|>", "<|tools_suffix|>"


def _type(schema: Mapping[str, Any]) -> str:
    """A JSON schema as a TypeScript type, line breaks and indents as the official template lets them fall."""
    kind = schema.get("type")
    null = " | null" if schema.get("nullable") else ""
    if kind == "array":
        return _elements(schema.get("items")) + null
    if isinstance(kind, (list, tuple)) and kind:
        return " | ".join(map(str, kind))
    if schema.get("oneOf"):
        return " | \n".join(map(_variant, schema["oneOf"]))
    if kind == "string":
        if schema.get("enum"):
            return '"' + '" | "'.join(map(str, schema["enum"])) + '"'
        return "string" + null
    if kind == "object":
        properties = schema.get("properties")
        if not properties:
            return "object"
        required = schema.get("required") or ()
        written = (
            f"{name}{'' if name in required else '?'}: \n{' ' * 16}{_type(field)}" for name, field in properties.items()
        )
        return "{\n" + ", ".join(written) + "}"
    return _SIMPLE.get(kind, "any") if isinstance(kind, str) else "any"


def _elements(items: Any) -> str:
    if not items:
        return "any[]"
    kind = items.get("type")
    if isinstance(kind, str) and kind in _ELEMENTS:
        return _ELEMENTS[kind]
    inner = _type(items)
    return "any[]" if inner == "object | object" or len(inner) > 50 else f"{inner}[]"


def _variant(schema: Mapping[str, Any]) -> str:
    about = f"// {schema['description']}" if schema.get("description") else ""
    default = f"{' ' * 20}// default: {to_json(schema['default'])}" if "default" in schema else ""
    return _type(schema) + about + default


def _parameter(name: str, schema: Mapping[str, Any], required: Sequence[str]) -> str:
    about = f"// {schema['description']}\n" if schema.get("description") else ""
    text = f"{about}{name}{'' if name in required else '?'}: {_type(schema)}"
    if "default" not in schema:
        return text
    if schema.get("enum"):
        return f"{text}, // default: {schema['default']}"
    if schema.get("oneOf"):
        return f"{text}// default: {schema['default']}"
    return f"{text}, // default: {to_json(schema['default'])}"


def _tool(tool: Tool) -> str:
    function = function_of(tool)
    properties = properties_of(function)
    required = parameters_of(function).get("required") or ()
    head = f"// {text_of(function.get('description'))}\ntype {text_of(function.get('name'))} = "
    if not properties:
        return head + "() => any;"
    return head + "(_: {\n" + ",\n".join(_parameter(*item, required) for item in properties.items()) + "\n}) => any;"


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [("\n".join(map(_tool, tools)), False)]


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    written = ", ".join(f'{{"{call.name}": {arguments_of(call)}}}' for call in calls)
    return [(content, False), (_BEGIN, True), (f"[{written}]", False), (_END, True)]


def _results(messages: Sequence[Message]) -> list[Fragment]:
    return [("[" + ", ".join(message.content for message in messages) + "]", False)]


def _parse(text: str) -> Parsed:
    start = text.find(_BEGIN)
    while start >= 0:
        place = start + len(_BEGIN)
        found = value_at(text, place)
        if found is not None and text[found[1] :].strip() in ("", _END):
            calls = _read(found[0])
            if calls:
                return text[:start], calls
        loose = text[place:].strip().removesuffix(_END)
        if loose.startswith('[{"') and loose.endswith("}]") and '": ' in loose:
            name, _, arguments = loose[3:-2].partition('": ')
            return text[:start], (ToolCall(name, arguments),)
        start = text.find(_BEGIN, place)
    return text, ()


def _read(values: Any) -> tuple[ToolCall, ...]:
    if not isinstance(values, list) or not all(isinstance(value, dict) and len(value) == 1 for value in values):
        return ()
    pairs = [next(iter(value.items())) for value in values]
    return tuple(ToolCall(name, value if isinstance(value, dict) else to_json(value)) for name, value in pairs)


_CALL = r'\{\s*"(?P<name>[^"\\]+)"\s*:\s*(?=\{)'
_AROUND = Around(re.compile(re.escape(_BEGIN) + r"\s*\[\s*" + _CALL), re.compile(r"\s*\}\s*,\s*" + _CALL), "}]" + _END)

FORMATS = (
    ToolFormat(
        name="apertus",
        place="own",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        group=True,
        stop=(_END,),
        streaming=Streaming(begins=(_BEGIN,), follows="[", around=_AROUND),
    ),
)
