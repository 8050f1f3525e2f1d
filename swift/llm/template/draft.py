"""A conversation on its way to text: turns of fragments, which the named behaviours of a row may still move and change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swift.llm.core import Conversation, Message
from swift.llm.template.tools.base import Fragment


@dataclass(slots=True)
class Turn:
    """One turn. ``parts`` is its text; ``before`` stands in front of the whole turn; ``opened`` is text of the template that
    the prompt already holds when generation starts; ``reasoning`` was split off the text (thinking formats only).
    """

    role: str
    parts: list[Fragment]
    message: Message
    before: list[Fragment] | None = None
    opened: str = ""
    reasoning: str = ""

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
    and ``opened`` is what the prompt then holds after the row's ``assistant_open``.
    """

    system: list[Fragment] | None
    turns: list[Turn]
    conversation: Conversation
    generate: bool
    enable_thinking: bool | None
    options: Mapping[str, Any]
    system_wrap: str | None
    opened: str = ""
