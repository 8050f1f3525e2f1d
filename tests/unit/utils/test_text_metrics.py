from __future__ import annotations

import math

import pytest

from swift.utils.text_metrics import bleu_4, rouge_l, spoken, text_scores, words


def test_words() -> None:
    assert words("The cat's 2 Hats, 你好！") == ["the", "cat", "'", "s", "2", "hats", ",", "你", "好", "！"]
    assert words("a_b カタ 한") == ["a", "_", "b", "カ", "タ", "한"]


def test_rouge_leaves_signs_out() -> None:
    assert spoken("The cat's 2 Hats, 你好！") == ["the", "cat", "s", "2", "hats", "你", "好"]
    assert spoken("+ -") == ["+", "-"]
    assert text_scores(["Yes!", "+"], ["yes.", "-"])["rouge-l"] == 50.0


def test_rouge_l_is_lins_example() -> None:
    """Lin 2004, section 3.1: with beta = 1 the sentences below score 3/4, 2/4, and 2/4."""
    reference = ["police", "killed", "the", "gunman"]
    assert rouge_l(["police", "kill", "the", "gunman"], reference) == pytest.approx(3 / 4)
    assert rouge_l(["the", "gunman", "kill", "police"], reference) == pytest.approx(2 / 4)
    assert rouge_l(["the", "gunman", "police", "killed"], reference) == pytest.approx(2 / 4)


def test_rouge_l_of_unequal_lengths_and_of_nothing() -> None:
    assert rouge_l(list("abc"), list("axbxcx")) == pytest.approx(2 * 3 / 9)
    assert rouge_l([], []) == 1.0
    assert rouge_l([], ["a"]) == 0.0


def test_bleu_clips_counts_and_punishes_short_answers() -> None:
    """Papineni 2002, section 2.1: of seven "the", only as many count as the reference has."""
    assert bleu_4([["the"] * 7], [["the", "cat", "is", "on", "the", "mat"]]) == 0.0
    label = ["the", "cat", "is", "on", "the", "mat"]
    assert bleu_4([label], [label]) == pytest.approx(1.0)
    assert bleu_4([label[:5]], [label]) == pytest.approx(math.exp(1 - 6 / 5))


def test_bleu_is_of_the_whole_set() -> None:
    answers = [["a", "b", "c", "d"], ["x", "y"]]
    labels = [["a", "b", "c", "d"], ["x", "z"]]
    precision = [5 / 6, 3 / 4, 2 / 2, 1 / 1]
    assert bleu_4(answers, labels) == pytest.approx(math.prod(precision) ** 0.25)


def test_scores_are_percent() -> None:
    scores = text_scores([" yes ", "no"], ["yes", "maybe"])
    assert scores["exact_match"] == 50.0
    assert scores["rouge-l"] == 50.0
    assert text_scores([], []) == {}
    with pytest.raises(ValueError, match="1 answers, 2 labels"):
        text_scores(["a"], ["a", "b"])
