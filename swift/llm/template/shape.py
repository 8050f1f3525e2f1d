"""What a chat template wants to be given, found by giving it things: nothing is decided by a model's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from swift.llm.template.tools import RefusedError

Write: TypeAlias = Callable[[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]], bool], str]
"""(messages, tools, generate) → text. Raises RefusedError where the template refuses."""

_WORD: Final = "qxzword"
_USER: Final = {"role": "user", "content": _WORD}
_TOOL: Final = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Look a word up.",
        "parameters": {"type": "object", "properties": {"word": {"type": "string", "description": "The word."}}},
    },
}


@dataclass(frozen=True, slots=True)
class Shape:
    """``parts``: contents as lists of typed parts; ``json_arguments``: a call's arguments as JSON text, not as an object."""

    parts: bool = False
    json_arguments: bool = False

    def of(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The message as this template takes it."""
        out = dict(message)
        if self.parts:
            out["content"] = [{"type": "text", "text": message["content"]}]
        return out


def probe(write: Write) -> Shape:
    """Try a text and a list of parts, then arguments as an object and as JSON text. The plain form wins where both work."""
    # A template that cuts texts ("content[:5]") writes a list as Python prints it.
    parts = not _holds(write, [_USER]) and _holds(write, [Shape(parts=True).of(_USER)], "'text'")
    shape = Shape(parts=parts)
    if _holds(write, [shape.of(_USER), shape.of(_call({"word": _WORD, "exact": True}))], "'exact'"):
        return shape
    texts = _holds(write, [shape.of(_USER), shape.of(_call(f'{{"word": "{_WORD}", "exact": true}}'))], '\\"exact\\"')
    return Shape(parts=parts, json_arguments=texts)


def _call(arguments: Any) -> dict[str, Any]:
    function = {"name": "look_up", "arguments": arguments}
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "id": "call00001", "function": function}],
    }


def _holds(write: Write, messages: Sequence[Mapping[str, Any]], wrong: str = "\0") -> bool:
    """Whether the template writes what the last message says, and not as Python would print it."""
    calls = bool(messages[-1].get("tool_calls"))
    try:
        text = write(messages, [_TOOL] if calls else [], False)
        if calls:  # the question holds the word, too
            without = write(messages[:-1], [_TOOL], False)
            return text.count(_WORD) > without.count(_WORD) and wrong not in text
    except RefusedError:
        return False
    return _WORD in text and wrong not in text
