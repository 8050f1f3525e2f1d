"""``plan.json``: write a plan, read it back; unknown or missing keys are errors, not guesses."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from swift.utils.errors import CheckpointError
from swift.utils.files import read_json, write_json_atomic

VERSION = 1
P = TypeVar("P")


def to_json(plan: Any) -> dict[str, Any]:
    """A plan as plain JSON values, with the version of this layout."""
    return {"plan_version": VERSION, "kind": type(plan).__name__, **dataclasses.asdict(plan)}


def write_plan(plan: Any, path: Path) -> None:
    """Write a plan as JSON, whole or not at all."""
    write_json_atomic(path, to_json(plan))


def read_plan(path: Path, kind: type[P]) -> P:
    """The plan of class ``kind`` in a file.

    Raises CheckpointError where the file was written by another version or lacks keys.
    """
    return from_json(read_json(path), kind, str(path))


def from_json(values: Mapping[str, Any], kind: type[P], where: str) -> P:
    """Rebuild a plan from :func:`to_json`'s values; ``where`` names the file in errors."""
    rest = dict(values)
    version, name = rest.pop("plan_version", None), rest.pop("kind", None)
    if version != VERSION or name != kind.__name__:
        raise CheckpointError(
            f"{where}: holds a plan of kind {name!r}, version {version!r}; this version of swift reads"
            f" {kind.__name__} version {VERSION}."
        )
    return _build(rest, kind, where)


def _build(values: Mapping[str, Any], kind: type[P], where: str) -> P:
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    missing = sorted(
        name
        for name, field in fields.items()
        if name not in values and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    )
    if unknown or missing:
        raise CheckpointError(f"{where}: unknown keys {unknown}, missing keys {missing} in {kind.__name__}.")
    return kind(**{name: _value(value, hints[name], where) for name, value in values.items()})


def _value(value: Any, hint: Any, where: str) -> Any:
    """A JSON value as the type of its field: lists become tuples, objects the plan class they belong to."""
    if value is None:
        return None
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        choices = [option for option in typing.get_args(hint) if option is not type(None)]
        return _value(value, choices[0], where) if len(choices) == 1 else value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(value, hint, where)
    if origin is tuple and isinstance(value, list | tuple):
        kind = typing.get_args(hint)[0]
        return tuple(_value(one, kind, where) for one in value) if dataclasses.is_dataclass(kind) else tuple(value)
    return value
