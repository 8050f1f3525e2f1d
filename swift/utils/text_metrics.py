"""How close an answer's text is to its label: exact match, ROUGE-L and BLEU-4, from their published definitions.

Words are runs of letters and digits; a Chinese, Japanese or Korean character is a word of its own. Case does not count. For
BLEU each other sign is a word, too, as in sacrebleu; ROUGE leaves signs out, as rouge_score does.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

__all__ = ["bleu_4", "rouge_l", "spoken", "text_scores", "words"]

# Scripts without blanks between words: kana, CJK ideographs (extension A, unified, compatibility, the planes above), Hangul.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+|[^\w\s]|_")


def words(text: str) -> list[str]:
    """The words and signs of a text, in lower case."""
    return _WORD.findall(text.lower())


def spoken(text: str) -> list[str]:
    """The words of a text without its signs; of a text that has nothing else (a label ``+``), the signs."""
    found = words(text)
    return [word for word in found if unicodedata.category(word[0])[0] not in "PS"] or found


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
    equal = sum(answer.strip() == label.strip() for answer, label in zip(answers, labels, strict=True))
    return {
        "exact_match": 100 * equal / len(answers),
        "rouge-l": 100 * sum(map(rouge_l, map(spoken, answers), map(spoken, labels))) / len(answers),
        "bleu-4": 100 * bleu_4(list(map(words, answers)), list(map(words, labels))),
    }
