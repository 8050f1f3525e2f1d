"""Arguments that a format writes as bare text (XML-like formats): their types come back from the tool's schema.

A string is written as it stands, anything else as JSON or as Python writes it. Reading needs the schema: "5" may be a string.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from swift.llm.core import ToolCall
from swift.llm.template.tools.base import RefusedError, Tool, function_of, to_json
from swift.llm.template.tools.scan import parameters_of, properties_of

_NOTHING = object()
_TYPES: Mapping[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    dict: "object",
    list: "array",
}


def named_arguments(call: ToolCall) -> Mapping[str, Any]:
    """The arguments by name. Raises RefusedError where they are text: these formats write each argument apart."""
    if isinstance(call.arguments, str):
        raise RefusedError(f"the arguments of the call of {call.name!r} are no JSON object, which this format needs")
    return call.arguments


def as_json(value: Any) -> str:
    """A string as it stands, anything else as JSON."""
    return value if isinstance(value, str) else to_json(value)


def as_python(value: Any) -> str:
    """A string as it stands, anything else as Python writes it (True, None, ...): Jinja's `string` filter."""
    return str(value)


def as_mixed(value: Any) -> str:
    """Lists and objects as JSON, anything else as Python writes it."""
    return to_json(value) if isinstance(value, (Mapping, list, tuple)) else str(value)


def schema_of(tools: Sequence[Tool], name: str) -> Mapping[str, Any]:
    """The described parameters of the tool of that name, references followed, empty where there is none."""
    for tool in tools:
        function = function_of(tool)
        if function.get("name") == name:
            return {key: resolved(one, parameters_of(function)) for key, one in properties_of(function).items()}
    return {}


def resolved(schema: Any, root: Any, depth: int = 8) -> Any:
    """A schema with what it refers to in its place, as deep as its own variants go; a lone ``allOf`` is what it holds."""
    if not isinstance(schema, Mapping) or depth == 0:
        return schema
    place = schema.get("$ref")
    if isinstance(place, str) and place.startswith("#/"):
        found = root
        for step in place[2:].split("/"):
            found = found.get(step) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            return schema
        return resolved({**found, **{key: one for key, one in schema.items() if key != "$ref"}}, root, depth - 1)
    only = schema.get("allOf")
    if isinstance(only, list) and len(only) == 1 and isinstance(only[0], Mapping):
        rest = {key: one for key, one in schema.items() if key != "allOf"}
        return resolved({**only[0], **rest}, root, depth - 1)
    variants = {key: schema[key] for key in ("anyOf", "oneOf", "allOf") if isinstance(schema.get(key), list)}
    return {**schema, **{key: [resolved(one, root, depth - 1) for one in many] for key, many in variants.items()}}


def read_value(text: str, schema: Any) -> Any:
    """The value that a text stands for, by the schema of its parameter.

    Where the schema allows only strings, the text itself; where it allows others, what the text reads as, if that is one of
    them. Without a schema, a text that is exactly how a value would be written is that value.
    """
    kinds = kinds_of(schema)
    if kinds == {"string"}:
        return text
    value = _decoded(text)
    if value is _NOTHING or isinstance(value, str):
        return text
    kind = _TYPES[type(value)]
    if not kinds:
        return value if text in (to_json(value), str(value)) else text
    if "string" in kinds:
        return value if kind in kinds or (kind == "integer" and "number" in kinds) else text
    return value


def kinds_of(schema: Any) -> set[str]:
    """The JSON types that a schema allows; empty where it does not say."""
    if not isinstance(schema, Mapping):
        return set()
    named = schema.get("type")
    if isinstance(named, str):
        found = {named}
    elif isinstance(named, list):
        found = {kind for kind in named if isinstance(kind, str)}
    else:
        found = set()
        for key in ("anyOf", "oneOf", "allOf"):
            for variant in schema.get(key) or ():
                found |= kinds_of(variant)
        if not found and isinstance(schema.get("enum"), list):
            found = {_TYPES.get(type(value), "string") for value in schema["enum"]}
    return found | {"null"} if schema.get("nullable") and found else found


def kind_of(value: Any) -> str:
    """The JSON type of a value."""
    return _TYPES[type(value)]


def _decoded(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        pass
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return _NOTHING
    return value if type(value) in _TYPES else _NOTHING


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
