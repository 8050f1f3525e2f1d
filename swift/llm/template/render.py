"""Messages to pieces of text: the one walk over a template row, for training and for generation alike.

Knows no file and no tensor; of the tokenizer only which texts are control tokens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date as Date
from functools import partial
from itertools import accumulate
from typing import Final, TypeAlias

from swift.llm.catalog.rows import TemplateRow
from swift.llm.core import Conversation, Message
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template.behaviours import BEHAVIOURS, THINKING, split_reasoning
from swift.llm.template.draft import Draft, Turn, day_text
from swift.llm.template.tools import TOOL_FORMATS, Fragment, RefusedError, ToolFormat
from swift.llm.tokenizer import TextTokenizer
from swift.utils.errors import ModelError

# (text, id of a control token or PLAIN, trained, weight): what `Segment` says, in a tuple, since there are many.
Atom: TypeAlias = tuple[str, int, bool, float]
PLAIN: Final = -1
CUT: Final[Atom] = ("", -2, False, 1.0)
# A date is part of the prompt: where none is given it is the one that the official Llama 3.x templates fall back to.
DEFAULT_DATE: Final = Date(2024, 7, 26)
_LONG_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_FIELD = re.compile(r"\{(content|bos|auto_bos|eos|date|iso_date|long_date|head|id:\d+)\}")
_ID = re.compile(r"\{id:(\d+)\}")

Weigher: TypeAlias = Callable[[str, str], list[tuple[str, float]]]


def written_date(date: str | None) -> str:
    """Write YYYY-MM-DD as "26 Jul 2024", whatever the locale."""
    return day_text(DEFAULT_DATE if date is None else Date.fromisoformat(date))


class RowRenderer:
    """Interprets one row for one tokenizer. Compiled once; holds no state of a conversation."""

    def __init__(
        self, row: TemplateRow, tokenizer: TextTokenizer, plan: TemplatePlan, weigh: Weigher | None = None
    ) -> None:
        self.row = row
        self.plan = plan
        self.weigh = weigh
        self.tokenizer = tokenizer.guard(_markers(row, tokenizer))
        self.tool_format = _tool_format(row, plan)
        self._control = _splitter(self.tokenizer)
        self._date = DEFAULT_DATE if plan.date is None else Date.fromisoformat(plan.date)
        self._default = None if row.default_system is None else self._fill(row.default_system)
        self._all = plan.train_on_inputs
        split = next((THINKING[name] for name in row.behaviours if name in THINKING), None)
        self._split = partial(split_reasoning, options=row.options) if split is split_reasoning else split
        self._rules = [BEHAVIOURS[name] for name in row.behaviours]
        self._compiled: dict[tuple[str, bool], list[Atom]] = {}
        self._systems: dict[str, tuple[list[Atom], list[Atom]]] = {}
        self._prefix = self._atoms(self._fill(row.prefix), self._all)
        self._user = self._wrap(row.user)
        self._tool = self._wrap(row.tool or row.user)
        self._open = self._atoms(self._fill(row.assistant_open), self._all)
        self._answer = {trained: self._wrap(row.assistant, trained) for trained in (False, True)}
        last = row.assistant_close if row.last_close is None else row.last_close
        self._close = {
            (is_last, trained): self._atoms(self._fill(close), trained)
            for is_last, close in ((False, row.assistant_close), (True, last))
            for trained in (False, True)
        }
        self._between = self._atoms(self._fill(row.between), self._all)
        self._end = self._between if row.end is None else self._atoms(self._fill(row.end), self._all)

    def atoms(self, conversation: Conversation, generate: bool = False) -> list[Atom]:
        """Walk one conversation. Raises RefusedError where the format cannot express it.

        ``generate``: up to where the answer starts; a last assistant message is left open, to be continued.
        """
        draft = self._draft(conversation, generate)
        for rule in self._rules:
            rule(draft)
        if draft.told is not None:
            raise RefusedError("no rule of the template puts these tools in their place")
        out = list(self._prefix)
        self._system(draft, out)
        last = len(draft.turns) - 1
        question = ""
        for number, turn in enumerate(draft.turns):
            if turn.before:
                self._fragments(turn.before, self._all, 1.0, out)
            if turn.role == "assistant":
                self._answer_turn(turn, question, generate and number == last, number == last, out)
            else:
                question = turn.message.content
                self._asking_turn(turn, out)
        if draft.generate:
            if draft.before:
                self._fragments(draft.before, self._all, 1.0, out)
            out += self._open if draft.open is None else self._atoms(draft.open, self._all)
            if draft.opened:
                self._fragments([(draft.opened, True)], self._all, 1.0, out)
            out.append(CUT)
        return out

    def close_texts(self) -> list[str]:
        """What ends an answer, the last one and an earlier one."""
        row = self.row
        return [self._fill(text) for text in (row.last_close, row.assistant_close) if text]

    def close_tokens(self) -> list[int]:
        """The control tokens in what ends an answer."""
        return [id_ for last in (True, False) for _, id_, _, _ in self._close[last, True] if id_ != PLAIN]

    def _draft(self, conversation: Conversation, generate: bool) -> Draft:
        messages: Sequence[Message] = conversation.messages
        if not messages:
            raise RefusedError("no messages")
        system: str | None = self._default if self.plan.system is None else self.plan.system
        default = self.plan.system is None
        is_block = False
        if generate and len(messages) > 1 and _is_nothing(messages[-1]):
            messages = messages[:-1]
        if messages[0].role == "system":
            # What an empty system message stands for: in some formats an empty block, in some the default, mostly nothing.
            empty = self.row.options.get("empty_system", "nothing")
            if messages[0].content or empty != "default":
                system = messages[0].content
                default = False
            messages = messages[1:]
            is_block = system == "" and empty == "block"
        elif conversation.system_given:
            system = None
            default = False
        if system is not None and "system" in self.row.strip:
            system = system.strip()
        fmt = self.tool_format
        if (
            fmt is not None
            and fmt.ids is not None
            and (conversation.tools or any(m.role == "tool" or m.tool_calls for m in messages))
        ):
            messages = fmt.ids(messages)
        thinking = conversation.template_kwargs.get("enable_thinking", self.plan.enable_thinking)
        draft = Draft(
            [(system or "", False)] if system or is_block else None,
            self._turns(messages),
            conversation,
            generate and not (messages and messages[-1].role == "assistant"),
            thinking,
            self.row.options,
            self.row.system,
            self._date,
            default,
        )
        if conversation.tools:
            self._tell_tools(draft)
        return draft

    def _turns(self, messages: Sequence[Message]) -> list[Turn]:
        turns: list[Turn] = []
        results: list[Message] = []
        strip = self.row.strip
        for message in messages:
            role = message.role
            if role == "tool":
                results.append(message)
                continue
            if results:
                self._results(results, turns)
                results = []
            if role == "assistant" and (message.tool_calls or message.reasoning is not None or self._split is not None):
                turns.append(self._assistant(message))
            else:
                content = message.content.strip() if role in strip else message.content
                turns.append(Turn(role, [(content, False)], message))
        if results:
            self._results(results, turns)
        return turns

    def _assistant(self, message: Message) -> Turn:
        content, reasoning = message.content, ""
        if self._split is not None:
            reasoning, content = self._split(message)
        elif message.reasoning is not None:  # a format that knows no reasoning: kept as text rather than lost
            content = f"<think>\n{message.reasoning.strip()}\n</think>\n\n{content}"
        if "assistant" in self.row.strip:
            content = content.strip()
        if not message.tool_calls:
            return Turn("assistant", [(content, False)], message, reasoning=reasoning)
        fmt = self._need_format()
        if fmt.one_call and len(message.tool_calls) > 1:
            raise RefusedError(f"{len(message.tool_calls)} tool calls in one turn, where this format allows one")
        return Turn("assistant", fmt.calls(content, message.tool_calls), message, reasoning=reasoning)

    def _results(self, results: list[Message], turns: list[Turn]) -> None:
        fmt = self._need_format()
        for group in [results] if fmt.group else [[result] for result in results]:
            turns.append(Turn("tool", fmt.results(group), group[-1]))

    def _need_format(self) -> ToolFormat:
        if self.tool_format is None:
            raise RefusedError(f"the template {self.row.name!r} has no tool format")
        return self.tool_format

    def _tell_tools(self, draft: Draft) -> None:
        fmt = self._need_format()
        told = fmt.describe(draft.conversation.tools)
        if fmt.place == "system":
            system = draft.system or ([(fmt.alone, True)] if fmt.alone else None)
            draft.system = [*system, (fmt.join, True), *told] if system else told
            return
        if fmt.place == "before_system":
            draft.system = [*told, (fmt.join, True), *draft.system] if draft.system else told
            return
        if fmt.place == "own":
            draft.told = told
            return
        if fmt.place == "first_block":
            if draft.system is not None:
                draft.turns.insert(0, Turn("system", draft.system, Message("system", "")))
            draft.system = told
            return
        if fmt.place == "after_system":
            if not draft.turns:
                raise RefusedError("tools, and no turn behind them")
            draft.turns[0].before = told
            return
        users = [turn for turn in draft.turns if turn.role == "user"]
        if not users:
            raise RefusedError("tools, and no user turn to describe them in")
        if fmt.place == "first_user":
            users[0].parts = [*told, *users[0].parts]
        else:
            # The official templates compare messages, so a question that was asked before, word for word, has the tools, too.
            for turn in users:
                if turn.message == users[-1].message:
                    turn.before = told

    def _system(self, draft: Draft, out: list[Atom]) -> None:
        row = self.row
        if draft.system is None and not row.system_always:
            return
        if row.system is None:
            raise RefusedError(f"the template {row.name!r} has no place for a system text")
        head = self.tool_format.head if self.tool_format is not None and draft.conversation.tools else ""
        if head not in self._systems:
            self._systems[head] = self._wrap(row.system.replace("{head}", head))
        before, after = self._systems[head]
        out += before
        self._fragments(draft.system or (), self._all, 1.0, out)
        out += after

    def _asking_turn(self, turn: Turn, out: list[Atom]) -> None:
        if turn.wrap is not None:
            before, after = self._wrap(turn.wrap)
        elif turn.role == "system":
            if self.row.system is None or self.row.system_always:
                raise RefusedError("a system text after the first message")
            before, after = self._wrap(self.row.system)
        else:
            before, after = self._tool if turn.role == "tool" else self._user
        train = turn.message.train
        trained = self._all if train is None else train
        weight = 1.0 if turn.message.weight is None else turn.message.weight
        out += before
        self._fragments(turn.parts, trained, weight, out)
        out += after

    def _answer_turn(self, turn: Turn, question: str, unfinished: bool, last: bool, out: list[Atom]) -> None:
        message = turn.message
        trained = message.train is not False
        weight = 1.0 if message.weight is None else message.weight
        out += self._open if turn.open is None else self._atoms(turn.open, self._all)
        if turn.opened:
            self._fragments([(turn.opened, True)], self._all, 1.0, out)
        out.append(CUT)
        bare = bool(message.tool_calls) and self._need_format().bare
        before, after = ([], []) if bare else self._answer[trained]
        if unfinished:
            if turn.parts and turn.text():
                out += before
                self._fragments(turn.parts, trained, weight, out)
            return
        out += _weighted(before, weight)
        if self.weigh is not None and trained:
            answer: list[Atom] = []
            self._fragments(turn.parts, trained, 1.0, answer)
            out += scaled(answer, self.weigh(question, turn.text()), weight)
        else:
            self._fragments(turn.parts, trained, weight, out)
        out += _weighted(after, weight)
        close = self._close[last, trained] if turn.close is None else self._atoms(self._fill(turn.close), trained)
        out += _weighted(close, weight)
        out += self._end if last else self._between

    def _fragments(self, parts: Sequence[Fragment], trained: bool, weight: float, out: list[Atom]) -> None:
        for text, markup in parts:
            if not markup:
                out.append((text, PLAIN, trained, weight))
            else:
                out += _weighted(self._atoms(text, trained), weight)

    def _atoms(self, text: str, trained: bool) -> list[Atom]:
        """Cut our own text at its control tokens."""
        found = self._compiled.get((text, trained))
        if found is None:
            ids = self.tokenizer.special_tokens
            pieces = self._control.split(text) if self._control is not None else [text]
            found = [(piece, ids.get(piece, PLAIN), trained, 1.0) for piece in pieces if piece]
            self._compiled[(text, trained)] = found
        return found

    def _wrap(self, text: str, trained: bool | None = None) -> tuple[list[Atom], list[Atom]]:
        before, mark, after = text.partition("{content}")
        if not mark:
            raise ValueError(f"template row {self.row.name!r}: {text!r} lacks {{content}}")
        train = self._all if trained is None else trained
        return self._atoms(self._fill(before), train), self._atoms(self._fill(after), train)

    def _fill(self, text: str) -> str:
        """Put the tokenizer's tokens and the date into our own text."""
        tokenizer = self.tokenizer
        values = {
            "bos": tokenizer.bos_token or "",
            "auto_bos": (tokenizer.bos_token or "") if tokenizer.starts_with_bos else "",
            "eos": tokenizer.eos_token or "",
            "date": written_date(self.plan.date),
            "iso_date": self._date.isoformat(),
            "long_date": f"{_LONG_MONTHS[self._date.month - 1]} {self._date.day:02d}, {self._date.year}",
            "head": "",
        }
        values.update({f"id:{number}": _token_of(tokenizer, int(number), self.row) for number in _ID.findall(text)})
        return _FIELD.sub(lambda match: values[match[1]], text)


def scaled(atoms: Sequence[Atom], weights: Sequence[tuple[str, float]], factor: float) -> Iterator[Atom]:
    """Lay the weights of a text over its atoms: the same text, cut at other places. A control token is never cut."""
    place = 0
    ends = list(accumulate(len(text) for text, _ in weights))
    number = 0
    for text, id_, trained, _ in atoms:
        end = place + len(text)
        while place < end:
            while ends[number] <= place:
                number += 1
            stop = end if id_ != PLAIN else min(end, ends[number])
            yield text[len(text) - (end - place) : len(text) - (end - stop)], id_, trained, weights[number][1] * factor
            place = stop


def _token_of(tokenizer: TextTokenizer, number: int, row: TemplateRow) -> str:
    """The text of the token that a row names by its id."""
    text = tokenizer.backend.id_to_token(number)
    if text is None:
        raise ModelError(
            f"The template {row.name!r} writes the token {number}; this tokenizer has {tokenizer.vocab_size:,}. "
            "It belongs to another model: choose another --template_type."
        )
    return text


def _is_nothing(message: Message) -> bool:
    """An empty answer: where one is to be generated, it is as if it were not there."""
    return message.role == "assistant" and not (message.content or message.reasoning or message.tool_calls)


def _weighted(atoms: list[Atom], weight: float) -> list[Atom]:
    return atoms if weight == 1.0 else [(text, id_, trained, weight) for text, id_, trained, _ in atoms]


def _tool_format(row: TemplateRow, plan: TemplatePlan) -> ToolFormat | None:
    """The row's own format; ``react_zh`` and ``toolbench`` overrule it, ``react_en`` (the default) only fills its place."""
    name = plan.tools_prompt
    if row.tools is not None and name in ("auto", "react_en"):
        name = row.tools
    return TOOL_FORMATS["react_en" if name == "auto" else name]


def _markers(row: TemplateRow, tokenizer: TextTokenizer) -> list[str]:
    """Added tokens in the row's own strings: they separate turns, so no text may write them, special or not."""
    own = "\0".join(
        text
        for text in (
            row.prefix,
            row.system,
            row.user,
            row.tool,
            row.assistant_open,
            row.assistant_close,
            row.last_close,
            row.between,
            row.end,
        )
        if text
    )
    by_id = [_token_of(tokenizer, int(number), row) for number in _ID.findall(own)]
    return [*by_id, *(token for token in tokenizer.added_tokens if len(token) > 2 and token in own)]


def _splitter(tokenizer: TextTokenizer) -> re.Pattern[str] | None:
    tokens: Mapping[str, int] = tokenizer.special_tokens
    if not tokens:
        return None
    longest_first = sorted(tokens, key=len, reverse=True)
    return re.compile("(" + "|".join(re.escape(token) for token in longest_first) + ")")
