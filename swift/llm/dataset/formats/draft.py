"""What a format makes of a row, before it is checked: the common language of the format modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from swift.llm.core import Encoded, Message, Segment
from swift.llm.dataset.turns import Lost, TurnOptions, text_of

__all__ = ["BOS", "EOS", "Draft", "Reader", "RowFormat", "Values", "columns_of", "needed", "turns_column"]

Values: TypeAlias = Mapping[str, Any]

BOS = Segment("{auto_bos}", special=True)
EOS = Segment("{eos}", train=True, special=True)


@dataclass(slots=True)
class Draft:
    """Messages, and what the row says beside them. ``plain``: an answer to nothing, all of it text to learn.

    ``segments`` or ``encoded`` where no chat template may be put around the row; see `swift.llm.core.Conversation`.
    """

    messages: list[Message]
    rejected: tuple[Message, ...] = ()
    system_given: bool = False
    plain: bool = False
    segments: tuple[Segment, ...] = ()
    encoded: Encoded | None = None


Reader: TypeAlias = Callable[[Values, TurnOptions], Draft]


@dataclass(frozen=True, slots=True)
class RowFormat:
    """One named format. ``needs``: any of these sets of columns is enough; ``prompt_needs``: enough where no answer is needed.

    ``auto``: recognised by its columns, unless the row also has one of ``unless`` (which would be read by nobody).
    ``turns`` are options of the turn parser that the format brings along.
    """

    name: str
    read: Reader
    needs: tuple[frozenset[str], ...]
    prompt_needs: tuple[frozenset[str], ...] = ()
    auto: bool = False
    unless: frozenset[str] = frozenset()
    turns: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, columns: frozenset[str], *, need_answer: bool) -> bool:
        """Whether a row with these columns can be read."""
        return any(one <= columns for one in self.needs) or (
            not need_answer and any(one <= columns for one in self.prompt_needs)
        )


def columns_of(*sets: str) -> tuple[frozenset[str], ...]:
    """Sets of columns, each written as words."""
    return tuple(frozenset(words.split()) for words in sets)


def needed(values: Values, *names: str) -> str:
    """The text of the first of these columns that the row has; it must say something."""
    for name in names:
        if name in values:
            text = text_of(values[name], name)
            if text and not text.isspace():
                return text
            raise Lost(f"empty {name}")
    raise Lost(f"no {' or '.join(names)}")


def turns_column(values: Values, options: TurnOptions, *names: str) -> str:
    """The column that holds the turns: the one that the options name, or the first of these that the row has."""
    for name in (options.turns_key, *names):
        if name is not None and name in values:
            return name
    raise Lost(f"no {' or '.join(names)}")
