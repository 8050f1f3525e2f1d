"""Arguments that a format writes each between tags of its own, as a grammar: exactly what its reader gives back.

A text stands as it is, anything else as JSON, true, false and nothing as the format spells them. No value holds one of the
format's tags, so that each ends where its tag stands. What cannot be said so is refused with a sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from swift.llm.chat.json_space import JSON_SPACE
from swift.llm.core import ToolCall
from swift.llm.template.tools import ToolFormat
from swift.llm.template.tools.values import kind_of, kinds_of, resolved
from swift.utils.errors import DataError

__all__ = ["CannotError", "Tagged", "choices_of", "parameters_by_name", "tagged"]

# Private characters, which no format writes: they stand for an argument's name and for its value.
_KEY, _VALUE = "\ue002", "\ue003"
_WHOLE = ("$ref", "anyOf", "oneOf", "allOf", "not", "if", "patternProperties")
_OF_TEXTS = ("pattern", "minLength", "maxLength")
_VARIANTS = ("anyOf", "oneOf", "allOf")
_WHERE = "calls of {!r} cannot be forced: "
_TAG = re.compile(r"</?[A-Za-z_][\w:]*[>= ]")
_NO_TAG = "^([^<]|<+[^/A-Za-z_<])*$"
_ANYTHING = "any value without tags"
_ANY: Mapping[str, Any] = {
    "anyOf": [
        {"type": ["number", "boolean", "null"]},
        {"type": "string", "pattern": _NO_TAG},
        {"type": "array", "items": {"$ref": f"#/$defs/{_ANYTHING}"}},
        {
            "type": "object",
            "patternProperties": {_NO_TAG: {"$ref": f"#/$defs/{_ANYTHING}"}},
            "additionalProperties": False,
        },
    ]
}


def tagged(fmt: ToolFormat) -> Tagged | None:
    """How a format writes arguments between tags; None where it writes them as one object."""
    if not fmt.typed:
        return None
    none, one = (_written(fmt, arguments) for arguments in ({}, {_KEY: _VALUE}))
    size = len(one) - len(none)
    for place in range(len(none) + 1):
        pair = one[place : place + size]
        if one == none[:place] + pair + none[place:] and pair.startswith("<"):
            return Tagged(fmt, pair)
    return None


def _written(fmt: ToolFormat, arguments: Mapping[str, Any]) -> str:
    return "".join(text for text, _ in fmt.calls("", [ToolCall("f", arguments)]))


class Tagged:
    """One format's way: ``pair`` is what it writes for ``arguments``, which are stand-ins for a name and a value."""

    arguments: Mapping[str, Any] = {_KEY: _VALUE}

    def __init__(self, fmt: ToolFormat, pair: str) -> None:
        self.pair = pair
        self._before, self._behind = pair.split(_VALUE)
        text = _written(fmt, {_KEY: _VALUE})
        self._tags = sorted({*_TAG.findall(text), *fmt.streaming.begins, fmt.streaming.ends} - {""})
        self._words = [
            (value, str(value)) for value in (True, False, None) if str(value) in _written(fmt, {_KEY: value})
        ]

    def terminals(self) -> list[str]:
        """What all calls share."""
        tags = "|".join(self._tags).replace("/", r"\/")
        return [f"TEXT: /(?s:.*)/ & ~/(?s:.*)({tags})(?s:.*)/"]

    def rules(self, name: str, function: str, parameters: Any, literal: Callable[[str], str]) -> list[str]:
        """The rule ``name`` of all arguments of a function, and those that it is made of; ``literal`` writes what is fixed.

        Arguments come in the schema's order, those that are not required may be left out. Raises DataError.
        """
        properties, required, shared = parameters_by_name(function, parameters)
        lines, row = [], []
        for number, (key, schema) in enumerate(properties.items()):
            one = f"{name}_{number}"
            with CannotError.told(function, key):
                if not key or re.search(r'[<>"\n]|^\s|\s$', key):
                    raise CannotError("is no name that this format can write")
                lines += self._value(one, schema, shared, literal)
            lines.append(f"{one}: {literal(self._before.replace(_KEY, key))} {one}_value")
            row.append(one + ("" if key in required else "?"))
        return [f"{name}: {' '.join(row) or json.dumps('')}", *lines]

    def _value(self, one: str, schema: Any, shared: Mapping[str, Any], literal: Callable[[str], str]) -> list[str]:
        """The rules of a value and what stands behind it."""
        kinds, choices = kinds_of(schema), choices_of(schema)
        if choices is not None:
            written = [literal(self._choice(value, literal) + self._behind) for value in choices]
            return [f"{one}_value: {' | '.join(written)}"]
        behind = literal(self._behind)
        if kinds and "string" not in kinds:
            words = [json.dumps(word) for value, word in self._words if kind_of(value) in kinds]
            whole = {**_untagged(schema, self._tags), "x-guidance": JSON_SPACE}
            if '"$ref"' in json.dumps(whole):
                for key, definitions in {"$defs": {}, **shared}.items():
                    whole[key] = {name: _untagged(each, self._tags) for name, each in definitions.items()}
                whole["$defs"][_ANYTHING] = _ANY
            return [
                f"{one}_value: ({' | '.join([*words, f'{one}_json'])}) {behind}",
                f"{one}_json: %json {json.dumps(whole, ensure_ascii=False)}",
            ]
        text, lines = "TEXT", []
        bounds = {word for word in _OF_TEXTS if f'"{word}"' in json.dumps(schema)}
        if bounds:
            if kinds != {"string"} or not bounds <= set(schema) or "pattern" in bounds:
                raise CannotError(f"has {sorted(bounds)}, which a grammar of this format does not follow")
            text = f"{one.upper()}_BOUND"
            least, most = schema.get("minLength", 0), schema.get("maxLength", "")
            lines = [f"{text}: TEXT & /(?s:.){{{least},{most}}}/"]
        # A text goes on as long as it can: what ends it is part of it, up to a token (which is no text).
        found = _ENDING.fullmatch(behind)
        assert found is not None
        lines.append(f"{one.upper()}_TEXT: {text} {found[1]}".rstrip())
        return [f"{one}_value: {one.upper()}_TEXT {found[2]}".rstrip(), *lines]

    def _choice(self, value: Any, literal: Callable[[str], str]) -> str:
        """One value of an ``enum`` as the format writes it."""
        for known, word in self._words:
            if value is known:
                return word
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if any(tag in text for tag in self._tags) or (text and literal(text) != json.dumps(text, ensure_ascii=False)):
            raise CannotError(f"may be {value!r}, which holds a tag of the format or a control token")
        return text


_ENDING = re.compile(r'((?:"(?:[^"\\]|\\.)*" ?)*)((?:<\[\d+\]>.*)?)', re.DOTALL)


class CannotError(Exception):
    """What a parameter has that no grammar says; its text follows the parameter's name."""

    @staticmethod
    @contextmanager
    def told(function: str, key: str) -> Iterator[None]:
        """Say of which parameter it is. Raises DataError."""
        try:
            yield
        except CannotError as error:
            raise DataError(f"{_WHERE.format(function)}its argument {key!r} {error}. Use `tool_choice` auto.") from None


def parameters_by_name(function: str, parameters: Any) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """A function's parameters with their references followed, the names of those that must be given, and shared definitions.

    Raises DataError where more is asked of all of them together.
    """
    if not isinstance(parameters, Mapping):
        parameters = {}
    for word in _WHOLE:
        if word in parameters:
            raise DataError(
                f"{_WHERE.format(function)}its parameters have {word!r} beside or for their properties. Use `tool_choice` auto."
            )
    required = [str(key) for key in parameters.get("required") or ()]
    properties = {key: one for key, one in (parameters.get("properties") or {}).items() if one is not False}
    properties |= {key: True for key in required if key not in properties}
    shared = {key: parameters[key] for key in ("$defs", "definitions") if key in parameters}
    return {key: resolved(one, parameters) for key, one in properties.items()}, required, shared


def choices_of(schema: Any) -> list[Any] | None:
    """The values that a schema allows, where it lists them."""
    if not isinstance(schema, Mapping):
        return None
    if "enum" in schema:
        return list(schema["enum"])
    if "const" in schema:
        return [schema["const"]]
    if schema.get("type") == "null":
        return [None]
    variants = [choices_of(one) for one in schema.get("anyOf") or schema.get("oneOf") or ()]
    if not variants or any(one is None for one in variants):
        return None
    return [value for one in variants for value in one or ()]


def _untagged(schema: Any, tags: Sequence[str]) -> dict[str, Any]:
    """A schema whose texts hold no tag. Raises CannotError where it asks for one."""
    if schema is True or schema == {}:
        return {"$ref": f"#/$defs/{_ANYTHING}"}
    if not isinstance(schema, Mapping):
        return {"not": {}}
    told = json.dumps([schema.get("enum"), schema.get("const"), list(schema.get("properties") or ())])
    if any(tag in told for tag in tags):
        raise CannotError("asks for texts that hold a tag of the format")
    made = dict(schema)
    for key in ("properties", "$defs", "definitions"):
        if key in made:
            made[key] = {name: _untagged(one, tags) for name, one in made[key].items()}
    for key in (*_VARIANTS, "prefixItems"):
        if key in made:
            made[key] = [_untagged(one, tags) for one in made[key]]
    if "items" in made:
        made["items"] = _untagged(made["items"], tags)
    kinds = kinds_of(schema)
    fixed = {"enum", "const", "$ref", *_VARIANTS} & made.keys()
    if "array" in kinds and not fixed:
        made.setdefault("items", _untagged(True, tags))
    if "object" in kinds and not fixed:
        others = made.pop("additionalProperties", "properties" not in made)
        if others is not False:
            made["patternProperties"] = {_NO_TAG: _untagged(others, tags)}
        made["additionalProperties"] = False
    if (not kinds or "string" in kinds) and not fixed:
        pattern = {"pattern": _NO_TAG}
        made = {"allOf": [made, pattern]} if "pattern" in made else made | pattern
    return made
