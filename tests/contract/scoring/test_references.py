"""Our scores equal those of the packages that others report with."""

from __future__ import annotations

import pytest

from swift.llm.scoring.texts import rouge_n
from swift.utils.text_metrics import bleu_4, rouge_l, spoken, words

ANSWERS = [
    "the cat was found under the bed",
    "a quick brown dog jumps over the lazy fox today",
    "no match here, at all!",
]
LABELS = [
    "The cat was under the bed.",
    "the quick brown fox jumps over the lazy dog",
    "something else entirely was said",
]


def test_rouge() -> None:
    package = pytest.importorskip("rouge_score.rouge_scorer", reason="rouge-score is not installed")
    scorer = package.RougeScorer(["rouge1", "rouge2", "rougeL"])
    for answer, label in zip(ANSWERS, LABELS, strict=True):
        theirs = scorer.score(label, answer)
        assert rouge_n(spoken(answer), spoken(label), 1) == pytest.approx(theirs["rouge1"].fmeasure)
        assert rouge_n(spoken(answer), spoken(label), 2) == pytest.approx(theirs["rouge2"].fmeasure)
        assert rouge_l(spoken(answer), spoken(label)) == pytest.approx(theirs["rougeL"].fmeasure)


def test_bleu() -> None:
    package = pytest.importorskip("sacrebleu", reason="sacrebleu is not installed")
    theirs = package.corpus_bleu(ANSWERS, [LABELS], smooth_method="none", lowercase=True, tokenize="13a")
    assert 100 * bleu_4(list(map(words, ANSWERS)), list(map(words, LABELS))) == pytest.approx(theirs.score)
