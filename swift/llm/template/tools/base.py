"""What every tool format is made of: fragments, the `ToolFormat` row, and JSON as the chat templates write it.

A text is a list of fragments ``(text, markup)``: only in markup, which we write, a control token's text becomes the token.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.streaming import Streaming

Fragment: TypeAlias = tuple[str, bool]
Tool: TypeAlias = Mapping[str, Any]
Parsed: TypeAlias = tuple[str, tuple[ToolCall, ...]]


class RefusedError(Exception):
    """A conversation that this format cannot express; the text says why. Caught by the template: the row is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFormat:
    """How one family of models is told about tools, calls them and reads their answers.

    ``place``: the description joins the system text (``join`` between them), or stands in or before the first or the last
    user turn; ``first_block``: it is a system block of its own in front of the other; ``after_system``: it stands, markers and
    all, behind the system block; ``own``: a rule of the row puts it in place (`Draft.told`).
    ``head`` is what the system block begins with where there are tools; ``group``: answers in a row form one turn;
    ``bare``: a call stands without what the row writes around an answer; ``ids`` gives calls and answers the ids and names
    that the format demands. ``alone``: the system text where there are tools and none is given; ``before_system``: the
    description joins it from the front. ``typed``: ``parse`` takes the tools as a second argument, whose schemas tell a string
    "5" from a number; ``read`` takes a whole answer apart, reasoning and text too, where a format writes it as several messages.
    ``streaming``: how calls are recognised while the answer is being written.
    """

    name: str
    place: Literal["system", "first_user", "before_last_user", "first_block", "after_system", "own", "before_system"]
    describe: Callable[[Sequence[Tool]], list[Fragment]]
    calls: Callable[[str, Sequence[ToolCall]], list[Fragment]]
    results: Callable[[Sequence[Message]], list[Fragment]]
    parse: Callable[..., Parsed]
    read: Callable[[str, Sequence[Tool]], Message] | None = None
    typed: bool = False
    alone: str = ""
    head: str = ""
    join: str = "\n\n"
    group: bool = False
    one_call: bool = False
    bare: bool = False
    ids: Callable[[Sequence[Message]], list[Message]] | None = None
    stop: tuple[str, ...] = ()
    streaming: Streaming = field(default_factory=Streaming)

    def parsed(self, text: str, tools: Sequence[Tool] = ()) -> Parsed:
        """Take the calls out of a text; ``tools`` give bare arguments their types, where the format needs it."""
        return self.parse(text, tools) if self.typed else self.parse(text)


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON as the chat templates' `tojson` writes it: as it stands, not ASCII only."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def function_of(tool: Tool) -> Mapping[str, Any]:
    """The function of an OpenAI tool, or the bare entry itself."""
    inner = tool.get("function")
    return inner if isinstance(inner, Mapping) else tool


def arguments_of(call: ToolCall) -> str:
    """The arguments as JSON text, or the text that stands for them."""
    return call.arguments if isinstance(call.arguments, str) else to_json(call.arguments)


def load_json(text: str) -> Any:
    """The value of a JSON text, None where it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def call_from(value: Any, key: str = "arguments") -> ToolCall | None:
    """A call out of a decoded ``{"name": ..., key: {...}}``, None where it is none."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get(key, {})
    id_ = value.get("id")
    return ToolCall(value["name"], arguments if isinstance(arguments, dict) else to_json(arguments), id_)
