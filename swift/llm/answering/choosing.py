"""Of several answers to one row, the one that counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from swift.llm.chat.service import Answer

__all__ = ["choose", "drawn", "mean_logprob", "told_logprobs"]


def mean_logprob(answer: Answer) -> float | None:
    """Natural log-probability a token, so that long answers are not behind; None where nobody asked, or there is no token."""
    if not answer.logprobs:
        return None
    return sum(one.logprob for one in answer.logprobs) / len(answer.logprobs)


def choose(answers: Sequence[Answer], by: str) -> int:
    """The number of the answer that counts; those with an ``error`` never do, unless all have one.

    ``logprob``: the highest mean log-probability. ``majority``: the first of the commonest text, white space around it aside;
    among equally common ones the likelier.
    """
    numbers = [number for number, answer in enumerate(answers) if answer.error is None]
    if not numbers:
        return 0
    common = Counter(answers[number].text.strip() for number in numbers) if by == "majority" else Counter[str]()

    def rank(number: int) -> tuple[int, float, int]:
        likely = mean_logprob(answers[number])
        return common[answers[number].text.strip()], float("-inf") if likely is None else likely, -number

    return max(numbers, key=rank)


def drawn(answers: Sequence[Answer], chosen: int) -> list[dict[str, Any]]:
    """All answers of a row, as the result file holds them."""
    return [
        {
            "response": answer.text,
            "finish": answer.finish,
            "mean_logprob": mean_logprob(answer),
            "chosen": number == chosen,
        }
        for number, answer in enumerate(answers)
    ]


def told_logprobs(answer: Answer) -> list[dict[str, Any]]:
    """The log-probabilities of an answer's tokens, as the result file holds them."""
    return [
        {
            "token": one.text,
            "id": one.token_id,
            "logprob": one.logprob,
            "top": [{"token": text, "id": id_, "logprob": logprob} for id_, text, _, logprob in one.top],
        }
        for one in answer.logprobs
    ]
