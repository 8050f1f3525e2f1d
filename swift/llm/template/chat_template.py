"""The tokenizer's own Jinja chat template as a renderer: the same pieces as a row gives, mask included.

Control tokens are those that the template itself writes. A control token's text inside a message, a tool or an answer is
broken up with a private character before rendering and mended afterwards, so it stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date as Date
from datetime import datetime
from functools import lru_cache
from typing import Any

from swift.llm.core import Conversation, Message
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template.render import CUT, DEFAULT_DATE, PLAIN, Atom, written_date
from swift.llm.template.tools import Refused
from swift.llm.tokenizer import TextTokenizer
from swift.utils.errors import ModelError

# Marks of `{% generation %}` in the rendered text; a mark that a text contains itself is never chosen (`_free_marks`).
_MARKS = range(0xF0000, 0xF0100)


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
        """Walk one conversation. Raises Refused with the template's own words where it refuses."""
        if not conversation.messages:
            raise Refused("no messages")
        marks = _free_marks(conversation)
        messages = self._messages(conversation, marks[0])
        if generate:
            return self._prompt(conversation, messages, marks)
        text, generated = self._render(conversation, messages, False, marks)
        if self._marks_generation:
            spans = generated
        else:
            spans = self._grown_spans(conversation, messages, text, marks)
        spans = self._wanted(conversation, spans)
        return self._cut(text, spans, marks[0])

    def _prompt(self, conversation: Conversation, messages: list[dict[str, Any]], marks: tuple[str, str, str]) -> list[Atom]:
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
        self, conversation: Conversation, messages: Sequence[Mapping[str, Any]], generate: bool, marks: tuple[str, str, str]
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
            raise Refused(f"the tokenizer's chat template refuses: {error}") from None
        return _take_marks(text, marks[1], marks[2])

    def _grown_spans(
        self, conversation: Conversation, messages: list[dict[str, Any]], text: str, marks: tuple[str, str, str]
    ) -> list[tuple[int, int]]:
        """Spans of the answers where the template marks none: by rendering each beginning of the conversation.

        An answer begins where the prompt for it ends, and ends with the control token behind its text.
        """
        spans = []
        for number, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            prompt = self._render(conversation, messages[:number], True, marks)[0] if number else self._opening(text)
            start = _common(prompt, text)
            if start < len(prompt):
                asked = self._render(conversation, messages[:number], False, marks)[0] if number else ""
                if not text.startswith(asked) or start < len(asked):
                    spans.append((0, 0))
                    self.notes[
                        "the tokenizer's chat template writes earlier turns in another way than it asked for them: "
                        "such answers are not trained"
                    ] = None
                    continue
                self.notes[
                    f"the tokenizer's chat template begins answers with {prompt[start:]!r}, "
                    "which its text of a whole conversation leaves out"
                ] = None
            grown = self._render(conversation, messages[: number + 1], False, marks)[0]
            limit = len(grown) if text.startswith(grown) else len(text)
            spans.append((start, self._end(text, start, limit, message)))
        return spans

    def _opening(self, text: str) -> str:
        """For a conversation that begins with an answer: the control tokens in front of it."""
        match = self._control.match(text) if self._control is not None else None
        return match[0] if match else ""

    def _end(self, text: str, start: int, limit: int, message: Mapping[str, Any]) -> int:
        """The place behind the first control token that follows the answer's own text."""
        content = message["content"].strip() if isinstance(message.get("content"), str) else ""
        place = text.find(content.rsplit("</think>", 1)[-1].strip(), start, limit)
        after = start if place < 0 else place + len(content.rsplit("</think>", 1)[-1].strip())
        if self._control is None:
            return limit
        if message.get("tool_calls"):
            found = list(self._control.finditer(text, after, limit))
            closing = [match for match in found if match[0] == self.tokenizer.eos_token] or found[-1:]
            return closing[0].end() if closing else limit
        match = self._control.search(text, after, limit)
        return match.end() if match else limit

    def _wanted(self, conversation: Conversation, spans: list[tuple[int, int]]) -> list[tuple[int, int, bool, float]]:
        """Give each span its message's mask and weight; a template that marks spans in another number keeps them as they are."""
        answers = [message for message in conversation.messages if message.role == "assistant"]
        if len(answers) != len(spans):
            if any(message.train is not None or message.weight is not None for message in answers):
                raise Refused("the tokenizer's chat template marks another number of answers than there are messages")
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


def _free_marks(conversation: Conversation) -> tuple[str, str, str]:
    """Three private characters that occur nowhere in the conversation."""
    text = repr(conversation)
    if not any(chr(code) in text for code in _MARKS[:3]) and "\\U000f00" not in text:
        return chr(_MARKS[0]), chr(_MARKS[1]), chr(_MARKS[2])
    free = [chr(code) for code in _MARKS if chr(code) not in text and f"\\U{code:08x}" not in text]
    if len(free) < 3:
        raise Refused("the text uses too many private characters")
    return free[0], free[1], free[2]


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

