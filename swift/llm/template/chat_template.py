"""The tokenizer's own Jinja chat template as a renderer: the same pieces as a row gives, mask included.

Control tokens are those that the template itself writes. A control token's text inside a message, a tool or an answer is
broken up with a private character before rendering and mended afterwards, so it stays text.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date as Date
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from swift.llm.core import Conversation, Message
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template.render import CUT, DEFAULT_DATE, PLAIN, Atom, Weigher, scaled, written_date
from swift.llm.template.shape import Shape, probe
from swift.llm.template.spans import OWNED, OWNER_MARKS, Answer, Locator, Places, places
from swift.llm.template.tools import RefusedError
from swift.llm.tokenizer import TextTokenizer
from swift.utils.errors import ModelError

# What breaks control tokens, and the marks of `{% generation %}`; a mark that a text contains itself is never chosen.
_MARKS: Final = range(0xF0000, 0xF0100)
_PRIVATE = re.compile(f"[{chr(_MARKS[0])}-{chr(_MARKS[-1])}]")
_LOST: Final = "The tokenizer's chat template does not write {}: the model never sees them."
_DIALOGUE: Final = (("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))


class Marks(NamedTuple):
    """Three private characters: one breaks control tokens, two stand around what the template calls generated."""

    broken: str
    begin: str
    end: str


_FREE: Final = Marks(*map(chr, _MARKS[:3]))


class Span(NamedTuple):
    """A stretch of the text with its mask; ``question`` is what an answer's weights look at, None where it is no answer."""

    start: int
    body_end: int
    end: int
    trained: bool
    weight: float
    question: str | None


class ChatTemplate:
    """Renders with the chat template of the tokenizer. `notes` says where its mask differs from what one may expect."""

    def __init__(
        self, text: str, tokenizer: TextTokenizer, plan: TemplatePlan, weigh: Weigher | None = None
    ) -> None:
        self.text = text
        self.plan = plan
        self.weigh = weigh
        self.notes: dict[str, None] = {}
        self.shape = Shape()
        self._closing: str | None = None
        self._template = _compile(text)
        for_tools = tokenizer.chat_templates.get("tool_use", text)
        self._for_tools = self._template if for_tools == text else _compile(for_tools)
        self._marks_generation = re.search(r"\{%-?\s*generation\s*-?%\}", text) is not None
        self._read(tokenizer)
        self._learn()

    def _read(self, tokenizer: TextTokenizer) -> None:
        self.tokenizer = tokenizer
        self._control = _one_of(tokenizer.special_tokens)
        self._borders = _one_of(token for token in tokenizer.added_tokens if token not in tokenizer.special_tokens)
        self._variables: dict[str, Any] = {
            name: value for name, value in tokenizer.named_tokens.items() if value is not None
        }
        if self.plan.date is not None:
            self._variables["date_string"] = written_date(self.plan.date)
        if self.plan.enable_thinking is not None:
            self._variables["enable_thinking"] = self.plan.enable_thinking

    def _learn(self) -> None:
        """Try the template: what it wants to be given, which tokens separate turns, and what closes an answer."""
        self.shape = probe(lambda messages, tools, generate: self.write(messages, tools, {}, generate, _FREE)[0])
        dialogue = Conversation(tuple(Message(role, text) for role, text in _DIALOGUE))  # type: ignore[arg-type]
        try:
            text = self.write(_Rendering(self, dialogue).messages[:-1], [], {}, False, _FREE)[0]
        except RefusedError:
            return  # says so again for every conversation
        # Added tokens that separate turns: they are the template's alone, special or not.
        # An answer of an earlier turn carries no reasoning, so that markers of reasoning are not among them.
        separating = [token for token in self.tokenizer.added_tokens if len(token) > 2 and token in text]
        separating = [token for token in separating if token not in self.tokenizer.special_tokens and not _writable(token)]
        if separating:
            self._read(self.tokenizer.guard(separating))
        answer = self._located(_Rendering(self, dialogue), self.write_all(dialogue))[0][0]
        if answer is not None and answer.closed:
            closing = self._control and self._control.search(self.write_all(dialogue), answer.body_end, answer.end)
            self._closing = closing[0] if closing else None
        self.notes.clear()

    def write_all(self, conversation: Conversation) -> str:
        """The text of a whole conversation, as the template gives it but for the broken control tokens."""
        rendering = _Rendering(self, conversation)
        return rendering.render(rendering.messages, False)[0]

    def closings(self) -> list[str]:
        """The control token that ends an answer which is not the last one, where there is one."""
        return [] if self._closing is None else [self._closing]

    def atoms(self, conversation: Conversation, generate: bool = False) -> list[Atom]:
        """Walk one conversation. Raises RefusedError with the template's own words where it refuses."""
        if not conversation.messages:
            raise RefusedError("no messages")
        rendering = _Rendering(self, conversation)
        if generate:
            return self._prompt(rendering)
        text, generated = rendering.render(rendering.messages, False)
        wanted = [number for number, one in enumerate(rendering.sources) if one.role != "assistant" and one.train]
        others: Places = {}
        answers: list[Answer | None] = [self._generated(text, *span) for span in generated]
        if not self._marks_generation or wanted:
            found, others = self._located(rendering, text)
            answers = answers if self._marks_generation else found
        out = self._cut(text, self._spans(rendering.sources, answers, others, wanted), rendering.marks.broken)
        last = answers[-1] if answers else None
        if last is not None and not last.closed and rendering.sources[-1].role == "assistant":
            out += self._ending(rendering.sources[-1], text[last.end :])
        return out

    def _prompt(self, rendering: _Rendering) -> list[Atom]:
        """Up to where the answer begins; a last assistant message is continued."""
        messages, broken = rendering.messages, rendering.marks.broken
        last = rendering.sources[-1]
        if last.role != "assistant":
            return [*self._cut(rendering.render(messages, True)[0], [], broken), CUT]
        if last.reasoning is not None:  # the text of the whole, up to where the content ends
            text, generated = rendering.render(messages, False)
            found = [self._generated(text, *span) for span in generated] or self._located(rendering, text)[0]
            if found[-1] is None:
                raise RefusedError("an answer with reasoning cannot be continued in this format")
            start, end = found[-1].start, found[-1].body_end
            return self._cut(text[:end], [Span(start, end, end, True, 1.0, None)], broken)
        out = [*self._cut(rendering.render(messages[:-1], True)[0], [], broken), CUT]
        return [*out, (last.content, PLAIN, True, 1.0)] if last.content else out

    def write(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        kwargs: Mapping[str, Any],
        generate: bool,
        marks: Marks,
    ) -> tuple[str, list[tuple[int, int]]]:
        """Return the text, and the spans that the template marks as generated. Raises RefusedError."""
        import jinja2

        variables = {
            **self._variables,
            **kwargs,
            "messages": messages,
            "tools": tools or None,
            "documents": None,
            "add_generation_prompt": generate,
            "strftime_now": _clock(self.plan.date),
            "swift_marks": (marks.begin, marks.end),
        }
        try:
            text = (self._for_tools if tools else self._template).render(variables)
        except (
            *(jinja2.TemplateError, TypeError, LookupError, AttributeError, ValueError, ArithmeticError),
            RecursionError,
        ) as error:  # a chat template is a program of others, and this is how such a program fails
            raise RefusedError(f"the tokenizer's chat template refuses: {error}") from None
        return _take_marks(text, marks.begin, marks.end)

    def broken(self, value: Any, mark: str) -> Any:
        """Put the mark behind the first character of every control token's text."""
        if self._control is None or self.plan.permissive_special_tokens:
            return value
        if isinstance(value, str):
            return self._control.sub(lambda found: found[0][0] + mark + found[0][1:], value)
        if isinstance(value, Mapping):
            return {self.broken(key, mark): self.broken(item, mark) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.broken(item, mark) for item in value]
        return value

    def _generated(self, text: str, start: int, end: int) -> Answer:
        """A span that the template marks; a control token at its end, and what follows that, closes it."""
        last = None
        for last in self._control.finditer(text, start, end) if self._control is not None else ():
            pass
        closes = last is not None and not text[last.end() : end].strip()
        return Answer(start, last.start() if last is not None and closes else end, end, True)

    def _located(self, rendering: _Rendering, text: str) -> tuple[list[Answer | None], Places]:
        """Answers, and the places of all messages, in the rendered text.

        Marks are put at both ends of every message's text; where the template looks at those, at the end only; where even
        that changes what it writes, the texts are searched for.
        """
        closings = [one for one in (self._closing, self.tokenizer.eos_token) if one]
        locator = Locator(self._control, self._borders, closings, self.notes)
        for both in (True, False):
            marked, owners = rendering.marked(both)
            try:
                seen = rendering.render(marked, False)[0]
            except RefusedError:
                continue
            if not owners or OWNED.sub("", seen) != text:
                continue

            def where(text: str, owners: Mapping[str, tuple[int, int]] = owners) -> Places:
                return places(text, owners)

            found = locator.answers(marked, rendering.beginnings(marked, seen), where)
            there = where(seen)
            self._missed(rendering.sources, there)
            marks = [match.start() for match in OWNED.finditer(seen)]

            def clean(place: int, marks: list[int] = marks) -> int:
                return place - bisect_left(marks, place)

            return (
                [one and Answer(clean(one.start), clean(one.body_end), clean(one.end), one.closed) for one in found],
                {number: (clean(first), clean(last)) for number, (first, last) in there.items()},
            )
        messages = rendering.messages
        cores = [_core(message.content) for message in rendering.sources]

        def searched(text: str) -> Places:
            out: dict[int, tuple[int, int]] = {}
            place = 0
            for number, core in enumerate(cores):
                at = text.find(core, place) if core else -1
                if at >= 0:
                    place = at + len(core)
                    out[number] = (at, place)
            return out

        return locator.answers(messages, rendering.beginnings(messages, text), searched), searched(text)

    def _missed(self, sources: Sequence[Message], seen: Places) -> None:
        """Note what the template does not write at all."""
        for number, message in enumerate(sources):
            if number in seen:
                continue
            if message.tool_calls:
                self.notes[_LOST.format("tool calls")] = None
            elif message.role == "tool" and message.content.strip():
                self.notes[_LOST.format("what tools answer")] = None

    def _spans(
        self, sources: Sequence[Message], answers: Sequence[Answer | None], others: Places, wanted: Sequence[int]
    ) -> list[Span]:
        """Give each answer its message's mask and weight; a template that marks answers in another number keeps them as they are.

        ``wanted`` are the other messages whose data asks for loss.
        """
        spans = []
        messages: list[tuple[str, Message]] = []
        question = ""
        for message in sources:
            if message.role == "assistant":
                messages.append((question, message))
            else:
                question = message.content
        if len(messages) == len(answers):
            for (asked, message), one in zip(messages, answers, strict=True):
                if one is not None:
                    weight = 1.0 if message.weight is None else message.weight
                    spans.append(Span(one.start, one.body_end, one.end, message.train is not False, weight, asked))
        elif any(message.train is not None or message.weight is not None for _, message in messages):
            raise RefusedError("the tokenizer's chat template marks another number of answers than there are messages")
        else:
            spans += [Span(one.start, one.body_end, one.end, True, 1.0, "") for one in answers if one is not None]
        for number in wanted:
            if number not in others:
                raise RefusedError("a message to be trained cannot be found in what the tokenizer's chat template writes")
            first, last = others[number]
            weight = sources[number].weight
            spans.append(Span(first, last, last, True, 1.0 if weight is None else weight, None))
        return sorted(spans, key=lambda span: span.start)

    def _ending(self, message: Message, rest: str) -> list[Atom]:
        """What closes the last answer where the template itself does not: what closes earlier ones, else the eos token."""
        closing = self._closing or self.tokenizer.eos_token
        id_ = self.tokenizer.special_tokens.get(closing or "")
        if closing is None or id_ is None or rest.strip():
            return []
        weight = 1.0 if message.weight is None else message.weight
        return [(closing, id_, message.train is not False, weight)]

    def _cut(self, text: str, spans: Sequence[Span], mark: str) -> list[Atom]:
        """Cut the rendered text at spans and control tokens."""
        atoms: list[Atom] = []
        everything = self.plan.train_on_inputs
        place = 0
        for span in spans:
            if span.end <= span.start or span.start < place:
                continue
            self._pieces(text[place : span.start], everything, 1.0, mark, atoms)
            if span.question is None:
                self._pieces(text[span.start : span.end], span.trained, span.weight, mark, atoms)
            else:
                atoms.append(CUT)
                self._answer(text, span, mark, atoms)
            place = span.end
        self._pieces(text[place:], everything, 1.0, mark, atoms)
        return atoms

    def _answer(self, text: str, span: Span, mark: str, atoms: list[Atom]) -> None:
        if self.weigh is None or not span.trained:
            self._pieces(text[span.start : span.end], span.trained, span.weight, mark, atoms)
            return
        body: list[Atom] = []
        self._pieces(text[span.start : span.body_end], True, 1.0, mark, body)
        weights = self.weigh(span.question or "", "".join(atom[0] for atom in body))
        atoms += scaled(body, weights, span.weight)
        self._pieces(text[span.body_end : span.end], True, span.weight, mark, atoms)

    def _pieces(self, text: str, trained: bool, weight: float, mark: str, atoms: list[Atom]) -> None:
        ids = self.tokenizer.special_tokens
        for piece in self._control.split(text) if self._control is not None else [text]:
            if piece:
                atoms.append((piece.replace(mark, ""), ids.get(piece, PLAIN), trained, weight))


class _Rendering:
    """One conversation on its way through a template: `messages` as the template takes them, `sources` as they came."""

    def __init__(self, template: ChatTemplate, conversation: Conversation) -> None:
        self._template = template
        self.marks = _free_marks(conversation)
        self.sources = list(conversation.messages)
        system = template.plan.system
        if system and self.sources[0].role != "system" and not conversation.system_given:
            self.sources.insert(0, Message("system", system))
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


def _core(content: str) -> str:
    """What every template keeps of an answer: the text behind its reasoning, without white space around it."""
    return content.rsplit("</think>", 1)[-1].strip()


def _with_marks(content: str, opening: str, closing: str) -> str:
    """Marks inside the text, so that white space around it stays where it is."""
    core = _core(content)
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


def _free_marks(conversation: Conversation) -> Marks:
    """Private characters that occur nowhere in the conversation."""
    text = "".join([message.content for message in conversation.messages])
    if conversation.tools or any(message.tool_calls or message.reasoning for message in conversation.messages):
        text += json.dumps([asdict(message) for message in conversation.messages], ensure_ascii=False, default=str)
        text += json.dumps(conversation.tools, ensure_ascii=False, default=str)
    if text.isascii():
        return _FREE
    taken = set(_PRIVATE.findall(text))
    free = [chr(code) for code in _MARKS if chr(code) not in taken]
    if len(free) < len(_FREE):
        raise RefusedError("the text uses too many private characters")
    return Marks(*free[: len(_FREE)])


def _one_of(tokens: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(tokens, key=len, reverse=True)
    return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")") if longest_first else None


def _writable(token: str) -> bool:
    """Markers of reasoning and of tools are for a model, and for data, to write."""
    return any(word in token for word in ("think", "tool", "reason"))


def _take_marks(text: str, begin: str, end: str) -> tuple[str, list[tuple[int, int]]]:
    if begin not in text:
        return text, []
    spans: list[tuple[int, int]] = []
    out: list[str] = []
    length = 0
    for number, piece in enumerate(re.split(f"[{begin}{end}]", text)):
        if number % 2:
            spans.append((length, length + len(piece)))
        out.append(piece)
        length += len(piece)
    return "".join(out), spans


@lru_cache(maxsize=64)
def _clock(date: str | None) -> Callable[[str], str]:
    day = DEFAULT_DATE if date is None else Date.fromisoformat(date)
    return datetime(day.year, day.month, day.day).strftime


@lru_cache(maxsize=32)
def _compile(text: str) -> Any:
    """Compile as transformers does: sandboxed, block lines trimmed, with its tags, filters and functions."""
    import jinja2

    from swift.llm.template.jinja import environment

    try:
        return environment().from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise ModelError(
            f"The tokenizer's chat template cannot be read (line {error.lineno}: {error.message}). "
            "Choose a template with --template_type."
        ) from None
