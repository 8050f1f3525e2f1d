"""Preference rows: a chosen and a rejected answer in every usual shape, and lists of answers with scores."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from swift.llm.core import Message
from swift.llm.dataset.formats.draft import Draft, RowFormat, Values, columns_of
from swift.llm.dataset.formats.pairs import opening, pair
from swift.llm.dataset.turns import Lost, TurnOptions, kind, parse_json, parse_turn, parse_turns, text_of, turns_in_text

__all__ = ["FORMATS", "answer_of", "pair_of_dialogues"]

_QUESTIONS = ("prompt", "query", "question", "instruction", "input")
_LISTS = ("responses", "completions", "outputs", "answers", "output")
_TEXTS = ("text", "response", "content", "output", "value", "answer", "completion")
_SCORES = ("score", "overall_score", "rating", "reward")
# A dialogue written as one text, the way the oldest preference sets have it.
_SPEAKER = re.compile(r"(?:^|\n\n)(Human|Hum|Assistant):")


def answer_of(value: Any, options: TurnOptions, column: str) -> list[Message]:
    """The turns of one side: a text (or the JSON text of turns), one turn, or a list of turns."""
    value = turns_in_text(value, column)
    if isinstance(value, list | tuple):
        turns = parse_turns(list(value), options, column)
    elif isinstance(value, dict):
        turns = list(parse_turn(value, options, column))
    else:
        return [Message("assistant", text_of(value, column))]
    if not turns:
        raise Lost(f"{column} holds no turn")
    return turns


def pair_of_dialogues(chosen: list[Message], rejected: Sequence[Message]) -> Draft:
    """Two dialogues that begin alike; the rejected side keeps what differs. A rejected answer alone belongs to the last turn."""
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    if shared == 0 and rejected and rejected[0].role != "assistant":
        raise Lost("chosen and rejected begin differently: they answer different questions")
    return Draft(chosen, tuple(rejected[shared:]), chosen[0].role == "system")


def _question(values: Values, options: TurnOptions) -> list[Message] | None:
    """What both sides answer, system text and history included; None where no column says it."""
    for name in _QUESTIONS:
        if name not in values:
            continue
        value = turns_in_text(values[name], name)
        if isinstance(value, list | tuple):
            return parse_turns(list(value), options, name)
        text = text_of(value, name)
        if name == "instruction" and values.get("input"):
            text = f"{text}{options.join}{text_of(values['input'], 'input')}"
        return [*opening(values), Message("user", text)]
    for name in ("messages", "conversations"):
        if name in values:
            turns = parse_turns(values[name], options, name)
            return turns[:-1] if turns and turns[-1].role == "assistant" else turns
    return None


def _read_chosen(values: Values, options: TurnOptions) -> Draft:
    """``chosen`` and ``rejected`` after a question, or as whole dialogues."""
    _check_scores(values)
    both = values["chosen"], values["rejected"]
    if all(isinstance(one, str) and _SPEAKER.match(one.strip()) for one in both):
        return pair_of_dialogues(_spoken(both[0]), _spoken(both[1]))
    chosen = answer_of(both[0], options, "chosen")
    rejected = answer_of(both[1], options, "rejected")
    if chosen[0].role in ("user", "system"):
        draft = pair_of_dialogues(chosen, rejected)
        if values.get("system") and chosen[0].role != "system":
            draft.messages.insert(0, Message("system", text_of(values["system"], "system")))
            draft.system_given = True
        return draft
    asked = _question(values, options)
    if asked is None:
        raise Lost(f"chosen and rejected without a question: none of {', '.join(_QUESTIONS)}")
    while rejected and rejected[0].role != "assistant":
        rejected = rejected[1:]
    given = "system" in values or (bool(asked) and asked[0].role == "system")
    return Draft([*asked, *chosen], tuple(rejected), given)


def _check_scores(values: Values) -> None:
    chosen, rejected = values.get("score_chosen"), values.get("score_rejected")
    if isinstance(chosen, int | float) and isinstance(rejected, int | float) and chosen < rejected:
        raise Lost("score_chosen is below score_rejected")


def _spoken(text: str) -> list[Message]:
    """Cut "Human: … Assistant: …" into turns."""
    text = text.strip()
    marks = list(_SPEAKER.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        Message("assistant" if mark[1] == "Assistant" else "user", text[mark.end() : end].strip())
        for mark, end in zip(marks, ends, strict=True)
    ]


def _read_scored(values: Values, options: TurnOptions) -> Draft:
    """Several answers with scores: the best one is chosen, the worst rejected, the first of equals counts."""
    column = next(name for name in _LISTS if name in values)
    answers = parse_json(values[column], column)
    if not isinstance(answers, list | tuple):
        raise Lost(f"wrong type: {column} is {kind(answers)}, expected a list of answers")
    scores = parse_json(values["scores"], "scores") if "scores" in values else None
    if scores is None:
        scores = [
            next((one[key] for key in _SCORES if key in one), None) if isinstance(one, dict) else None
            for one in answers
        ]
    if not isinstance(scores, list | tuple) or len(scores) != len(answers):
        raise Lost(f"scores is no list as long as {column}")
    for score in scores:
        if isinstance(score, bool) or not isinstance(score, int | float) or score != score:
            raise Lost(f"an answer of {column} has no score" if score is None else f"the score {score!r} is no number")
    if len(answers) < 2:
        raise Lost(f"{len(answers)} answer in {column}, two are needed for a choice")
    best, worst = scores.index(max(scores)), scores.index(min(scores))
    if best == worst:
        raise Lost(f"all {len(answers)} answers have the same score")
    asked = _question(values, options)
    if asked is None:
        raise Lost(f"{column} without a question: none of {', '.join(_QUESTIONS)}")
    chosen, rejected = (_scored_answer(answers[i], options, column) for i in (best, worst))
    given = "system" in values or (bool(asked) and asked[0].role == "system")
    return Draft([*asked, *chosen], tuple(rejected), given)


def _scored_answer(value: Any, options: TurnOptions, column: str) -> list[Message]:
    if isinstance(value, dict) and "role" not in value and "from" not in value:
        value = next((value[key] for key in _TEXTS if key in value), None)
        if value is None:
            raise Lost(f"an answer of {column} has no text")
    return answer_of(value, options, column)


_INPUT_OUTPUT = pair("input", "output")


def _read_input_output(values: Values, options: TurnOptions) -> Draft:
    if isinstance(values["output"], list):
        return _read_scored(values, options)
    return _INPUT_OUTPUT(values, options)


FORMATS = (
    RowFormat("preference", _read_chosen, columns_of("chosen rejected"), auto=True),
    RowFormat("scored", _read_scored, columns_of(*_LISTS, "responses scores"), auto=False),
    RowFormat("responses", _read_scored, columns_of("responses", "completions"), auto=True),
    RowFormat("input-output", _read_input_output, columns_of("input output"), columns_of("input"), auto=True),
)
