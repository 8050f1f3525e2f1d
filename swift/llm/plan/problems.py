"""Collect every conflict of a command line, and every reason of a plan, while the resolvers go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from swift.utils.errors import PlanError

T = TypeVar("T")


class Problems:
    """The conflicts found so far; ``stop_if_any`` reports them together."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, problem: str) -> None:
        """Note one conflict: the flag, the value seen, what is expected, the next step."""
        if problem not in self._found:
            self._found.append(problem)

    def stop_if_any(self) -> None:
        """Raise one :class:`PlanError` with all of them, if there are any."""
        if self._found:
            raise PlanError(self._found)


class Reasons:
    """Why each value of a plan is what it is: ``part.field`` to a sentence.

    ``sources`` says where given arguments came from (``flag --x``, ``file run.yaml:3``, ``checkpoint …``).
    """

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources
        self.by_field: dict[str, str] = {}

    def note(self, field: str, why: str) -> None:
        """Record why ``field`` has its value."""
        self.by_field[field] = why

    def take(self, field: str, argument: str, value: T, *, default: str = "default") -> T:
        """Record that ``field`` is the argument's value: given by somebody, or its default. Returns the value."""
        self.note(field, self.sources.get(argument, default))
        return value

    def decide(self, field: str, argument: str, given: T | None, decided: T, why: str) -> T:
        """The given value where there is one, else the decided one with its reason."""
        if given is not None:
            self.note(field, self.sources.get(argument, "default"))
            return given
        self.note(field, why)
        return decided
