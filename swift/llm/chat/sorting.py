"""An answer's text, as it grows, sorted into what the message holds: content, reasoning, pieces of tool calls.

Joined, the pieces are what `Template.parse` reads in the whole text, however it was cut; but for an answer that ends within
a call (its arguments stay as far as they came), or that breaks off a row of calls with something that is none. Knows no
engine and no tokenizer.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from swift.llm.core import Conversation, Message, ToolCall
from swift.llm.template import Template
from swift.llm.template.tools.streaming import Streaming

__all__ = ["CallDelta", "JsonEnd", "Piece", "Sorter", "new_call_id", "opens_thinking", "overlap"]

_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A piece of the call number ``index``: ``id`` and ``name`` with its first piece only, ``arguments`` a piece of JSON."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """What some new text turned out to be."""

    content: str = ""
    reasoning: str = ""
    calls: tuple[CallDelta, ...] = ()


def new_call_id() -> str:
    """``call_`` and 24 random letters and digits, as OpenAI's ids are."""
    return "call_" + "".join(secrets.choice(_LETTERS) for _ in range(24))


def overlap(text: str, word: str) -> int:
    """How many characters at the end of ``text`` are a beginning of ``word`` (never all of it)."""
    return next((size for size in range(min(len(text), len(word) - 1), 0, -1) if text.endswith(word[:size])), 0)


def opens_thinking(template: Template, conversation: Conversation, tail: Callable[[], str]) -> bool:
    """Whether the prompt ends within the reasoning, so that the answer begins there. ``tail``: the last words of the prompt."""
    thinking = tags_of(template)
    if thinking is None:
        return False
    begin, end = thinking
    last = conversation.messages[-1] if conversation.messages else None
    if last is not None and last.role == "assistant" and begin in last.content:
        return last.content.rfind(begin) > last.content.rfind(end)
    return tail().rstrip().endswith(begin)


def tags_of(template: Template) -> tuple[str, str] | None:
    """The tags around reasoning in the answers of a template."""
    fmt = template.tool_format
    if fmt is not None and fmt.read is not None:
        return fmt.streaming.thinking
    return template.thinking_tags


class JsonEnd:
    """Finds where a JSON object ends that comes in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = self._escaped = False

    def find(self, text: str) -> int | None:
        """How much of ``text``, which goes on where the last one ended, still belongs to the object; None: all, and more."""
        for place, letter in enumerate(text):
            if self._quoted:
                if self._escaped:
                    self._escaped = False
                elif letter == "\\":
                    self._escaped = True
                elif letter == '"':
                    self._quoted = False
            elif letter == '"':
                self._quoted = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    return place + 1
        return None


@dataclass(slots=True)
class _Out:
    """What one push gives out, collected."""

    content: str = ""
    reasoning: str = ""
    calls: list[CallDelta] = field(default_factory=list)


class Sorter:
    """Sorts one answer. ``opened``: the prompt ends within the reasoning."""

    def __init__(self, template: Template, tools: Sequence[Mapping[str, Any]] = (), *, opened: bool = False) -> None:
        self._template = template
        self._format = template.tool_format
        self._tools = tools
        self._opened = opened
        self._signs = self._format.streaming if self._format is not None else Streaming()
        if self._signs.plain and not tools:
            self._format, self._signs = None, Streaming()
        self._tags = tags_of(template)
        self._parts: list[str] = []  # the whole text, for the format's parser at the end
        self._rest = ""  # not sorted yet
        self._state = self._channel if self._signs.channels else self._begin
        self._from = 0  # from where on in the rest a call is looked for: what lies before is none
        self._tried = 0  # up to where in the rest whole calls were looked for
        self._content = ""  # given out so far
        self._has_reasoning = False
        self._skips = self._signs.stripped  # whether white space (or line breaks, behind reasoning) is dropped
        self._num_calls = 0
        self._json = JsonEnd()
        self._num_thoughts = 0

    def push(self, text: str, *, is_end: bool = False) -> Piece:
        """Take new text; returns what is certain. ``is_end``: nothing follows, so everything is."""
        out = _Out()
        if self._format is not None:
            self._parts.append(text)
        self._rest += text
        while self._state(out, is_end):
            pass
        if is_end:
            self._end(out)
        return Piece(out.content, out.reasoning, tuple(out.calls))

    # Each state takes what it can from the rest, and says whether another one (or itself again) should look at what is left.

    def _begin(self, out: _Out, is_end: bool) -> bool:
        """Before the first word: is there reasoning?"""
        if self._tags is None:
            self._state = self._write
            return True
        begin, text = self._tags[0], self._rest.lstrip()
        if text.startswith(begin):
            self._rest = text[len(begin) :]
            self._state = self._think
        elif begin.startswith(text) and not is_end:
            return False
        else:
            self._state = self._think if self._opened else self._write
        return True

    def _think(self, out: _Out, is_end: bool) -> bool:
        assert self._tags is not None
        end = self._tags[1]
        blank = None if self._signs.stripped else "\n"
        if not self._has_reasoning:
            self._rest = self._rest.lstrip(blank)
        place = self._rest.find(end)
        body = self._rest[:place] if place >= 0 else self._rest[: len(self._rest) - overlap(self._rest, end)]
        if place < 0 and is_end:
            body = self._rest
        shown = body.rstrip(blank)
        out.reasoning += shown
        self._has_reasoning = self._has_reasoning or bool(shown)
        if place >= 0:
            self._rest = self._rest[place + len(end) :]
            self._state, self._skips = self._write, True
            return True
        self._rest = "" if is_end else self._rest[len(shown) :]
        return False

    def _write(self, out: _Out, is_end: bool) -> bool:
        """Text, until a call begins."""
        if not self._open(is_end):
            return False
        signs = self._signs
        begin, word = self._next_begin()
        if begin < 0:
            keep = max((overlap(self._rest, one) for one in (*signs.begins, *signs.ending)), default=0)
            keep = max((len(one) for one in signs.ending if self._rest.endswith(one)), default=keep)
            if signs.anchored and self._content.strip():
                keep = 0
            self._say(
                out, len(self._rest) if is_end and not signs.ending and not signs.stripped else len(self._rest) - keep
            )
            return False
        behind = self._rest[begin + len(word) :].lstrip()
        if signs.follows and behind and behind[0] not in signs.follows:
            self._from = begin + len(word)
            return True
        self._say(out, begin)
        begin, word = self._next_begin()
        return self._take(out, begin) if behind else False

    def _open(self, is_end: bool) -> bool:
        """Drop what stands before the first word of the text; False while that is open."""
        if self._content:
            return True
        for word in self._signs.opening:
            if self._rest.startswith(word):
                self._rest = self._rest[len(word) :]
            elif word.startswith(self._rest) and not is_end:
                return False
        if self._skips:
            self._rest = self._rest.lstrip(None if self._signs.stripped else "\n")
        return True

    def _next_begin(self) -> tuple[int, str]:
        """Where the next call may begin in the rest, and with what; (-1, "") if nowhere."""
        if self._signs.anchored and self._content.strip():
            return -1, ""
        found = [(place, word) for word in self._signs.begins if (place := self._rest.find(word, self._from)) >= 0]
        place, word = min(found, key=lambda pair: (pair[0], -len(pair[1])), default=(-1, ""))
        return (-1, "") if self._signs.anchored and self._rest[: max(place, 0)].strip() else (place, word)

    def _say(self, out: _Out, size: int) -> None:
        """Give out that much of the rest as text, but keep white space at its end that may belong to a call or to nothing."""
        text = self._rest[:size]
        if self._signs.leads or self._signs.stripped:
            text = text.rstrip()
        out.content += text
        self._content += text
        self._rest = self._rest[len(text) :]
        self._from = max(0, self._from - len(text))

    def _take(self, out: _Out, begin: int) -> bool:
        """Begin with the call at ``begin``, or give out a whole one, if the text that is there suffices."""
        around = self._signs.around
        found = around.head.match(self._rest, begin) if around is not None else None
        if found is not None:
            self._lead(out, begin)
            inner = found.groupdict().get("content")
            if inner:
                out.content += inner
                self._content += inner
            self._call(out, found)
            return True
        size = self._whole(out, lambda: self._lead(out, begin))
        if size:
            self._rest, self._tried = self._rest[size:], 0
            self._state = self._write if self._signs.goes_on else self._more
        return bool(size)

    def _lead(self, out: _Out, begin: int) -> None:
        """Give out the text before a call, without what only separates the two."""
        text = self._rest[:begin]
        for lead in self._signs.leads:
            if text.endswith(lead):
                text = text.removesuffix(lead)
                break
        if (self._signs.stripped or self._signs.anchored) and not text.strip():
            text = ""
        out.content += text
        self._content += text

    def _whole(self, out: _Out, before: Callable[[], None]) -> int:
        """Give out the calls that are whole; returns how much of the rest they take (0: none is)."""
        assert self._format is not None
        for place in self._ends():
            calls = self._format.parsed(self._rest[:place], self._tools)[1]
            self._tried = place
            if calls:
                before()
                self._give(out, calls)
                return place
        return 0

    def _ends(self) -> Iterator[int]:
        word = self._signs.ends
        start = max(0, self._tried - len(word) + 1) if self._tried else 0
        while word and (place := self._rest.find(word, start)) >= 0:
            start = place + len(word)
            if start > self._tried:
                yield start

    def _call(self, out: _Out, found: Any) -> None:
        out.calls.append(CallDelta(self._num_calls, new_call_id(), found["name"].strip()))
        self._num_calls += 1
        self._rest = self._rest[found.end() :]
        self._json = JsonEnd()
        self._state = self._argue

    def _argue(self, out: _Out, is_end: bool) -> bool:
        """The arguments of a call, as they come."""
        size = self._json.find(self._rest)
        text = self._rest if size is None else self._rest[:size]
        if text:
            out.calls.append(CallDelta(self._num_calls - 1, arguments=text))
        self._rest = self._rest[len(text) :]
        if size is not None:
            self._state = self._between
        return size is not None

    def _between(self, out: _Out, is_end: bool) -> bool:
        """Behind the arguments of a call: is there another one?"""
        around = self._signs.around
        found = around.between.match(self._rest) if around is not None and around.between is not None else None
        if found is not None:
            self._call(out, found)
        return found is not None

    def _more(self, out: _Out, is_end: bool) -> bool:
        """Behind a whole call: is there another one?"""
        size = self._whole(out, lambda: None)
        self._rest, self._tried = self._rest[size:], 0 if size else self._tried
        return bool(size)

    def _channel(self, out: _Out, is_end: bool) -> bool:
        """The header of a message: what is it for?"""
        start = self._rest.lstrip()
        if start and not any(word.startswith(start) or start.startswith(word) for word in ("<|", "to=", "assistant")):
            self._state, self._signs = self._write, Streaming()
            return True
        head, mark, body = self._rest.partition("<|message|>")
        if not mark:
            return False
        self._rest = body
        name = head.partition("to=functions.")[2].partition("<")[0].split()
        if name:
            out.calls.append(CallDelta(self._num_calls, new_call_id(), name[0]))
            self._num_calls += 1
            self._state = self._channel_call
        elif "<|channel|>analysis" in head:
            self._num_thoughts += 1
            out.reasoning += "\n" if self._num_thoughts > 1 else ""
            self._state = self._channel_thought
        else:
            self._state = self._channel_text
        return True

    def _channel_body(self, is_end: bool) -> tuple[str, bool]:
        """Take what is certain of a message's text; the second value says whether it ended."""
        found = [(place, word) for word in self._signs.ending if (place := self._rest.find(word)) >= 0]
        if found:
            place, word = min(found)
            text, self._rest = self._rest[:place], self._rest[place + len(word) :]
            self._state = self._channel
            return text, True
        keep = 0 if is_end else max(overlap(self._rest, word) for word in self._signs.ending)
        size = len(self._rest) - keep
        text, self._rest = self._rest[:size], self._rest[size:]
        return text, False

    def _channel_text(self, out: _Out, is_end: bool) -> bool:
        text, ended = self._channel_body(is_end)
        out.content += text
        self._content += text
        return ended

    def _channel_thought(self, out: _Out, is_end: bool) -> bool:
        text, ended = self._channel_body(is_end)
        out.reasoning += text
        return ended

    def _channel_call(self, out: _Out, is_end: bool) -> bool:
        text, ended = self._channel_body(is_end)
        if text:
            out.calls.append(CallDelta(self._num_calls - 1, arguments=text))
        return ended

    def _give(self, out: _Out, calls: Sequence[ToolCall]) -> None:
        for call in calls:
            arguments = call.arguments
            text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
            out.calls.append(CallDelta(self._num_calls, new_call_id(), call.name, text))
            self._num_calls += 1

    def _end(self, out: _Out) -> None:
        """What was held back: the format's parser decides about all of it."""
        rest, self._rest = self._rest, ""
        if not rest or self._format is None or self._state in (self._argue, self._think):
            if self._state not in (self._argue, self._think):
                out.content += rest
            return
        message = self._template.parse("".join(self._parts), self._tools, opened=self._opened)
        if len(message.tool_calls) >= max(1, self._num_calls):
            self._rest_of_text(out, message, rest)
            self._give(out, message.tool_calls[self._num_calls :])
        elif self._num_calls == 0:
            self._rest_of_text(out, message, rest)
        else:
            out.content += self._behind(rest)

    def _rest_of_text(self, out: _Out, message: Message, rest: str) -> None:
        if self._num_calls == 0 or self._signs.goes_on:
            out.content += message.content[len(self._content) :] if message.content.startswith(self._content) else rest

    def _behind(self, rest: str) -> str:
        """What follows the last call and is none: without the rest of its markup, or of a call that was cut off."""
        place = 0
        for letter in self._signs.around.closing if self._signs.around is not None else "":
            while place < len(rest) and rest[place].isspace():
                place += 1
            if rest[place : place + 1] != letter:
                break
            place += 1
        text = rest[place:].strip()
        cut = any(text.startswith(word) or word.startswith(text) for word in self._signs.begins)
        return "" if cut or self._signs.channels else text
