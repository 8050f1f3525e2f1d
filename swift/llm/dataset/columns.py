"""Rows in the known shapes to conversations, or the reason why not. Knows no file and no tokens.

A shape is recognised by column names, the first match of ``FORMATS`` in order; ``null`` columns count as absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from swift.llm.catalog.rows import DatasetRow
from swift.llm.core import Conversation, Dropped, Media, Message, Place
from swift.llm.dataset.source import Unusable
from swift.llm.dataset.turns import (
    Lost,
    TurnOptions,
    check_order,
    kind,
    parse_json,
    parse_tools,
    parse_turn,
    parse_turns,
    text_of,
)
from swift.utils.errors import DataError

__all__ = ["FORMATS", "RowParser"]

_MEDIA = (("image", "images", "<image>"), ("video", "videos", "<video>"), ("audio", "audios", "<audio>"))
_PLACEHOLDER = re.compile(r"\{\{\s*(name|author)\s*\}\}", re.IGNORECASE)
_ANSWERS = frozenset({"response", "output", "answer", "completion", "chosen"})
_SHAPES_TEXT = (
    "query + response; instruction + output; conversations [{from, value}]; messages [{role, content}]; "
    "conversation [{human, assistant}]; text; question + answer; prompt + completion; prompt + chosen + rejected"
)


@dataclass(frozen=True, slots=True)
class RowParser:
    """Parses the rows of one source. ``names`` and ``authors`` (Chinese, English) fill placeholders if its row asks for it.

    ``need_answer`` false (inference) also takes rows that end with a question.
    """

    row: DatasetRow
    names: tuple[str | None, str | None] = (None, None)
    authors: tuple[str | None, str | None] = (None, None)
    need_answer: bool = True
    _known: dict[tuple[str, ...], _Format | None] = field(default_factory=dict)

    def parse(self, values: Any, place: Place) -> Conversation | Dropped:
        """Return the conversation of one row, or why there is none."""
        try:
            return self._parse(values, place)
        except Lost as lost:
            if self.row.conversations.get("error_strategy") == "raise":
                raise DataError(f"{place}: {lost}. The set's registration says error_strategy raise.") from None
            return Dropped(str(lost), place)

    def _parse(self, values: Any, place: Place) -> Conversation:
        if isinstance(values, Unusable):
            raise Lost(values.reason)
        if not isinstance(values, dict):
            raise Lost(f"the row is {kind(values)}, expected an object")
        if self.row.columns:
            values = {self.row.columns.get(key, key): value for key, value in values.items()}
        given = values if None not in values.values() else {k: v for k, v in values.items() if v is not None}
        convert = self._recognise(given)
        if convert is None:
            raise Lost(self._why_not(given, values))
        conversation = convert(given, TurnOptions.of(self.row.conversations))
        if not conversation.plain:
            check_order(conversation.messages, need_answer=self.need_answer)
        messages = conversation.messages
        if self.row.fill_names:
            messages = tuple(self._filled(message, str(values.get("tag", "")), place) for message in messages)
        messages, media = _with_media(given, messages)
        label = given.get("label")
        kwargs = given.get("chat_template_kwargs")
        return Conversation(
            messages=messages,
            tools=parse_tools(given["tools"]) if "tools" in given else (),
            media=media,
            rejected=conversation.rejected,
            label=label if isinstance(label, bool) else None,
            place=place,
            system_given=conversation.system_given,
            template_kwargs=kwargs if isinstance(kwargs, dict) else {},
        )

    def _recognise(self, values: Mapping[str, Any]) -> _Format | None:
        columns = tuple(values)
        if columns not in self._known:
            self._known[columns] = self._choose(frozenset(columns))
        return self._known[columns]

    def _choose(self, columns: frozenset[str]) -> _Format | None:
        if self.row.format is not None:
            if self.row.format not in FORMATS:
                raise DataError(
                    f"data set {self.row.name!r}: unknown format {self.row.format!r}; known: {', '.join(FORMATS)}"
                )
            return FORMATS[self.row.format].convert
        if self.row.conversations and not self.row.columns:
            return _turns if self.row.conversations.get("conversations_key", "conversations") in columns else None
        for shape in FORMATS.values():
            if any(needed <= columns for needed in shape.needs):
                return shape.convert
        if not self.need_answer:
            for shape in FORMATS.values():
                if any(needed <= columns for needed in shape.prompt_needs):
                    return shape.convert
        return None

    def _why_not(self, given: Mapping[str, Any], values: Mapping[str, Any]) -> str:
        if len(given) < len(values) and self._recognise(values) is not None:
            nulls = [str(name) for name in values if values[name] is None]
            if _ANSWERS.intersection(nulls):
                return "empty answer"
            return f"null in column {', '.join(nulls)}"
        found = ", ".join(sorted(map(str, given))) or "none"
        if self.row.conversations.get("conversations_key"):
            return f"no column {self.row.conversations['conversations_key']!r}: found {found}"
        return f"no known columns: found {found}"

    def advice(self, reason: str) -> str:
        """Return what to do when every row is lost for this reason; empty if there is nothing general to say."""
        if reason.startswith("no known columns"):
            return (
                f"Known shapes: {_SHAPES_TEXT}. Rename the columns in the file, or register it with a rename: "
                """--custom_dataset_info '{"mine": {"dataset_path": "FILE", "columns": {"YOURS": "query", "YOURS": "response"}}}' """
                "--dataset mine"
            )
        if reason.startswith("unknown role"):
            return (
                "Known roles: system; user, human; assistant, gpt; tool, observation; function_call. Others are named in a "
                """registration: --custom_dataset_info '{"mine": {"dataset_path": "FILE", "conversations": {"user_role": "..."}}}'"""
            )
        return ""

    def _filled(self, message: Message, tag: str, place: Place) -> Message:
        if "{{" not in message.content:
            return message
        chinese = tag == "zh"

        def value(match: re.Match[str]) -> str:
            what = match[1].lower()
            found = (self.names if what == "name" else self.authors)[0 if chinese else 1]
            if found is None:
                flag = "--model_name" if what == "name" else "--model_author"
                raise DataError(
                    f"{place}: data set {self.row.name!r} says who the model is, and {flag} is not given. "
                    f"Give the Chinese and the English value, or one for both: --model_name 小蓝 Bluebell --model_author 青空 'Clear Sky'"
                )
            return found

        return replace(message, content=_PLACEHOLDER.sub(value, message.content))


@dataclass(frozen=True, slots=True)
class _Turns:
    """What a shape gives: messages, and whether they are plain text (one assistant message, without a question)."""

    messages: tuple[Message, ...]
    rejected: tuple[Message, ...] = ()
    system_given: bool = False
    plain: bool = False


_Values = Mapping[str, Any]
_Format = Callable[[_Values, TurnOptions], _Turns]


@dataclass(frozen=True, slots=True)
class _Shape:
    """``needs``: any of these sets of columns is enough; ``prompt_needs``: enough where no answer is needed."""

    convert: _Format
    needs: tuple[frozenset[str], ...]
    prompt_needs: tuple[frozenset[str], ...] = ()


def _opening(values: _Values) -> list[Message]:
    """Return the system message, if there is one that says something, and the turns of ``history``."""
    messages = []
    if values.get("system"):
        messages.append(Message("system", text_of(values["system"], "system")))
    history = values.get("history")
    if not history:
        return messages
    pairs = parse_json(history, "history")
    roles = parse_json(values["history_roles"], "history_roles") if values.get("history_roles") else None
    if not isinstance(pairs, list):
        raise Lost(f"history is {kind(pairs)}, expected a list of [question, answer]")
    for i, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != 2:
            raise Lost(f"history {i + 1} is not a pair of question and answer")
        asked, answered = roles[i] if roles else ("user", "assistant")
        for role, text in ((asked, pair[0]), (answered, pair[1])):
            messages.extend(parse_turn({"role": role, "content": text}, TurnOptions(), f"history {i + 1}"))
    return messages


def _question_answer(question: str, answer: str) -> _Format:
    def convert(values: _Values, options: TurnOptions) -> _Turns:
        messages = _opening(values)
        plain = False
        if question in values:
            text = text_of(values[question], question)
            if question == "instruction" and values.get("input"):
                extra = text_of(values["input"], "input")
                text = f"{text}\n{extra}" if text else extra
            role = values.get("query_role") or "user"
            messages.extend(parse_turn({"role": role, "content": text}, options, question))
        elif not messages:
            plain = True  # an answer to nothing: pre-training text
        if answer in values:
            text = text_of(values[answer], answer)
            if not text.strip():
                raise Lost("empty text" if plain else "empty answer")
            messages.append(Message("assistant", text))
        rejected: tuple[Message, ...] = ()
        if values.get("rejected_response"):
            rejected = (Message("assistant", _last_answer(values["rejected_response"], options)),)
        return _Turns(tuple(messages), rejected, "system" in values, plain)

    return convert


def _swift(values: _Values, options: TurnOptions) -> _Turns:
    # `response` beside another name of the question must not become an answer to nothing.
    for name in ("query", "instruction", "question", "prompt"):
        if name in values:
            return _question_answer(name, "response")(values, options)
    return _question_answer("query", "response")(values, options)


def _turns(values: _Values, options: TurnOptions) -> _Turns:
    key = options.turns_key or next(name for name in ("conversations", "messages") if name in values)
    messages = parse_turns(values[key], options, key)
    if "system" in values:
        if messages and messages[0].role == "system":
            messages = messages[1:]
        if values["system"]:
            messages = (Message("system", text_of(values["system"], "system")), *messages)
    rejected: tuple[Message, ...] = ()
    if "chosen" in values and "rejected" in values:
        messages = (*messages, *_answer(values["chosen"], options, "chosen"))
        rejected = _answer(values["rejected"], options, "rejected")
    elif values.get("rejected_response"):
        rejected = (Message("assistant", _last_answer(values["rejected_response"], options)),)
    given = "system" in values or (bool(messages) and messages[0].role == "system")
    if messages and messages[0].role == "system" and not messages[0].content:
        messages = messages[1:]  # an empty system text removes the template's own
    return _Turns(messages, rejected, given)


def _sharegpt(values: _Values, options: TurnOptions) -> _Turns:
    messages = _opening(values)
    pairs = parse_json(values["conversation"], "conversation")
    if not isinstance(pairs, list):
        raise Lost(f"conversation is {kind(pairs)}, expected a list of {{human, assistant}}")
    for i, pair in enumerate(pairs, 1):
        if not isinstance(pair, dict) or not {"human", "assistant"} <= pair.keys():
            raise Lost(f"conversation {i} has not the keys human and assistant")
        messages.append(Message("user", text_of(pair["human"], f"human {i}")))
        messages.append(Message("assistant", text_of(pair["assistant"], f"assistant {i}")))
    return _Turns(tuple(messages), (), "system" in values)


def _text(values: _Values, options: TurnOptions) -> _Turns:
    if "prompt" in values:
        return _question_answer("prompt", "text")(values, options)
    text = text_of(values["text"], "text")
    if not text.strip():
        raise Lost("empty text")
    return _Turns((Message("assistant", text),), plain=True)


def _prompt_completion(values: _Values, options: TurnOptions) -> _Turns:
    if isinstance(values["prompt"], list):
        prompt = parse_turns(values["prompt"], options, "prompt")
        answer = _answer(values["completion"], options, "completion") if "completion" in values else ()
        return _Turns((*prompt, *answer), (), bool(prompt) and prompt[0].role == "system")
    return _question_answer("prompt", "completion")(values, options)


def _preference(values: _Values, options: TurnOptions) -> _Turns:
    """``chosen`` and ``rejected`` after a ``prompt``, or as whole conversations that begin alike."""
    chosen = _answer(values["chosen"], options, "chosen")
    rejected = _answer(values["rejected"], options, "rejected")
    question = next((name for name in ("prompt", "query", "question") if name in values), None)
    if question is not None and len(chosen) == 1:
        prompt = values[question]
        opening = (
            parse_turns(prompt, options, question)
            if isinstance(prompt, list)
            else (*_opening(values), Message("user", text_of(prompt, question)))
        )
        return _Turns((*opening, *chosen), rejected, "system" in values or opening[0].role == "system")
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    return _Turns(chosen, rejected[shared:], chosen[0].role == "system")


def _answer(value: Any, options: TurnOptions, column: str) -> tuple[Message, ...]:
    if isinstance(value, list):
        return parse_turns(value, options, column)
    if isinstance(value, dict):
        return tuple(parse_turn(value, options, column))
    return (Message("assistant", text_of(value, column)),)


def _last_answer(value: Any, options: TurnOptions) -> str:
    return _answer(value, options, "rejected_response")[-1].content


def _sets(*columns: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(text.split()) for text in columns)


FORMATS: Mapping[str, _Shape] = {
    "swift": _Shape(_swift, _sets("response"), _sets("query")),
    "alpaca": _Shape(_question_answer("instruction", "output"), _sets("instruction output"), _sets("instruction")),
    "conversations": _Shape(_turns, _sets("conversations")),
    "messages": _Shape(_turns, _sets("messages")),
    "sharegpt": _Shape(_sharegpt, _sets("conversation")),
    "text": _Shape(_text, _sets("text")),
    "question-answer": _Shape(_question_answer("question", "answer"), _sets("question answer"), _sets("question")),
    "prompt-completion": _Shape(_prompt_completion, _sets("prompt completion"), _sets("prompt")),
    "preference": _Shape(_preference, _sets("chosen rejected")),
}


def _with_media(values: _Values, messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[Media, ...]]:
    """Pair the media columns with their tags in the text; missing tags are put in front of the first question."""
    waiting: dict[str, list[Any]] = {}
    for _name, column, tag in _MEDIA:
        if values.get(column):
            value = values[column]
            waiting[tag] = list(value) if isinstance(value, list | tuple) else [value]
    if not waiting:
        return messages, ()
    whole = "".join(message.content for message in messages)
    for tag, sources in waiting.items():
        missing = len(sources) - whole.count(tag)
        if missing < 0:
            raise Lost(f"{whole.count(tag)} {tag} tags for {len(sources)} media")
        if missing:
            i = next((i for i, message in enumerate(messages) if message.role == "user"), 0)
            filled = replace(messages[i], content=tag * missing + messages[i].content)
            messages = (*messages[:i], filled, *messages[i + 1 :])
    names = {tag: name for name, _column, tag in _MEDIA}
    media = []
    for tag in re.findall("|".join(map(re.escape, waiting)), "".join(message.content for message in messages)):
        source = waiting[tag].pop(0)
        if isinstance(source, dict):
            source = source.get("path")
        media.append(Media(names[tag], text_of(source, f"a source of {tag}")))  # type: ignore[arg-type]
    return messages, tuple(media)
