"""Reading a method's settings from the arguments of its group: by name, checked, all that is wrong at once. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from swift.utils.errors import PlanError

__all__ = ["Settings", "not_a_count", "not_a_share", "not_positive"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The base of every method's settings: ``names`` maps arguments to fields; what is not given keeps the field's default."""

    names: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self:
        """From the arguments, by their own names. Raises PlanError with all that is wrong."""
        settings = cls(**{field: options[name] for name, field in cls.names.items() if name in options})
        problems = settings.problems()
        if problems:
            raise PlanError(problems)
        return settings

    def problems(self) -> list[str]:
        """What cannot be, one sentence each."""
        return []

    def problem_with(self, num_steps: int) -> str | None:
        """What is wrong with a run of so many steps, in one sentence, or None."""
        return None

    def of(self, *fields: str) -> list[tuple[str, Any]]:
        """(argument, value) of these fields."""
        arguments = {field: name for name, field in self.names.items()}
        return [(arguments[field], getattr(self, field)) for field in fields]


def not_a_count(pairs: Sequence[tuple[str, Any]]) -> list[str]:
    """The sentences about numbers below 1."""
    return [f"--{name} {value}: is a count from 1 up." for name, value in pairs if value < 1]


def not_positive(pairs: Sequence[tuple[str, Any]]) -> list[str]:
    """The sentences about numbers that are not above 0."""
    return [f"--{name} {value}: must be above 0." for name, value in pairs if not value > 0]


def not_a_share(pairs: Sequence[tuple[str, Any]]) -> list[str]:
    """The sentences about shares and probabilities outside 0 to below 1."""
    return [f"--{name} {value}: a share from 0 to below 1 is expected." for name, value in pairs if not 0 <= value < 1]
