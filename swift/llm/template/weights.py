"""What of a conversation carries loss, and how much: the turns that are trained, and weights inside an answer.

Knows no tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from swift.llm.core import Conversation
from swift.llm.plan.loss_scale import loss_table

Weigh: TypeAlias = Callable[[str, str], list[tuple[str, float]]]
"""``(question, answer)`` to the pieces of the answer and the weight of each; joined, they are the answer."""


def last_round(conversation: Conversation) -> Conversation:
    """The same conversation, trained only on what follows its last question: calls of tools and the answers after them.

    What a row itself says about a turn (``train``) stays.
    """
    messages = conversation.messages
    question = max((number for number, one in enumerate(messages) if one.role == "user"), default=-1)
    earlier = [
        replace(one, train=False) if one.role == "assistant" and one.train is None else one
        for one in messages[: question + 1]
    ]
    return replace(conversation, messages=(*earlier, *messages[question + 1 :]))


def load_weights(source: str | None) -> Weigh | None:
    """The function that weighs an answer: of a preset, a JSON file or JSON text; None gives None. Raises ArgumentError."""
    if source is None:
        return None
    table = loss_table(source)
    return _weigher(table["response"], {stem: weight for stem, [weight] in table["query"].items()})


def _weigher(response: Mapping[str, list[float]], query: Mapping[str, float]) -> Weigh:
    markers = {key: value for key, value in response.items() if len(value) == 2}
    patterns = [(re.compile(key, re.DOTALL), value[0]) for key, value in response.items() if len(value) == 1]
    # a marker that begins with another one ("Action Input:" and "Action") is looked for first
    split = (
        re.compile("(" + "|".join(map(re.escape, sorted(markers, key=len, reverse=True))) + ")") if markers else None
    )

    def weigh(question: str, answer: str) -> list[tuple[str, float]]:
        for stem, weight in query.items():
            if stem in question:
                return [(answer, weight)] if answer else []
        pieces = split.split(answer) if split is not None else [answer]
        out = _by_pattern(pieces[0], patterns) if pieces[0] else []
        for marker, text in zip(pieces[1::2], pieces[2::2], strict=True):
            out.append((marker, markers[marker][0]))
            if text:
                out.append((text, markers[marker][1]))
        return out

    return weigh


def _by_pattern(text: str, patterns: list[tuple[re.Pattern[str], float]]) -> list[tuple[str, float]]:
    """Weigh the matches of the first pattern that has any; what lies between them is looked at by the next patterns."""
    if not patterns:
        return [(text, 1.0)]
    pattern, weight = patterns[0]
    out: list[tuple[str, float]] = []
    place = 0
    for match in pattern.finditer(text):
        if match.start() == match.end():
            continue
        if match.start() > place:
            out += _by_pattern(text[place : match.start()], patterns[1:])
        out.append((match[0], weight))
        place = match.end()
    if place < len(text):
        out += _by_pattern(text[place:], patterns[1:])
    return out
