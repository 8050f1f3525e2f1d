"""Which of several answers counts."""

from __future__ import annotations

import pytest

from swift.llm.answering.choosing import choose, drawn, mean_logprob
from swift.llm.chat.service import Answer, TextLogprob
from swift.llm.core import Message


def answer(text: str, *logprobs: float, error: str | None = None) -> Answer:
    told = tuple(TextLogprob(0, "x", b"x", one) for one in logprobs)
    return Answer(text, Message("assistant", text), "stop", len(told), 3, error, logprobs=told)


def test_the_mean_is_over_tokens() -> None:
    assert mean_logprob(answer("a", -1.0, -2.0)) == -1.5
    assert mean_logprob(answer("a")) is None
    # the longer answer has the lower sum and the higher mean
    assert choose([answer("short", -1.0), answer("long", -0.5, -0.6, -0.7)], "logprob") == 1


@pytest.mark.parametrize(
    ("answers", "by", "chosen"),
    [
        ([answer("a", -3.0), answer("b", -1.0), answer("c", -2.0)], "logprob", 1),
        ([answer("a", -1.0), answer("b", -3.0), answer(" b\n", -2.0)], "majority", 2),
        ([answer("a", -2.0), answer("b", -1.0)], "majority", 1),
        ([answer("a"), answer("b"), answer("b")], "majority", 1),
        ([answer("", error="too long"), answer("b", -9.0)], "logprob", 1),
        ([answer("", error="too long"), answer("", error="too long")], "logprob", 0),
    ],
)
def test_one_is_chosen(answers: list[Answer], by: str, chosen: int) -> None:
    assert choose(answers, by) == chosen


def test_all_are_kept() -> None:
    kept = drawn([answer("a", -1.0), answer("b", -2.0)], 0)
    assert kept[0] == {"response": "a", "finish": "stop", "mean_logprob": -1.0, "chosen": True}
    assert [row["chosen"] for row in kept] == [True, False]
