"""Scores of texts, worked out by hand."""

from __future__ import annotations

import pytest

from swift.llm.scoring.texts import compare, rouge_n


def test_rouge_n_counts_shared_runs() -> None:
    label = ["the", "cat", "was", "under", "the", "bed"]
    answer = ["the", "cat", "was", "found", "under", "the", "bed"]
    assert rouge_n(answer, label, 1) == pytest.approx(2 * 6 / (7 + 6))
    assert rouge_n(answer, label, 2) == pytest.approx(2 * 4 / (6 + 5))
    assert rouge_n(["the"] * 3, ["the", "cat"], 1) == pytest.approx(2 * 1 / 5)  # counts are clipped


def test_texts_without_such_a_run_are_the_same_or_not() -> None:
    assert rouge_n(["a"], ["a"], 2) == 1.0
    assert rouge_n(["a"], ["b"], 2) == 0.0
    assert rouge_n([], [], 1) == 1.0
    assert rouge_n([], ["a"], 1) == 0.0


def test_all_scores_in_percent() -> None:
    scores = compare(["yes", "a b c d"], ["yes", "a b c e"])
    assert list(scores) == ["exact_match", "rouge-1", "rouge-2", "rouge-l", "bleu-4"]
    assert scores["exact_match"] == 50.0
    assert scores["rouge-1"] == pytest.approx(100 * (1 + 3 / 4) / 2)
    assert scores["rouge-2"] == pytest.approx(100 * (1 + 2 / 3) / 2)
    assert compare([], []) == {}


def test_a_chinese_character_is_a_word() -> None:
    assert compare(["今天天气很好"], ["今天天气不好"])["rouge-1"] == pytest.approx(100 * 5 / 6)
