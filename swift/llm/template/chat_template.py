"""The tokenizer's own Jinja chat template as a renderer: the same pieces as a row gives, mask included.

Control tokens are those that the template itself writes. A control token's text inside a message, a tool or an answer is
broken up with a private character before rendering and mended afterwards, so it stays text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date as Date
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

from swift.llm.core import Conversation, Message
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template.recognise import recognise
from swift.llm.template.render import CUT, DEFAULT_DATE, PLAIN, Atom, Weigher, scaled, written_date
from swift.llm.template.rendering import FREE, Marks, Rendering, compile_template, core_of, free_marks, missed
from swift.llm.template.shape import Shape, probe
from swift.llm.template.spans import OWNED, Answer, Locator, Places, places
from swift.llm.template.tools import RefusedError, ToolFormat
from swift.llm.template.ways import Traced
from swift.llm.tokenizer import TextTokenizer

_DIALOGUE: Final = (("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))


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

    def __init__(self, text: str, tokenizer: TextTokenizer, plan: TemplatePlan, weigh: Weigher | None = None) -> None:
        self.text = text
        self.plan = plan
        self.weigh = weigh
        self.notes: dict[str, None] = {}
        self.shape = Shape()
        self._closing: str | None = None
        self._traced = Traced(text)
        self._template = compile_template(text)
        for_tools = tokenizer.chat_templates.get("tool_use", text)
        self._for_tools = self._template if for_tools == text else compile_template(for_tools)
        self.marks_generation = re.search(r"\{%-?\s*generation\s*-?%\}", text) is not None
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
        self.shape = probe(lambda messages, tools, generate: self.write(messages, tools, {}, generate, FREE)[0])
        dialogue = Conversation(tuple(Message(role, text) for role, text in _DIALOGUE))  # type: ignore[arg-type]
        try:
            text = self.write(Rendering(self, dialogue).messages[:-1], [], {}, False, FREE)[0]
        except RefusedError:
            return  # says so again for every conversation
        # Added tokens that separate turns: they are the template's alone, special or not.
        # An answer of an earlier turn carries no reasoning, so that markers of reasoning are not among them.
        separating = [token for token in self.tokenizer.added_tokens if len(token) > 2 and token in text]
        separating = [
            token for token in separating if token not in self.tokenizer.special_tokens and not _writable(token)
        ]
        if separating:
            self._read(self.tokenizer.guard(separating))
        answer = self._located(Rendering(self, dialogue), self.write_all(dialogue))[0][0]
        if answer is not None and answer.closed:
            closing = self._control and self._control.search(self.write_all(dialogue), answer.body_end, answer.end)
            self._closing = closing[0] if closing else None
        self.notes.clear()

    def write_all(self, conversation: Conversation) -> str:
        """The text of a whole conversation, as the template gives it but for the broken control tokens."""
        rendering = Rendering(self, conversation)
        return rendering.render(rendering.messages, False)[0]

    def closings(self) -> list[str]:
        """The control token that ends an answer which is not the last one, where there is one."""
        return [] if self._closing is None else [self._closing]

    def atoms(self, conversation: Conversation, generate: bool = False) -> list[Atom]:
        """Walk one conversation. Raises RefusedError with the template's own words where it refuses."""
        if not conversation.messages:
            raise RefusedError("no messages")
        if generate:
            return self._prompt(Rendering(self, conversation))
        sources = self.sources_of(conversation)
        if self._traced.possible(sources, conversation):
            mark = free_marks(conversation).broken
            contents = [self.broken(message.content, mark) for message in sources]
            found = self._traced.fill(self, sources, contents, conversation)
            if found is not None:
                return self.finished(sources, *found, mark)
        rendering = Rendering(self, conversation)
        return self.finished(sources, *self.answered(rendering), rendering.marks.broken)

    def prompt_with_images(self, conversation: Conversation, marks: Sequence[str]) -> list[Atom]:
        """As `atoms`, up to where the answer begins; each of ``marks`` in a text is an image among the message's parts."""
        return self._prompt(Rendering(self, conversation, marks))

    @cached_property
    def tool_format(self) -> ToolFormat | None:
        """The format in which this template writes calls, as far as one of ours reads it."""
        known = dict(self.notes)
        found = recognise(self._last_answer, self.text)
        for note in [note for note in self.notes if note not in known]:
            del self.notes[note]  # of our calls, not of the user's data
        return found

    def _last_answer(self, conversation: Conversation) -> str:
        rendering = Rendering(self, conversation)
        text, answers, _ = self.answered(rendering)
        last = answers[-1] if answers else None
        if last is None:
            raise RefusedError("the answer cannot be found")
        return text[last.start : last.body_end].replace(rendering.marks.broken, "").rpartition("</think>")[2]

    def answered(self, rendering: Rendering) -> tuple[str, list[Answer | None], Places]:
        """The text, its answers and, as far as they are needed, the places of all messages."""
        text, generated = rendering.render(rendering.messages, False)
        others: Places = {}
        answers: list[Answer | None] = [self.generated(text, *span) for span in generated]
        wanted = any(one.role != "assistant" and one.train for one in rendering.sources)
        if not self.marks_generation or wanted:
            found, others = self._located(rendering, text)
            answers = answers if self.marks_generation else found
        return text, answers, others

    def finished(
        self, sources: Sequence[Message], text: str, answers: Sequence[Answer | None], others: Places, mark: str
    ) -> list[Atom]:
        """The rendered text as atoms; `mark` is what control tokens in messages are broken with."""
        wanted = [number for number, one in enumerate(sources) if one.role != "assistant" and one.train]
        out = self._cut(text, self._spans(sources, answers, others, wanted), mark)
        last = answers[-1] if answers else None
        if last is not None and not last.closed and sources[-1].role == "assistant":
            out += self._ending(sources[-1], text[last.end :])
        return out

    def sources_of(self, conversation: Conversation) -> list[Message]:
        """The messages, with the plan's system text in front where they have none."""
        sources = list(conversation.messages)
        if self.plan.system and sources[0].role != "system" and not conversation.system_given:
            sources.insert(0, Message("system", self.plan.system))
        return sources

    def _prompt(self, rendering: Rendering) -> list[Atom]:
        """Up to where the answer begins; a last assistant message is continued."""
        messages, broken = rendering.messages, rendering.marks.broken
        last = rendering.sources[-1]
        if last.role != "assistant":
            return [*self._asked(rendering, len(messages)), CUT]
        if last.reasoning is not None:  # the text of the whole, up to where the content ends
            text, generated = rendering.render(messages, False)
            found = [self.generated(text, *span) for span in generated] or self._located(rendering, text)[0]
            if found[-1] is None:
                raise RefusedError("an answer with reasoning cannot be continued in this format")
            start, end = found[-1].start, found[-1].body_end
            return self._cut(text[:end], [Span(start, end, end, True, 1.0, None)], broken)
        out = [*self._asked(rendering, len(messages) - 1), CUT]
        return [*out, (last.content, PLAIN, True, 1.0)] if last.content else out

    def _asked(self, rendering: Rendering, number: int) -> list[Atom]:
        """The prompt behind the first messages; earlier answers are cut as in a sample, where a token may not cross their border."""
        prompt = rendering.render(rendering.messages[:number], True)[0]
        sources = rendering.sources[:number]
        spans: list[Span] = []
        if any(message.role == "assistant" for message in sources):
            try:
                text, answers, others = self.answered(rendering)
            except RefusedError:  # it takes no conversation that ends with a question, unless it asks for the answer
                text, answers, others = "", [], {}
            found = self._spans(rendering.sources, answers, others, []) if answers else []
            spans = [span for span in found if prompt.startswith(text[: span.end])]
        return self._cut(prompt, spans, rendering.marks.broken)

    def write(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        kwargs: Mapping[str, Any],
        generate: bool,
        marks: Marks = FREE,
        template: Any = None,
    ) -> tuple[str, list[tuple[int, int]]]:
        """Return the text, and the spans that the template marks as generated. Raises RefusedError.

        ``template`` is another compilation of the same text.
        """
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
            text = (template or (self._for_tools if tools else self._template)).render(variables)
        except (
            *(jinja2.TemplateError, TypeError, LookupError, AttributeError, ValueError, ArithmeticError),
            RecursionError,
        ) as error:  # a chat template is a program of others, and this is how such a program fails
            raise RefusedError(f"the tokenizer's chat template refuses: {error}") from None
        return _take_marks(str.__str__(text), marks.begin, marks.end)

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

    def generated(self, text: str, start: int, end: int) -> Answer:
        """A span that the template marks; a control token at its end, and what follows that, closes it."""
        found = list(self._control.finditer(text, start, end)) if self._control is not None else []
        last = found[-1] if found else None
        closes = last is not None and not text[last.end() : end].strip()
        return Answer(start, last.start() if last is not None and closes else end, end, True)

    def _located(self, rendering: Rendering, text: str) -> tuple[list[Answer | None], Places]:
        """Answers, and the places of all messages, in the rendered text.

        Marks are put at both ends of every message's text; where the template looks at those, at the end only; where even
        that changes what it writes, the texts are searched for.
        """
        locator = self.locator(self.notes)
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
            self.notes.update(missed(rendering.sources, there))
            marks = [match.start() for match in OWNED.finditer(seen)]

            def clean(place: int, marks: list[int] = marks) -> int:
                return place - bisect_left(marks, place)

            return (
                [one and Answer(clean(one.start), clean(one.body_end), clean(one.end), one.closed) for one in found],
                {number: (clean(first), clean(last)) for number, (first, last) in there.items()},
            )
        messages = rendering.messages
        cores = [core_of(message.content) for message in rendering.sources]

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

    def locator(self, notes: dict[str, None]) -> Locator:
        """What finds answers in this template's texts."""
        closings = [one for one in (self._closing, self.tokenizer.eos_token) if one]
        return Locator(self._control, self._borders, closings, notes)

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
                raise RefusedError(
                    "a message to be trained cannot be found in what the tokenizer's chat template writes"
                )
            first, last = others[number]
            asked_for = sources[number].weight
            spans.append(Span(first, last, last, True, 1.0 if asked_for is None else asked_for, None))
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
