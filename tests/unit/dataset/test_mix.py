from __future__ import annotations

import numpy as np
import pytest

from swift.llm.dataset.mix import draw, permutation


def test_the_order_is_fixed_for_all_machines() -> None:
    assert permutation(8, 42).tolist() == [5, 6, 1, 2, 0, 3, 7, 4]
    assert permutation(0, 42).tolist() == []
    assert permutation(1, 42).tolist() == [0]
    assert not np.array_equal(permutation(50, 1), permutation(50, 2))
    assert not np.array_equal(permutation(50, 1, "a"), permutation(50, 1, "b"))


@pytest.mark.parametrize(
    ("n", "count", "ratio", "num_train", "num_val"),
    [
        (1000, -1, 0.01, 990, 10),
        (1000, 500, 0.01, 495, 5),
        (100, 20, 0.01, 19, 1),
        (100, -1, 0.0, 100, 0),
        (100, 250, 0.1, 240, 10),
        (1, -1, 0.01, 1, 0),
        (5, 1, 0.5, 1, 0),
        (2, -1, 0.01, 1, 1),
    ],
)
def test_validation_is_drawn_first(n: int, count: int, ratio: float, num_train: int, num_val: int) -> None:
    drawn = draw(n, count=count, ratio=ratio, seed=7, name="x")
    assert (len(drawn.train), len(drawn.val)) == (num_train, num_val)
    assert not set(drawn.train) & set(drawn.val)
    assert len(set(drawn.val)) == num_val
    if count < 0:
        assert sorted([*drawn.train, *drawn.val]) == list(range(n))


def test_a_count_above_the_size_repeats_all_rows_and_then_some() -> None:
    times = np.bincount(draw(10, count=34, ratio=0.0, seed=7, name="x").train, minlength=10)
    assert times.sum() == 34
    assert set(times) == {3, 4}


def test_all_rows_of_a_validation_set_validate() -> None:
    drawn = draw(10, count=4, ratio=0.3, seed=7, name="x", only_val=True)
    assert (len(drawn.train), len(drawn.val)) == (0, 4)
