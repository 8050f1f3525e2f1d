"""Rows of the catalog by what is asked of them: words, family, size, tag, task, modality, quantisation. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from swift.llm.catalog.rows import ModelRow
from swift.utils.errors import ArgumentError
from swift.utils.registry import unknown

__all__ = ["ModelFilter", "parse_sizes", "size_of"]

_UNITS = {"t": 1e12, "b": 1e9, "m": 1e6}
_SIZE = re.compile(r"(?<![a-z0-9.])(?:e|a)?(?:(\d+)x)?(\d+(?:[._]\d+)?)([tbm])(?![a-z0-9])", re.IGNORECASE)


def size_of(row: ModelRow) -> float | None:
    """Number of parameters: what the row says, else the figure in a hub id, else in the model type; None where none has one.

    The largest figure counts (``30B-A3B`` is 30 billion, of which 3 are active); ``8x7B`` is the product.
    """
    for text in (row.size, row.hf, row.ms, row.model_type):
        found = _SIZE.findall((text or "").rpartition("/")[2])
        billions = [one for one in found if one[2] in "tTbB"]  # `1M` beside `7B` is a context length
        sizes = [
            int(times or 1) * float(number.replace("_", ".")) * _UNITS[unit.lower()]
            for times, number, unit in billions or found
        ]
        if sizes:
            return max(sizes)
    return None


def parse_sizes(text: str) -> Callable[[float], bool]:
    """``7b``, ``<=8b``, ``>30b`` or ``1b..8b`` (both ends included) as a test of a number of parameters.

    Raises ArgumentError.
    """
    if (found := re.fullmatch(r"(<=|>=|<|>|=)?\s*([\d.]+)([tbm])", text.strip(), re.IGNORECASE)) is not None:
        limit = _number(found[2], found[3], text)
        return {
            "<": lambda size: size < limit, "<=": lambda size: size <= limit, ">": lambda size: size > limit,
            ">=": lambda size: size >= limit,
        }.get(found[1], lambda size: abs(size - limit) <= limit * 1e-6)  # fmt: skip
    if (found := re.fullmatch(r"([\d.]+)([tbm])\s*\.\.\s*([\d.]+)([tbm])", text.strip(), re.IGNORECASE)) is not None:
        low, high = _number(found[1], found[2], text), _number(found[3], found[4], text)
        return lambda size: low <= size <= high
    raise _not_a_size(text)


def _number(number: str, unit: str, text: str) -> float:
    try:
        return float(number) * _UNITS[unit.lower()]
    except ValueError:
        raise _not_a_size(text) from None


def _not_a_size(text: str) -> ArgumentError:
    return ArgumentError(f"--size {text}: is not a size. Write 7b, 500m, '<=8b', '>30b' or 1b..8b.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFilter:
    """What rows of models must be; None asks nothing. Case does not count."""

    family: str | None = None
    size: str | None = None
    tag: str | None = None
    task: str | None = None
    modality: str | None = None
    quant: str | None = None

    def apply(self, rows: Iterable[ModelRow], known: Iterable[ModelRow]) -> list[ModelRow]:
        """The rows that fit. ``known`` are all rows: a value that none of them has is refused with what comes near."""
        self._check(list(known))
        fits_size = parse_sizes(self.size) if self.size is not None else None
        return [row for row in rows if self._fits(row) and (fits_size is None or _has_size(row, fits_size))]

    def _fits(self, row: ModelRow) -> bool:
        return all(
            wanted is None or wanted.casefold() in (one.casefold() for one in _values(row, name))
            for name, wanted in self._asked()
        )

    def _check(self, known: list[ModelRow]) -> None:
        for name, wanted in self._asked():
            values = dict.fromkeys(value for row in known for value in _values(row, name))
            if wanted is not None and wanted.casefold() not in (one.casefold() for one in values):
                raise ArgumentError(f"--{name}: {unknown(name, wanted, values)}")

    def _asked(self) -> tuple[tuple[str, str | None], ...]:
        return (
            ("family", self.family),
            ("tag", self.tag),
            ("task", self.task),
            ("modality", self.modality),
            ("quant", self.quant),
        )


def _values(row: ModelRow, name: str) -> tuple[str, ...]:
    if name == "family":
        return (row.family,)
    if name == "tag":
        return row.tags
    if name == "task":
        return (row.task,)
    if name == "modality":  # every model reads text: asked for by name, it means text alone
        return tuple(one for one in row.modality if one != "text") or ("text",)
    return ("none",) if row.quant is None else (row.quant[0], f"{row.quant[0]}{row.quant[1]}", f"{row.quant[1]}bit")


def _has_size(row: ModelRow, fits: Callable[[float], bool]) -> bool:
    size = size_of(row)
    return size is not None and fits(size)
