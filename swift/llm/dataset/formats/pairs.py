"""Rows of one question and one answer, in columns: the forms that are recognised without a name."""

from __future__ import annotations

from swift.llm.core import Message
from swift.llm.dataset.formats.draft import Draft, Reader, RowFormat, Values, columns_of
from swift.llm.dataset.turns import Lost, TurnOptions, kind, parse_json, parse_turn, parse_turns, text_of, turns_in_text

__all__ = ["FORMATS", "QUESTION_LIKE", "opening", "pair", "read_swift", "rejected_answer"]

# Columns that hold a part of the question: an answer beside one of them is no pre-training text.
QUESTION_LIKE = frozenset(
    ("input", "inputs", "human", "user", "article", "context", "passage", "task", "request", "message", "source")
)
_CONTEXT = frozenset(("context", "article", "passage", "category", "choices", "options", "document", "text"))
# A text beside one of them is not all that the row holds.
_OF_A_DIALOGUE = frozenset(("question", "answer", "explanation"))
_QUESTIONS = ("query", "instruction", "question", "prompt")


def opening(values: Values) -> list[Message]:
    """Return the system message, if there is one that says something, and the turns of ``history``."""
    messages = []
    if values.get("system"):
        messages.append(Message("system", text_of(values["system"], "system")))
    if not values.get("history"):
        return messages
    pairs = parse_json(values["history"], "history")
    roles = parse_json(values["history_roles"], "history_roles") if values.get("history_roles") else None
    if not isinstance(pairs, list | tuple):
        raise Lost(f"history is {kind(pairs)}, expected a list of [question, answer]")
    if roles is not None and (not isinstance(roles, list | tuple) or len(roles) != len(pairs)):
        raise Lost("history_roles is no list as long as history")
    for i, one in enumerate(pairs):
        if not isinstance(one, list | tuple) or len(one) != 2:
            raise Lost(f"history {i + 1} is not a pair of question and answer")
        named = roles[i] if roles else ("user", "assistant")
        if not isinstance(named, list | tuple) or len(named) != 2:
            raise Lost(f"history_roles {i + 1} is not a pair of roles")
        for role, text in zip(named, one, strict=True):
            messages.extend(parse_turn({"role": role, "content": text}, _USUAL, f"history {i + 1}"))
    return messages


_USUAL = TurnOptions()


def rejected_answer(values: Values, options: TurnOptions) -> tuple[Message, ...]:
    """The answer of ``rejected_response`` or ``rejected_messages``: text, a turn, or a dialogue whose last turn counts."""
    name = "rejected_response" if values.get("rejected_response") else "rejected_messages"
    value = values.get(name)
    if not value:
        return ()
    if isinstance(value, str) and name == "rejected_response":
        return (Message("assistant", value),)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return (Message("assistant", value[0]),)
    turns = parse_turn(value, options, name) if isinstance(value, dict) else parse_turns(value, options, name)
    if not turns:
        raise Lost(f"{name} holds no turn")
    return (turns[-1],)


def pair(question: str, answer: str) -> Reader:
    """A reader of two columns; ``instruction`` takes ``input`` along. Without a question the answer is plain text."""

    def read(values: Values, options: TurnOptions) -> Draft:
        messages = opening(values) if "system" in values or "history" in values else []
        plain = False
        if question in values:
            text = values[question]
            if type(text) is not str:
                text = text_of(text, question)
            if question == "instruction" and values.get("input"):
                extra = text_of(values["input"], "input")
                text = f"{text}{options.join}{extra}" if text else extra
            role = values.get("query_role")
            if role is None or role == "user":
                messages.append(Message("user", text))
            else:
                messages.extend(parse_turn({"role": role, "content": text}, options, question))
        elif not messages:
            plain = True  # an answer to nothing: pre-training text
        if answer in values:
            text = values[answer]
            if type(text) is not str:
                text = text_of(text, answer)
            if not text or text.isspace():
                raise Lost("empty text" if plain else "empty answer")
            messages.append(Message("assistant", text))
        rejected = () if len(values) < 3 else rejected_answer(values, options)
        return Draft(messages, rejected, "system" in values, plain)

    return read


_BY_QUESTION = {name: pair(name, "response") for name in _QUESTIONS}


def read_swift(values: Values, options: TurnOptions) -> Draft:
    """``response`` with its question; beside another name of it the answer must not become an answer to nothing."""
    for name in _QUESTIONS:
        if name in values:
            return _BY_QUESTION[name](values, options)
    return _BY_QUESTION["query"](values, options)


def _read_text(values: Values, options: TurnOptions) -> Draft:
    if "prompt" in values:
        return _TEXT_AFTER_PROMPT(values, options)
    text = text_of(values["text"], "text")
    if not text or text.isspace():
        raise Lost("empty text")
    return Draft([Message("assistant", text)], plain=True)


_TEXT_AFTER_PROMPT = pair("prompt", "text")
_PROMPT_COMPLETION = pair("prompt", "completion")


def _read_prompt_completion(values: Values, options: TurnOptions) -> Draft:
    asked = turns_in_text(values["prompt"], "prompt")
    if not isinstance(asked, list):
        return _PROMPT_COMPLETION(values, options)
    messages = parse_turns(asked, options, "prompt")
    given = bool(messages) and messages[0].role == "system"
    if "completion" in values:
        answer = turns_in_text(values["completion"], "completion")
        if isinstance(answer, list):
            messages += parse_turns(answer, options, "completion")
        else:
            messages.append(Message("assistant", text_of(answer, "completion")))
    return Draft(messages, (), given)


FORMATS = (
    RowFormat("swift", read_swift, columns_of("response"), columns_of("query"), auto=True),
    RowFormat(
        "alpaca", pair("instruction", "output"), columns_of("instruction output"), columns_of("instruction"), auto=True,
        unless=frozenset(("reflection", "corrected")),
    ),
    RowFormat("text", _read_text, columns_of("text"), auto=True, unless=_OF_A_DIALOGUE),
    RowFormat(
        "question-answer", pair("question", "answer"), columns_of("question answer"), columns_of("question"),
        auto=True, unless=_CONTEXT,
    ),
    RowFormat(
        "prompt-completion", _read_prompt_completion, columns_of("prompt completion"), columns_of("prompt"), auto=True
    ),
)  # fmt: skip
