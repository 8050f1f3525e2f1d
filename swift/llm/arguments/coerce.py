"""From what was written (at the prompt, in a file, in Python) to a value of the argument's kind: one way for
all sources.

Knows no command and does not say where a value came from: the caller puts the flag, or the file and line, in
front of the message.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from swift.llm.arguments.fields import Spec, matches, specs
from swift.utils.errors import ArgumentError, SwiftError

__all__ = ["checked", "coerce", "is_list"]

ArgumentsT = TypeVar("ArgumentsT")

_TRUE = frozenset({"true", "yes", "1", "on", "t", "y"})
_FALSE = frozenset({"false", "no", "0", "off", "f", "n"})
_EXAMPLES = {
    "int": "8",
    "float": "1e-4",
    "bool": "true",
    "str": "text",
    "list[int]": "0 1 2",
    "list[float]": "0.7 0.3",
    "list[str]": "one two",
    "json": """'{"key": 1}'""",
}


def is_list(spec: Spec) -> bool:
    """Whether the argument takes several values."""
    return spec.kind in ("list[str]", "list[int]", "list[float]")


def coerce(spec: Spec, raw: Any) -> Any:
    """Return `raw` as a value of the argument: checked against its choices, `~` expanded, lists as tuples.

    `raw` is text, or what YAML, JSON or Python hold. Raises ArgumentError whose message says what was
    expected, and begins with the value seen.
    """
    if raw is None:
        if spec.default is None or spec.kind == "json":
            return None
        raise ArgumentError(f"no value was given; expected {expected(spec)}")
    if is_list(spec):
        value: Any = _sequence(spec, raw)
    elif spec.kind == "json":
        value = _json(spec, raw)
    else:
        value = _scalar(spec, raw)
    return value


def checked(arguments: ArgumentsT) -> ArgumentsT:
    """Return arguments made in Python with every value coerced as if it had been typed.

    Raises ArgumentError that lists all the values that do not fit.
    """
    problems: list[str] = []
    changed: dict[str, Any] = {}
    for name, spec in specs(arguments.__class__).items():
        given = getattr(arguments, name)
        if given is spec.default:
            continue
        try:
            changed[name] = coerce(spec, given)
        except ArgumentError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise ArgumentError(
            "\n  - ".join([f"{len(problems)} wrong values:", *problems]) if problems[1:] else problems[0]
        )
    return replace(arguments, **changed)  # type: ignore[type-var]


def expected(spec: Spec) -> str:
    """Say what the argument takes, for the end of a message."""
    if spec.choices is not None:
        return "one of " + ", ".join(str(choice) for choice in spec.choices)
    names = {
        "str": "a text",
        "int": "an integer",
        "float": "a number",
        "bool": "true or false",
        "list[str]": "one or more texts",
        "list[int]": "one or more integers",
        "list[float]": "one or more numbers",
        "json": "JSON text or a JSON file",
    }
    presets = f", or one of {', '.join(spec.presets)}" if spec.presets else ""
    return f"{names[spec.kind]}{presets}"


def example(spec: Spec) -> str:
    """Return a value that the argument takes, as it is typed."""
    if spec.choices is not None:
        return str(spec.default if spec.default is not None else spec.choices[0])
    if isinstance(spec.default, bool):
        return "true"
    if isinstance(spec.default, (int, float)):
        return str(spec.default)
    return _EXAMPLES[spec.kind]


def _wrong(spec: Spec, raw: Any, what: str) -> ArgumentError:
    return ArgumentError(f"{raw!r} is not {what} (example: --{spec.name} {example(spec)})")


def _sequence(spec: Spec, raw: Any) -> tuple[Any, ...]:
    if isinstance(raw, str):
        items: list[Any] = [raw] if raw else []
    elif isinstance(raw, Sequence):
        items = list(raw)
    elif isinstance(raw, (int, float, os.PathLike)):
        items = [raw]
    else:
        raise _wrong(spec, raw, "a list")
    if spec.commas:
        items = _split_commas(items)
    nullable = isinstance(spec.default, tuple) and None in spec.default
    return tuple(None if item is None and nullable else _scalar(spec, item) for item in items)


def _split_commas(items: list[Any]) -> list[Any]:
    """Cut a single item at its commas; among several, a comma is most likely a mistake. A file may be called
    so.
    """
    with_commas = [item for item in items if isinstance(item, str) and "," in item and not os.path.exists(item)]
    if not with_commas:
        return items
    if len(items) > 1:
        raise ArgumentError(f"{with_commas[0]!r} holds a comma: separate items by commas or by blanks, not by both")
    return [part.strip() for part in items[0].split(",") if part.strip()]


def _scalar(spec: Spec, raw: Any) -> Any:
    if isinstance(raw, (Mapping, list, tuple, set)):
        raise _wrong(spec, raw, "a single value")
    kind = spec.kind.removeprefix("list[").removesuffix("]")
    if kind == "bool":
        value: Any = _bool(spec, raw)
    elif kind == "int":
        value = _int(spec, raw)
    elif kind == "float":
        value = _float(spec, raw)
    else:
        value = _text(spec, raw)
    if spec.choices is not None and not any(matches(value, choice) for choice in spec.choices):
        raise ArgumentError(_not_a_choice(spec, value))
    return value


def _not_a_choice(spec: Spec, value: Any) -> str:
    from swift.utils.registry import nearest

    assert spec.choices is not None
    names = [str(choice) for choice in spec.choices]
    near = nearest(str(value), names, limit=1) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{value!r} is not one of {', '.join(names)}{hint}"


def _bool(spec: Spec, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw).strip().casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise _wrong(spec, raw, "true or false")


def _int(spec: Spec, raw: Any) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, (str, float)):
        try:
            return int(raw) if isinstance(raw, str) else _whole(raw)
        except ValueError:
            try:
                return _whole(float(raw))  # 1e3 is a thousand
            except (ValueError, OverflowError):
                pass
    raise _wrong(spec, raw, "an integer")


def _whole(number: float) -> int:
    if not number.is_integer():
        raise ValueError(number)
    return int(number)


def _float(spec: Spec, raw: Any) -> float:
    if not isinstance(raw, bool) and isinstance(raw, (int, float, str)):
        try:
            number = float(raw)
        except (ValueError, OverflowError):
            pass
        else:
            if math.isfinite(number):
                return number
    raise _wrong(spec, raw, "a number")


def _text(spec: Spec, raw: Any) -> str:
    if isinstance(raw, bool):
        text = "true" if raw else "false"
    elif isinstance(raw, (str, int, float)):
        text = str(raw)
    elif isinstance(raw, os.PathLike):
        text = os.fsdecode(raw)
    else:
        raise _wrong(spec, raw, "a text")
    text = spec.renamed.get(text, text)
    if "\0" in text:
        raise _wrong(spec, text, "a text without null characters")
    if spec.path == "always" and text:
        return _absolute(text)
    if spec.path == "maybe" and text not in spec.presets:
        return _existing_path(text)
    return text


def _absolute(text: str) -> str:
    return os.path.abspath(os.path.expanduser(text))


def _existing_path(text: str) -> str:
    """Make what is clearly a path absolute, and leave a hub id as it is."""
    looks_like_one = text.startswith(("~", ".", os.sep)) or os.path.exists(text)
    return _absolute(text) if looks_like_one else text


def _json(spec: Spec, raw: Any) -> Any:
    """Return a mapping (or a preset, or the path of a file that stays a file). Raises ArgumentError
    otherwise.
    """
    if isinstance(raw, Mapping):
        return dict(raw)
    if not isinstance(raw, (str, os.PathLike)):
        raise _wrong(spec, raw, expected(spec))
    text = os.fsdecode(raw).strip()
    if not text:
        return None
    if any(matches(text, preset) for preset in spec.presets):
        return text
    if text.startswith(("{", "[")):
        value = _inline(text)
    else:
        path = _absolute(text)
        if not os.path.exists(path):
            presets = f", nor one of {', '.join(spec.presets)}" if spec.presets else ""
            raise ArgumentError(f"{text!r} is no JSON text, nor a file that exists{presets}")
        value = _content(path)
        if spec.path == "keep":
            return path
    if not isinstance(value, dict):
        raise ArgumentError(f"expected a JSON object in braces, found {type(value).__name__}")
    return value


def _inline(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        mark = f" (at {text[max(0, error.pos - 10) : error.pos + 10]!r})" if len(text) > 20 else ""
        raise ArgumentError(
            f"{text!r} is not valid JSON: {error.msg}, character {error.colno}{mark}. "
            "Quote it for the shell: '{\"key\": 1}'"
        ) from None


def _content(path: str) -> Any:
    from swift.utils.files import read_json

    try:
        return read_json(path)
    except SwiftError as error:
        raise ArgumentError(str(error)) from None
