"""How close an answer's text is to its label: exact match, ROUGE-L and BLEU-4, from their published definitions.

Words are runs of letters and digits; a Chinese, Japanese or Korean character is a word of its own, and so is each other
sign. Case does not count.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["bleu_4", "rouge_l", "text_scores", "words"]

# Scripts without blanks between words: kana, CJK ideographs (extension A, unified, compatibility, the planes above), Hangul.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+|[^\w\s]|_")


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return _WORD.findall(text.lower())


def rouge_l(answer: Sequence[str], label: Sequence[str]) -> float:
    """F1 of the longest common subsequence of two word lists, 0 to 1 (Lin 2004, equations 2 to 4 with beta = 1)."""
    if not answer or not label:
        return float(not answer and not label)
    lengths = [0] * (len(label) + 1)
    for word in answer:
        diagonal = 0  # the entry up and to the left: Lin's c[i-1, j-1]
        for column, other in enumerate(label, 1):
            above = lengths[column]
            lengths[column] = diagonal + 1 if word == other else max(above, lengths[column - 1])
            diagonal = above
    common = lengths[-1]
    return 2 * common / (len(answer) + len(label))


def bleu_4(answers: Sequence[Sequence[str]], labels: Sequence[Sequence[str]]) -> float:
    """BLEU of a whole set of word lists, 0 to 1 (Papineni et al. 2002, section 2.3: N = 4, one reference, no smoothing)."""
    matched, total = [0] * 4, [0] * 4
    for answer, label in zip(answers, labels, strict=True):
        for order in range(4):
            found = Counter(tuple(answer[i : i + order + 1]) for i in range(len(answer) - order))
            wanted = Counter(tuple(label[i : i + order + 1]) for i in range(len(label) - order))
            matched[order] += sum((found & wanted).values())
            total[order] += sum(found.values())
    if not all(matched):
        return 0.0
    num_answer, num_label = sum(map(len, answers)), sum(map(len, labels))
    brevity = min(1 - num_label / num_answer, 0.0)
    return math.exp(brevity + sum(math.log(m / t) for m, t in zip(matched, total, strict=True)) / 4)


def text_scores(answers: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """Exact match (after trimming), mean ROUGE-L F1 and corpus BLEU-4, each in percent; empty where there is nothing.

    Raises ValueError if the two are not equally many.
    """
    if len(answers) != len(labels):
        raise ValueError(f"{len(answers)} answers, {len(labels)} labels")
    if not answers:
        return {}
    split = [(words(answer), words(label)) for answer, label in zip(answers, labels, strict=True)]
    equal = sum(answer.strip() == label.strip() for answer, label in zip(answers, labels, strict=True))
    return {
        "exact_match": 100 * equal / len(answers),
        "rouge-l": 100 * sum(rouge_l(answer, label) for answer, label in split) / len(split),
        "bleu-4": 100 * bleu_4([answer for answer, _ in split], [label for _, label in split]),
    }
