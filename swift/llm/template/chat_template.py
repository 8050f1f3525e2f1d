"""The tokenizer's own Jinja chat template as a renderer: the same pieces as a row gives, mask included.

Control tokens are those that the template itself writes. A control token's text inside a message, a tool or an answer is
broken up with a private character before rendering and mended afterwards, so it stays text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date as Date
from datetime import datetime
from functools import lru_cache
from typing import Any

from swift.llm.core import Conversation, Message
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template.render import CUT, DEFAULT_DATE, PLAIN, Atom, written_date
from swift.llm.template.tools import RefusedError
from swift.llm.tokenizer import TextTokenizer
from swift.utils.errors import ModelError

# Marks of `{% generation %}` in the rendered text; a mark that a text contains itself is never chosen (`_free_marks`).
_MARKS = range(0xF0000, 0xF0100)
_PRIVATE = re.compile(f"[{chr(_MARKS[0])}-{chr(_MARKS[-1])}]")
_ALL_FREE = [chr(code) for code in _MARKS[:4]]


class ChatTemplate:
    """Renders with the chat template of the tokenizer. `notes` says where its mask differs from what one may expect."""

    def __init__(self, text: str, tokenizer: TextTokenizer, plan: TemplatePlan) -> None:
        self.text = text
        self.tokenizer = tokenizer
        self.plan = plan
        self.notes: dict[str, None] = {}
        self._marks_generation = re.search(r"\{%-?\s*generation\s*-?%\}", text) is not None
        tokens = sorted(tokenizer.special_tokens, key=len, reverse=True)
        self._control = re.compile("(" + "|".join(map(re.escape, tokens)) + ")") if tokens else None
        self._template = _compile(text)

    def atoms(self, conversation: Conversation, generate: bool = False) -> list[Atom]:
        """Walk one conversation. Raises RefusedError with the template's own words where it refuses."""
        if not conversation.messages:
            raise RefusedError("no messages")
        marks = _free_marks(conversation)
        messages = self._messages(conversation, marks[0])
        if generate:
            return self._prompt(conversation, messages, marks)
        text, generated = self._render(conversation, messages, False, marks)
        if self._marks_generation:
            spans = generated
        else:
            spans = self._grown_spans(conversation, messages, text, marks)
        return self._cut(text, self._wanted(conversation, spans), marks[0])

    def _prompt(
        self, conversation: Conversation, messages: list[dict[str, Any]], marks: tuple[str, str, str, str]
    ) -> list[Atom]:
        started = ""
        if messages[-1]["role"] == "assistant":
            started = messages[-1]["content"]
            messages = messages[:-1]
        text, _ = self._render(conversation, messages, True, marks)
        atoms = [*self._cut(text, [], marks[0]), CUT]
        return [*atoms, (started.replace(marks[0], ""), PLAIN, True, 1.0)] if started else atoms

    def _messages(self, conversation: Conversation, mark: str) -> list[dict[str, Any]]:
        out = [_as_dict(message) for message in conversation.messages]
        if self.plan.system and out[0]["role"] != "system" and not conversation.system_given:
            out.insert(0, {"role": "system", "content": self.plan.system})
        return [self._broken(message, mark) for message in out]

    def _broken(self, value: Any, mark: str) -> Any:
        """Put the mark behind the first character of every control token's text."""
        if self._control is None or self.plan.permissive_special_tokens:
            return value
        if isinstance(value, str):
            return self._control.sub(lambda found: found[0][0] + mark + found[0][1:], value)
        if isinstance(value, Mapping):
            return {self._broken(key, mark): self._broken(item, mark) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._broken(item, mark) for item in value]
        return value

    def _render(
        self,
        conversation: Conversation,
        messages: Sequence[Mapping[str, Any]],
        generate: bool,
        marks: tuple[str, str, str, str],
    ) -> tuple[str, list[tuple[int, int]]]:
        """Return the text and the spans that the template marks as generated."""
        import jinja2

        variables: dict[str, Any] = {
            name: value for name, value in self.tokenizer.named_tokens.items() if value is not None
        }
        if self.plan.date is not None:
            variables["date_string"] = written_date(self.plan.date)
        if self.plan.enable_thinking is not None:
            variables["enable_thinking"] = self.plan.enable_thinking
        variables.update(conversation.template_kwargs)
        variables.update(
            messages=messages,
            tools=[self._broken(tool, marks[0]) for tool in conversation.tools] or None,
            documents=None,
            add_generation_prompt=generate,
            strftime_now=_clock(self.plan.date),
            swift_marks=(marks[1], marks[2]),
        )
        try:
            text = self._template.render(**variables)
        except (jinja2.TemplateError, TypeError, KeyError, AttributeError, ValueError, IndexError) as error:
            raise RefusedError(f"the tokenizer's chat template refuses: {error}") from None
        return _take_marks(text, marks[1], marks[2])

    def _grown_spans(
        self, conversation: Conversation, messages: list[dict[str, Any]], text: str, marks: tuple[str, str, str, str]
    ) -> list[tuple[int, int]]:
        """Spans of the answers where the template marks none: by rendering each beginning of the conversation.

        An answer begins where the prompt for it ends, and ends with the control token behind its text.
        """
        numbers = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
        found: list[tuple[int, int] | None] = []
        starts: list[int] = []
        for number in numbers:
            prompt = self._render(conversation, messages[:number], True, marks)[0] if number else self._opening(text)
            start = _common(prompt, text)
            if start < len(prompt):
                asked = self._render(conversation, messages[:number], False, marks)[0] if number else ""
                if text.startswith(asked) and start >= len(asked):
                    self.notes[
                        f"The tokenizer's chat template begins answers with {prompt[start:]!r}, "
                        "which its text of a whole conversation leaves out."
                    ] = None
                else:
                    found.append(self._located(conversation, messages, number, text, marks))
                    starts.append(found[-1][0] if found[-1] else len(text))
                    continue
            found.append(None)
            starts.append(start)
        spans = []
        for place, number in enumerate(numbers):
            located = found[place]
            if located is not None:
                spans.append(located)
                continue
            limit = starts[place + 1] if place + 1 < len(starts) else len(text)
            common = len(text)
            if number + 1 < len(messages) and (self._control is None or messages[number].get("tool_calls")):
                common = _common(self._render(conversation, messages[: number + 1], False, marks)[0], text)
            spans.append((starts[place], self._end(text, starts[place], limit, common, messages[number])))
        return spans

    def _located(
        self,
        conversation: Conversation,
        messages: list[dict[str, Any]],
        number: int,
        text: str,
        marks: tuple[str, str, str, str],
    ) -> tuple[int, int]:
        """The span of an answer whose prompt is no beginning of the text: found by putting a mark in its place."""
        marked = [dict(message) for message in messages]
        marked[number]["content"] = marks[3]
        probe, _ = self._render(conversation, marked, False, marks)
        before, _, after = probe.partition(marks[3])
        if before == probe or not text.startswith(before) or not text.endswith(after):
            self.notes["The tokenizer's chat template rewrites earlier answers: those are not trained."] = None
            return 0, 0
        self.notes[
            "The tokenizer's chat template writes a whole conversation in another way than it asks for an answer: "
            "what is trained is not exactly what generation sees."
        ] = None
        start, end = len(before), len(text) - len(after)
        if self._control is not None:
            controls = list(self._control.finditer(text, 0, start))
            if controls and not text[controls[-1].end() : start].strip():
                start = controls[-1].end()
            closing = self._control.search(text, end)
            end = closing.end() if closing else end
        return start, end

    def _opening(self, text: str) -> str:
        """For a conversation that begins with an answer: the control tokens in front of it."""
        match = self._control.match(text) if self._control is not None else None
        return match[0] if match else ""

    def _end(self, text: str, start: int, limit: int, common: int, message: Mapping[str, Any]) -> int:
        """The place behind the control token that closes the answer that starts at `start`.

        `limit`: the next answer begins there; `common`: up to there the text is as it is when the answer is the last one.
        """
        content = message["content"] if isinstance(message.get("content"), str) else ""
        answer = content.rsplit("</think>", 1)[-1].strip()
        place = text.find(answer, start, limit)
        after = start if place < 0 else place + len(answer)
        if self._control is None:
            return min(limit, common) if common > after else limit
        if message.get("tool_calls"):
            found = list(self._control.finditer(text, after, common if common > after else limit))
            closing = [match for match in found if match[0] == self.tokenizer.eos_token] or found[-1:]
            return closing[0].end() if closing else limit
        match = self._control.search(text, after, limit)
        return match.end() if match else limit

    def _wanted(self, conversation: Conversation, spans: list[tuple[int, int]]) -> list[tuple[int, int, bool, float]]:
        """Give each span its message's mask and weight; a template that marks spans in another number keeps them as they are."""
        answers = [message for message in conversation.messages if message.role == "assistant"]
        if len(answers) != len(spans):
            if any(message.train is not None or message.weight is not None for message in answers):
                raise RefusedError(
                    "the tokenizer's chat template marks another number of answers than there are messages"
                )
            return [(start, end, True, 1.0) for start, end in spans]
        return [
            (start, end, message.train is not False, 1.0 if message.weight is None else message.weight)
            for (start, end), message in zip(spans, answers, strict=True)
        ]

    def _cut(self, text: str, spans: list[tuple[int, int, bool, float]], mark: str) -> list[Atom]:
        """Cut the rendered text at spans and control tokens."""
        atoms: list[Atom] = []
        everything = self.plan.train_on_inputs
        place = 0
        for start, end, trained, weight in spans:
            if end <= start:
                continue
            self._pieces(text[place:start], everything, 1.0, mark, atoms)
            atoms.append(CUT)
            self._pieces(text[start:end], trained, weight, mark, atoms)
            place = end
        self._pieces(text[place:], everything, 1.0, mark, atoms)
        return atoms

    def _pieces(self, text: str, trained: bool, weight: float, mark: str, atoms: list[Atom]) -> None:
        ids = self.tokenizer.special_tokens
        for piece in self._control.split(text) if self._control is not None else [text]:
            if piece:
                atoms.append((piece.replace(mark, ""), ids.get(piece, PLAIN), trained, weight))


def _as_dict(message: Message) -> dict[str, Any]:
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


def _free_marks(conversation: Conversation) -> tuple[str, str, str, str]:
    """Four private characters that occur nowhere in the conversation."""
    text = "".join(message.content for message in conversation.messages)
    if conversation.tools or any(message.tool_calls or message.reasoning for message in conversation.messages):
        text += json.dumps([asdict(message) for message in conversation.messages], ensure_ascii=False, default=str)
        text += json.dumps(conversation.tools, ensure_ascii=False, default=str)
    taken = set(_PRIVATE.findall(text))
    free = [chr(code) for code in _MARKS if chr(code) not in taken] if taken else _ALL_FREE
    if len(free) < 4:
        raise RefusedError("the text uses too many private characters")
    return free[0], free[1], free[2], free[3]


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


def _common(left: str, right: str) -> int:
    """Length of the common beginning."""
    if right.startswith(left):
        return len(left)
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if left[:middle] == right[:middle] else (low, middle - 1)
    return low


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
