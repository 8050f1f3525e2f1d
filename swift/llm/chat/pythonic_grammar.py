"""Arguments that a format writes as Python's keyword arguments, as a grammar: what its reader gives back value for value.

True, false and nothing may be spelled as Python does where they are a whole argument; whatever stands within lists and objects is
JSON, which such a reader takes as well. What cannot be said so is refused with a sentence.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Callable, Mapping
from typing import Any

from swift.llm.chat.json_space import JSON_SPACE
from swift.llm.chat.tagged_grammar import CannotError, choices_of, parameters_by_name
from swift.llm.core import ToolCall
from swift.llm.template.tools import ToolFormat
from swift.llm.template.tools.values import kind_of, kinds_of

__all__ = ["Pythonic", "pythonic"]

_KEY, _VALUE = "a", "\ue003"  # the value is a private character, which no format writes
_WORDS = {"boolean": (True, False), "null": (None,)}


def pythonic(fmt: ToolFormat) -> Pythonic | None:
    """How a format writes keyword arguments; None where it does not."""
    text = "".join(text for text, _ in fmt.calls("", [ToolCall("f", {_KEY: _VALUE})]))
    return Pythonic(fmt) if f"f({Pythonic.pair})" in text else None


class Pythonic:
    """One format's way: ``pair`` is what it writes for ``arguments``, which are stand-ins for a name and a value."""

    pair = f'{_KEY}="{_VALUE}"'
    arguments: Mapping[str, Any] = {_KEY: _VALUE}

    def __init__(self, fmt: ToolFormat) -> None:
        self._fmt = fmt

    def terminals(self) -> list[str]:
        """What all calls share: nothing."""
        return []

    def rules(self, name: str, function: str, parameters: Any, literal: Callable[[str], str]) -> list[str]:
        """The rule ``name`` of all arguments of a function, and those that it is made of; ``literal`` writes what is fixed.

        Arguments come in the schema's order, those that are not required may be left out. Raises DataError.
        """
        properties, required, shared = parameters_by_name(function, parameters)
        lines, firsts, may_be_first = [], [], True
        for number, key in enumerate(properties):
            one = f"{name}_{number}"
            with CannotError.told(function, key):
                if not (key.isascii() and key.isidentifier()) or keyword.iskeyword(key):
                    raise CannotError("is no name that this format can write")
                lines += [f"{one}: {json.dumps(key + '=')} ({self._values(one, properties[key], literal)})"]
                lines += self._whole(one, properties[key], shared)
            lines.append(f'{one}_on: (", " {one}){"" if key in required else "?"} {name}_{number + 1}_on')
            if may_be_first:
                firsts.append(f"{one} {name}_{number + 1}_on")
            may_be_first = may_be_first and key not in required
        if may_be_first:
            firsts.append('""')
        return [f"{name}: {' | '.join(firsts)}", f'{name}_{len(properties)}_on: ""', *lines]

    def _values(self, one: str, schema: Any, literal: Callable[[str], str]) -> str:
        """What may stand for an argument."""
        choices = choices_of(schema)
        if choices is not None:
            return " | ".join(self._choice(value, literal) for value in choices)
        kinds = kinds_of(schema)
        worded = _WORDS.keys() if _is_free(schema) else kinds & _WORDS.keys()
        words = [self._choice(value, literal) for kind in sorted(worded) for value in _WORDS[kind]]
        return " | ".join(words if kinds and kinds <= _WORDS.keys() else [*words, f"{one}_json"])

    def _whole(self, one: str, schema: Any, shared: Mapping[str, Any]) -> list[str]:
        """The rule of a value as JSON, where it is not spelled in words alone."""
        kinds = kinds_of(schema)
        if choices_of(schema) is not None or (kinds and kinds <= _WORDS.keys()):
            return []
        stated = schema if isinstance(schema, Mapping) else {}
        return [f"{one}_json: %json {json.dumps({**shared, **stated, 'x-guidance': JSON_SPACE}, ensure_ascii=False)}"]

    def _choice(self, value: Any, literal: Callable[[str], str]) -> str:
        """One value as the format writes it."""
        texts = (
            "".join(text for text, _ in self._fmt.calls("", [ToolCall("f", {_KEY: one})])) for one in (value, _VALUE)
        )
        written, stand_in = texts
        before, behind = stand_in.split(f'"{_VALUE}"')
        text = written.removeprefix(before).removesuffix(behind)
        if literal(text) != json.dumps(text, ensure_ascii=False):
            raise CannotError(f"may be {value!r} ({kind_of(value)}), which holds a control token")
        return literal(text)


def _is_free(schema: Any) -> bool:
    """Whether a schema asks for nothing."""
    return not isinstance(schema, Mapping) or not schema.keys() - {"title", "description", "default", "examples"}
