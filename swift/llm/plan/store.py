"""``plan.json``: write a plan, read it back; unknown or missing keys are errors, not guesses."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from swift.utils.errors import CheckpointError
from swift.utils.files import read_json, write_json_atomic
from swift.utils.log import logger

VERSION = 2
"""Raised with each change that a reader of older files must know; new fields with a default are none."""

GONE: Mapping[str, tuple[str, ...]] = {
    "DataPlan": ("longest_first", "hub_token_from_env", "custom_dataset_info"),
    "TrainerConfig": ("longest_first",),
}
"""Fields that plans of earlier versions have, by class: what reads a plan rests on none of them."""

P = TypeVar("P")


def to_json(plan: Any) -> dict[str, Any]:
    """A plan as plain JSON values, with the version of this layout."""
    return {"plan_version": VERSION, "kind": type(plan).__name__, **dataclasses.asdict(plan)}


def write_plan(plan: Any, path: Path) -> None:
    """Write a plan as JSON, whole or not at all."""
    write_json_atomic(path, to_json(plan))


def read_plan(path: Path, kind: type[P]) -> P:
    """The plan of class ``kind`` in a file.

    Raises CheckpointError where the file was written by a later version, has keys that nobody knows, or lacks some.
    """
    return from_json(read_json(path), kind, str(path))


def from_json(values: Mapping[str, Any], kind: type[P], where: str) -> P:
    """Rebuild a plan from :func:`to_json`'s values, or from those of an earlier version; ``where`` names the file in messages."""
    rest = dict(values)
    version, name = rest.pop("plan_version", None), rest.pop("kind", None)
    if version not in range(1, VERSION + 1) or name != kind.__name__:
        raise CheckpointError(
            f"{where}: holds a plan of kind {name!r}, version {version!r}; this version of swift reads"
            f" {kind.__name__} up to version {VERSION}. Use the version of swift that wrote it."
        )
    return _build(rest, kind, where, version)


@functools.cache
def _tell_gone(where: str, version: int, names: tuple[str, ...]) -> None:
    """Once a file, however often it is read."""
    logger.info("%s: is of version %d; left out is what plans no longer have: %s", where, version, ", ".join(names))


def _build(values: Mapping[str, Any], kind: type[P], where: str, version: int) -> P:
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    gone = tuple(name for name in GONE.get(kind.__name__, ()) if name in values) if version < VERSION else ()
    if gone:
        _tell_gone(where, version, gone)
        values = {name: value for name, value in values.items() if name not in gone}
    unknown = sorted(set(values) - set(fields))
    missing = sorted(
        name
        for name, field in fields.items()
        if name not in values and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    )
    if unknown or missing:
        raise CheckpointError(
            f"{where}: unknown keys {unknown}, missing keys {missing} in {kind.__name__}. Use the version of swift that wrote"
            " it, or undo what was changed in it by hand."
        )
    return kind(**{name: _value(value, hints[name], where, version) for name, value in values.items()})


def _value(value: Any, hint: Any, where: str, version: int) -> Any:
    """A JSON value as the type of its field: lists become tuples, objects the plan class they belong to."""
    if value is None:
        return None
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        choices = [option for option in typing.get_args(hint) if option is not type(None)]
        return _value(value, choices[0], where, version) if len(choices) == 1 else value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(value, hint, where, version)
    if origin is tuple and isinstance(value, list | tuple):
        kind = typing.get_args(hint)[0]
        return (
            tuple(_value(one, kind, where, version) for one in value)
            if dataclasses.is_dataclass(kind)
            else tuple(value)
        )
    return value
