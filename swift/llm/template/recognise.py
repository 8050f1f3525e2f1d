"""Which tool format a chat template writes: found by letting it write calls and reading them back with every format."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from swift.llm.core import Conversation, Message, ToolCall
from swift.llm.template.tools import TOOL_FORMATS, RefusedError, Tool, ToolFormat

WriteAnswer: TypeAlias = Callable[[Conversation], str]
"""The text of the last answer of a conversation, without what closes it. Raises RefusedError."""

_TAG: Final = re.compile(r"<[^<>\s=]+>|\[[A-Z_]+\]")
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "town": {"type": "string", "description": "Name of the town."},
        "days": {"type": "integer", "description": "How many days."},
        "options": {"type": "object", "description": "More."},
    },
    "required": ["town"],
}
_TOOLS: Final[tuple[Tool, ...]] = (
    {"type": "function", "function": {"name": "get_weather", "description": "Look it up.", "parameters": _SCHEMA}},
)
_PLAIN: Final = ToolCall("get_weather", {"town": "Oslo"}, "call00001")
_RICH: Final = ToolCall("get_weather", {"town": 'St. "Oslo"', "days": 3, "options": {"units": ["C", "F"]}}, "call00001")
_ANSWERS: Final = (
    Message("assistant", "", tool_calls=(_PLAIN,)),
    Message("assistant", "", tool_calls=(_RICH,)),
    Message("assistant", "I will look.", tool_calls=(_PLAIN,)),
    Message("assistant", "", tool_calls=(_PLAIN, ToolCall("get_weather", {"town": "Rome"}, "call00002"))),
)


def recognise(write: WriteAnswer, source: str) -> ToolFormat | None:
    """The format that reads most of what the template writes; where it writes no calls, one whose tags its source has."""
    texts = []
    for answer in _ANSWERS:
        try:
            texts.append((answer, write(Conversation((Message("user", "Is it cold?"), answer), tools=_TOOLS))))
        except RefusedError:
            continue  # two calls at once, say: not every format has them
    best, most = None, 0
    for tool_format in TOOL_FORMATS.values():
        read = [_reads(tool_format, answer, text) for answer, text in texts]
        if read and read[0] and sum(read) > most:
            best, most = tool_format, sum(read)
    if best is not None:
        return best
    likely = max(TOOL_FORMATS.values(), key=lambda one: _signs(one, source))
    return likely if _signs(likely, source) else None


def _signs(tool_format: ToolFormat, source: str) -> int:
    """How many tags of a format the source has, 0 where one is missing."""
    tags = set(_TAG.findall("".join(text for text, _ in tool_format.calls("", [_PLAIN]))))
    return len(tags) if all(tag in source for tag in tags) else 0


def _reads(tool_format: ToolFormat, answer: Message, text: str) -> bool:
    if tool_format.read is not None:
        calls: Sequence[ToolCall] = tool_format.read(text, _TOOLS).tool_calls
    else:
        calls = tool_format.parsed(text, _TOOLS)[1]
    return [(call.name, call.arguments) for call in calls] == [
        (call.name, call.arguments) for call in answer.tool_calls
    ]
