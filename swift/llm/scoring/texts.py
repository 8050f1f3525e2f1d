"""Answers against labels as texts: exact match, ROUGE-1, -2 and -L, BLEU-4.

Words are those of `swift.utils.text_metrics`: a Chinese, Japanese or Korean character is a word of its own, so no dictionary
decides about the scores. ROUGE counts words only, BLEU signs as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from swift.utils.text_metrics import spoken, text_scores

__all__ = ["compare", "rouge_n"]


def rouge_n(answer: Sequence[str], label: Sequence[str], order: int) -> float:
    """F1 of the runs of ``order`` words that two word lists share, 0 to 1 (Lin 2004, section 2, with precision beside recall).

    Lists that both have no such run are equal in this respect: 1 if they are the same, else 0.
    """
    found = Counter(tuple(answer[i : i + order]) for i in range(len(answer) - order + 1))
    wanted = Counter(tuple(label[i : i + order]) for i in range(len(label) - order + 1))
    total = found.total() + wanted.total()
    if total == 0:
        return float(list(answer) == list(label))
    return 2 * (found & wanted).total() / total


def compare(answers: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """All scores in percent, means over the answers (BLEU-4 of all of them together); empty where there is nothing."""
    if not answers:
        return {}
    scores = text_scores(answers, labels)
    split = [(spoken(answer), spoken(label)) for answer, label in zip(answers, labels, strict=True)]
    rouge = {
        f"rouge-{order}": 100 * sum(rouge_n(answer, label, order) for answer, label in split) / len(split)
        for order in (1, 2)
    }
    return {"exact_match": scores["exact_match"], **rouge, "rouge-l": scores["rouge-l"], "bleu-4": scores["bleu-4"]}
