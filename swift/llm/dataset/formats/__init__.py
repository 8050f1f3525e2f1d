"""Row formats by name. One module a family; each lists its formats, in the order in which they are tried.

A format turns the columns of a row into a `Draft`; what is common to all of them (media, tools, order of the turns) is
`swift.llm.dataset.columns`.
"""

from __future__ import annotations

from collections.abc import Mapping

from swift.llm.dataset.formats import dialogues, hub, named, pairs, preference, untemplated
from swift.llm.dataset.formats.draft import RowFormat

__all__ = ["AUTO", "FORMATS"]

_ALL = (*pairs.FORMATS, *dialogues.FORMATS, *preference.FORMATS, *untemplated.FORMATS, *named.FORMATS, *hub.FORMATS)

FORMATS: Mapping[str, RowFormat] = {one.name: one for one in _ALL}
"""Every format that ``type`` may name."""

_ORDER = (
    "swift", "alpaca", "conversations", "messages", "conversation", "text", "question-answer", "prompt-completion",
    "preference", "responses", "input-output", "tokenized",
)  # fmt: skip

AUTO: tuple[RowFormat, ...] = tuple(FORMATS[name] for name in _ORDER)
"""Those that are recognised by their columns: the first that fits."""
