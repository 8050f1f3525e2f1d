"""One conversation on its way through a chat template: its messages as the template takes them, plain or with marks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from swift.llm.core import Conversation, Message
from swift.llm.template.spans import OWNED, OWNER_MARKS, Places
from swift.llm.template.tools import RefusedError
from swift.utils.errors import ModelError

if TYPE_CHECKING:
    from swift.llm.template.chat_template import ChatTemplate

# What breaks control tokens, and the marks of `{% generation %}`; a mark that a text contains itself is never chosen.
_MARKS: Final = range(0xF0000, 0xF0100)
_PRIVATE = re.compile(f"[{chr(_MARKS[0])}-{chr(_MARKS[-1])}]")

_LOST: Final = "The tokenizer's chat template does not write {}: the model never sees them."
_LEFT_OUT: Final = "The tokenizer's chat template leaves out the {} of some conversations that end with an answer: these are trained without."


class Marks(NamedTuple):
    """Three private characters: one breaks control tokens, two stand around what the template calls generated."""

    broken: str
    begin: str
    end: str


FREE: Final = Marks(*map(chr, _MARKS[:3]))


class Rendering:
    """One conversation on its way through a template: `messages` as the template takes them, `sources` as they came.

    ``images``: characters that stand for images in the texts.
    """

    def __init__(self, template: ChatTemplate, conversation: Conversation, images: Sequence[str] = ()) -> None:
        self._template = template
        self._images = re.compile("([" + "".join(images) + "])") if images else None
        self.marks = free_marks(conversation)
        self.sources = template.sources_of(conversation)
        mark = self.marks.broken
        self._broken = [template.broken(as_dict(message), mark) for message in self.sources]
        self.messages = [self._shaped(message) for message in self._broken]
        self._tools = [template.broken(tool, mark) for tool in conversation.tools]
        self._kwargs = conversation.template_kwargs

    def render(self, messages: Sequence[Mapping[str, Any]], generate: bool) -> tuple[str, list[tuple[int, int]]]:
        """The text of these messages, and what the template marks in it."""
        return self._template.write(messages, self._tools, self._kwargs, generate, self.marks)

    def beginnings(self, messages: Sequence[Mapping[str, Any]], whole: str) -> Callable[[int, bool], str]:
        """Render the first messages, each beginning once; `whole` is the text of all of them."""
        known = {(len(messages), False): whole}

        def render(number: int, generate: bool) -> str:
            if (number, generate) not in known:
                known[number, generate] = self.render(messages[:number], generate)[0] if number else ""
            return known[number, generate]

        return render

    def marked(self, both: bool) -> tuple[list[dict[str, Any]], dict[str, tuple[int, int]]]:
        """The messages with private characters at the ends of their texts, and whose those are; none where the text has such."""
        out = []
        owners: dict[str, tuple[int, int]] = {}
        if any(OWNED.search(text) for message in self._broken for text in _texts(message)):
            return self.messages, owners
        for number, message in enumerate(self._broken):
            opening, closing = map(chr, OWNER_MARKS[2 * number : 2 * number + 2])
            owners[opening], owners[closing] = (number, -1), (number, 0)
            changed = dict(message)
            changed["content"] = _with_marks(message["content"], opening if both else "", closing)
            if message.get("tool_calls"):
                changed["tool_calls"] = [_marked_call(call, closing) for call in message["tool_calls"]]
            out.append(self._shaped(changed))
        return out, owners

    def _shaped(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The message as this template takes it."""
        shape = self._template.shape
        out = shape.of(message)
        if self._images is not None and self._images.search(message["content"]):
            pieces = enumerate(self._images.split(message["content"]))  # every second one is an image
            out["content"] = [
                {"type": "image"} if number % 2 else {"type": "text", "text": piece}
                for number, piece in pieces
                if piece
            ]
        if shape.json_arguments and message.get("tool_calls"):
            out["tool_calls"] = [
                {**call, "function": {**call["function"], "arguments": _as_json(call["function"]["arguments"])}}
                for call in message["tool_calls"]
            ]
        return out


def as_dict(message: Message) -> dict[str, Any]:
    """A message as transformers' templates expect it."""
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["tool_calls"] = [
            {
                "type": "function",
                **({"id": call.id} if call.id is not None else {}),
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    for key, value in (
        ("reasoning_content", message.reasoning),
        ("tool_call_id", message.tool_call_id),
        ("name", message.name),
    ):
        if value is not None:
            out[key] = value
    return out


def _as_json(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def core_of(content: str) -> str:
    """What every template keeps of an answer: the text behind its reasoning, without white space around it."""
    return content.rsplit("</think>", 1)[-1].strip()


def missed(sources: Sequence[Message], seen: Places) -> dict[str, None]:
    """Notes about messages that are nowhere in the template's text."""
    notes: dict[str, None] = {}
    for number, message in enumerate(sources):
        if number in seen:
            continue
        if message.tool_calls:
            notes[_LOST.format("tool calls")] = None
        elif message.role == "tool" and message.content.strip():
            notes[_LOST.format("what tools answer")] = None
        elif message.role in ("system", "user") and core_of(message.content):
            notes[_LEFT_OUT.format("system text" if message.role == "system" else "questions")] = None
    return notes


def _with_marks(content: str, opening: str, closing: str) -> str:
    """Marks inside the text, so that white space around it stays where it is."""
    core = core_of(content)
    start = content.rfind(core) if core else -1
    if start < 0:
        return content
    end = start + len(core)
    first = len(content) - len(content.lstrip())
    return content[: first + 1] + opening + content[first + 1 : end] + closing + content[end:]


def _marked_call(call: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """Mark a call's name: every format writes it, or its identifier."""
    function = dict(call["function"])
    function["name"] += mark
    if isinstance(function["arguments"], Mapping):
        function["arguments"] = {
            key: value + mark if isinstance(value, str) else value for key, value in function["arguments"].items()
        }
    return {**call, "function": function}


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def free_marks(conversation: Conversation) -> Marks:
    """Private characters that occur nowhere in the conversation."""
    text = "".join([message.content for message in conversation.messages])
    if conversation.tools or any(message.tool_calls or message.reasoning for message in conversation.messages):
        text += json.dumps([asdict(message) for message in conversation.messages], ensure_ascii=False, default=str)
        text += json.dumps(conversation.tools, ensure_ascii=False, default=str)
    if text.isascii():
        return FREE
    taken = set(_PRIVATE.findall(text))
    free = [chr(code) for code in _MARKS if chr(code) not in taken]
    if len(free) < len(FREE):
        raise RefusedError("the text uses too many private characters")
    return Marks(*free[: len(FREE)])


@lru_cache(maxsize=32)
def compile_template(text: str, traced: bool = False) -> Any:
    """Compile as transformers does: sandboxed, block lines trimmed, with its tags, filters and functions.

    ``traced``: for texts that stand for others.
    """
    import jinja2

    from swift.llm.template.jinja import environment

    if traced:
        from swift.llm.template.trace import tracing_environment as environment
    try:
        return environment().from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise ModelError(
            f"The tokenizer's chat template cannot be read (line {error.lineno}: {error.message}). "
            "Choose a template with --template_type."
        ) from None
