"""A conversation on its way to text: turns of fragments, which the named behaviours of a row may still move and change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as Date
from typing import Any

from swift.llm.core import Conversation, Message
from swift.llm.template.tools.base import Fragment

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day_text(day: Date) -> str:
    """Write a day as "26 Jul 2024", whatever the locale."""
    return f"{day.day:02d} {_MONTHS[day.month - 1]} {day.year}"


@dataclass(slots=True)
class Turn:
    """One turn. ``parts`` is its text; ``before`` stands in front of the whole turn; ``opened`` is text of the template that
    the prompt already holds when generation starts; ``reasoning`` was split off the text (thinking formats only).
    ``open``, ``close`` (None: as the row says) stand in place of the row's ``assistant_open`` and close of this one turn,
    ``wrap`` (with ``{content}``) in place of the row's ``user``, ``tool`` or ``system``.
    """

    role: str
    parts: list[Fragment]
    message: Message
    before: list[Fragment] | None = None
    opened: str = ""
    reasoning: str = ""
    open: str | None = None
    close: str | None = None
    wrap: str | None = None

    def text(self) -> str:
        """All fragments as one text."""
        return "".join(text for text, _ in self.parts)

    def strip(self, left: bool = True, right: bool = True) -> None:
        """Remove white space at the ends of the text."""
        if left and self.parts:
            text, markup = self.parts[0]
            self.parts[0] = (text.lstrip(), markup)
        if right and self.parts:
            text, markup = self.parts[-1]
            self.parts[-1] = (text.rstrip(), markup)


@dataclass(slots=True)
class Draft:
    """The turns without the leading system text, which is ``system`` (None: none). ``generate``: an answer is to follow,
    and ``opened`` is what the prompt then holds after ``open`` (None: the row's ``assistant_open``), ``before`` what it holds
    in front of that. ``default``: the system text is the row's own. ``told`` describes the tools, where a rule must place it.
    ``date`` is the day that the prompt may name.
    """

    system: list[Fragment] | None
    turns: list[Turn]
    conversation: Conversation
    generate: bool
    enable_thinking: bool | None
    options: Mapping[str, Any]
    system_wrap: str | None
    date: Date
    default: bool = False
    opened: str = ""
    open: str | None = None
    before: list[Fragment] | None = None
    told: list[Fragment] | None = None
