"""Formats of single data sets of the hubs: what their registrations name where columns and turn options do not suffice."""

from __future__ import annotations

import re

from swift.llm.core import Message
from swift.llm.dataset.formats.draft import Draft, RowFormat, Values, columns_of, needed, turns_column
from swift.llm.dataset.turns import Lost, TurnOptions, kind, parse_json, parse_turns, text_of

__all__ = ["FORMATS"]

_BETWEEN_OBJECTS = re.compile(r"\}\s*\{")
_NUMBERED = re.compile(r"\d+[.,\s、](.+)")
_GUANACO = re.compile(r"(User|Assistant|Asssistent|Assistent|Assistenz)\s*[:：]")


def _round(question: str, answer: str) -> Draft:
    return Draft([Message("user", question), Message("assistant", answer)])


def _blossom_math(values: Values, options: TurnOptions) -> Draft:
    return _round(needed(values, "input"), f"{needed(values, 'output')}\n\nAnswer: {needed(values, 'answer')}")


def _dolly(values: Values, options: TurnOptions) -> Draft:
    context = text_of(values.get("context"), "context")
    question = needed(values, "instruction")
    return _round(f"{context}\n\n{question}" if context else question, needed(values, "response"))


def _leetcode(values: Values, options: TurnOptions) -> Draft:
    problem, fence, code = needed(values, "code_with_problem").partition("```python")
    if not fence:
        raise Lost("no Python code in code_with_problem")
    explained = needed(values, "explanation_only")
    return _round(problem.removeprefix("# ").strip(), f"{fence}{code}".strip() + f"\n\n{explained}")


def _text_to_sql(values: Values, options: TurnOptions) -> Draft:
    question = f"Tables:\n{needed(values, 'sql_context')}\n\n{needed(values, 'sql_prompt')}"
    return _round(question, f"{needed(values, 'sql_explanation')}\n\n{needed(values, 'sql')}")


def _advertise(values: Values, options: TurnOptions) -> Draft:
    return _round(
        f"Write an advertisement from these keywords.\n{needed(values, 'content')}", needed(values, "summary")
    )


def _dureader(values: Values, options: TurnOptions) -> Draft:
    answer, mark, context = needed(values, "text1").partition("[SEP]")
    if not mark:
        raise Lost("text1 is not answer [SEP] context")
    return _round(
        f"Ask the question that the context answers so.\nContext: {context}\nAnswer: {answer}", needed(values, "text2")
    )


def _classified(task: str, labels: tuple[str, ...], *columns: str) -> RowFormat:
    """A classification: the texts, the names of the classes, and the name that ``label`` counts to."""

    def read(values: Values, options: TurnOptions) -> Draft:
        label = values["label"]
        if isinstance(label, bool) or not isinstance(label, int | float) or label != label // 1:
            raise Lost(f"wrong type: label is {kind(label)}, expected the number of a class")
        if not 0 <= label < len(labels):
            raise Lost(f"label is none of 0 to {len(labels) - 1}")
        texts = "\n".join(f"{name}: {needed(values, name)}" for name in columns)
        return _round(f"Task: {task}\n{texts}\nClasses: {', '.join(labels)}\nClass:", labels[int(label)])

    name = task.lower().replace(" ", "-")
    return RowFormat(name, read, (frozenset((*columns, "label")),))


def _tigerbot_law(values: Values, options: TurnOptions) -> Draft:
    head = [needed(values, "type"), needed(values, "title")]
    chapters = [text_of(values.get(f"chapter{i}"), f"chapter{i}") for i in (1, 2, 3)]
    text = "\n".join([*head, "".join(chapters) + needed(values, "content")])
    return Draft([Message("assistant", text)], plain=True)


def _ruozhiba(values: Values, options: TurnOptions) -> Draft:
    title = needed(values, "title", "content")
    abstract = text_of(values.get("abs"), "abs")
    if abstract and abstract != title:
        title = f"{title}，{abstract}"
    numbered = _NUMBERED.search(title)
    return Draft([Message("assistant", numbered[1] if numbered else title)], plain=True)


def _ms_bench(values: Values, options: TurnOptions) -> Draft:
    """Rows that speak of another model, or hold turns inside of turns, are left out, as the set's own users do."""
    key = turns_column(values, options, "conversations")
    messages = parse_turns(values[key], options, key)
    if messages and messages[0].role == "system" and messages[0].content == "You are a helpful assistant.":
        del messages[0]
    for message in messages:
        text = message.content.lower()
        if any(mark in text for mark in ("moss", "human:", "assistant:", "user:")):
            raise Lost("speaks of another model, or holds turns inside of a turn")
    return Draft(messages, system_given=bool(messages) and messages[0].role == "system")


def _loose_turns(values: Values, options: TurnOptions) -> Draft:
    """Turns whose list was written without its commas."""
    key = turns_column(values, options, "conversations", "messages", "conversation")
    value = values[key]
    if isinstance(value, str):
        value = _BETWEEN_OBJECTS.sub("},{", value)
    messages = parse_turns(value, options, key)
    return Draft(messages, system_given=bool(messages) and messages[0].role == "system")


def _guanaco(values: Values, options: TurnOptions) -> Draft:
    """``instruction`` holds the earlier turns as one text, ``input`` the question."""
    messages: list[Message] = []
    history = text_of(values.get("instruction"), "instruction").strip()
    marks = list(_GUANACO.finditer(history))
    if history and (not marks or marks[0].start()):
        raise Lost("instruction is no text of User: and Assistant: turns")
    for mark, end in zip(marks, [one.start() for one in marks[1:]] + [len(history)], strict=True):
        role = "user" if mark[1] == "User" else "assistant"
        messages.append(Message(role, history[mark.end() : end].strip()))  # type: ignore[arg-type]
    question = needed(values, "input").removeprefix("User:").strip()
    return Draft([*messages, Message("user", question), Message("assistant", needed(values, "output"))])


def _multirole(values: Values, options: TurnOptions) -> Draft:
    """A chat room: the last speaker is the model, what others said before stands in the system text."""
    turns = parse_json(values[turns_column(values, options, "conversations")], "conversations")
    if not isinstance(turns, list) or len(turns) < 2 or not all(isinstance(turn, dict) for turn in turns):
        raise Lost("conversations is no list of at least two turns")
    said = [(str(turn.get("from")), text_of(turn.get("value"), "a value")) for turn in turns]
    answer = Message("assistant", said[-1][1])
    if said[0][0] == "user":
        return Draft([Message("user", said[0][1]), answer])
    room = "".join(f"\n{name}: {text}" for name, text in said[1:-1])
    if not room:
        raise Lost("a chat room in which nobody has spoken")
    return Draft([Message("system", said[0][1]), Message("user", room.strip()), answer], system_given=True)


def _rounds(values: Values, options: TurnOptions) -> Draft:
    """A list of {question, answer}, under ``conversation`` (there inside of ``data``) or ``qa``."""
    key = turns_column(values, options, "conversation", "qa")
    rounds = parse_json(values[key], key)
    if not isinstance(rounds, list):
        raise Lost(f"wrong type: {key} is {kind(rounds)}, expected a list")
    messages = []
    for one in rounds:
        one = one.get("data", one) if isinstance(one, dict) else one
        if not isinstance(one, dict) or not {"question", "answer"} <= one.keys():
            raise Lost(f"a round of {key} has not the keys question and answer")
        messages += [Message("user", needed(one, "question")), Message("assistant", needed(one, "answer"))]
    return Draft(messages)


_TURNS = columns_of("conversations", "conversation", "messages")
FORMATS = (
    RowFormat("blossom-math", _blossom_math, columns_of("input output answer")),
    RowFormat("dolly", _dolly, columns_of("instruction response")),
    RowFormat("leetcode", _leetcode, columns_of("code_with_problem explanation_only")),
    RowFormat("text-to-sql", _text_to_sql, columns_of("sql_prompt sql_context sql sql_explanation")),
    RowFormat("advertise-gen", _advertise, columns_of("content summary")),
    RowFormat("dureader-robust", _dureader, columns_of("text1 text2")),
    _classified("Natural language inference", ("neutral", "entailment", "contradiction"), "sentence1", "sentence2"),
    _classified("Sentiment classification", ("negative", "positive"), "sentence"),
    RowFormat("tigerbot-law", _tigerbot_law, columns_of("type title content")),
    RowFormat("ruozhiba", _ruozhiba, columns_of("title", "content")),
    RowFormat("ms-bench", _ms_bench, columns_of("conversations")),
    RowFormat("loose-turns", _loose_turns, _TURNS),
    RowFormat("guanaco", _guanaco, columns_of("instruction input output")),
    RowFormat("chat-room", _multirole, columns_of("conversations")),
    RowFormat("rounds", _rounds, columns_of("conversation", "qa")),
)  # fmt: skip
