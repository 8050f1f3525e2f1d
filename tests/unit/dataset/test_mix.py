from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swift.llm.dataset import prepare
from swift.llm.dataset.mix import draw, mix, next_turn, permutation, shard
from swift.utils.errors import DataError

from .rows import ByteEncoder, plan_of, qa, text_of, write_jsonl


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


def test_shards_together_hold_every_row_once() -> None:
    rows = draw(23, count=40, ratio=0.0, seed=7, name="x").train
    parts = [shard(rows, (i, 4)) for i in range(4)]
    assert sorted(np.concatenate(parts).tolist()) == sorted(rows.tolist())
    assert not set(parts[0]) & set(parts[1])
    assert shard(rows, None) is rows


def mixed(lengths: list[int], weights: list[float], strategy: str) -> list[tuple[int, int]]:
    order = mix(lengths, weights, strategy)
    return list(zip(order.source.tolist(), order.index.tolist(), strict=True))


def test_sets_follow_one_another_or_take_turns() -> None:
    assert mixed([2, 0, 3], [1, 1, 1], "concat") == [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]
    assert mixed([2, 3], [1, 1], "interleave_under") == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert mixed([2, 3], [1, 1], "interleave_over") == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 0), (1, 2)]
    assert mixed([0, 2], [1, 1], "interleave_under") == [(1, 0), (1, 1)]
    assert mixed([0, 0], [1, 1], "interleave_over") == []


@pytest.mark.parametrize("lengths", [[300, 100], [50, 900, 7], [1000], [1, 1, 1]])
@pytest.mark.parametrize("weights", [[0.7, 0.2, 0.1], [1, 1, 1], [0.1, 3, 1e-2]])
def test_a_mixture_keeps_its_proportions(lengths: list[int], weights: list[float]) -> None:
    weights = weights[: len(lengths)]
    shares = np.array(weights) / sum(weights)
    for strategy in ("interleave_under", "interleave_over"):
        order = mix(lengths, weights, strategy)
        taken = [0] * len(lengths)
        for source, index in zip(order.source.tolist(), order.index.tolist(), strict=True):
            assert source == next_turn(taken, weights)
            assert index == taken[source] % lengths[source]
            taken[source] += 1
            assert np.all(np.abs(np.array(taken) - shares * sum(taken)) < len(lengths))
        if strategy == "interleave_under":
            due = next_turn(taken, weights)
            assert taken[due] == lengths[due]
            assert all(t <= n for t, n in zip(taken, lengths, strict=True))
        else:
            assert all(t >= n for t, n in zip(taken, lengths, strict=True))
            assert taken[int(order.source[-1])] == lengths[int(order.source[-1])]


def test_a_slip_of_the_weights_is_told() -> None:
    with pytest.raises(DataError, match=r"would repeat data set 2 .* times"):
        mix([10_000, 1], [0.001, 0.999], "interleave_over")


def test_training_reads_the_mixture_and_reports_what_is_not_drawn(tmp_path: Path) -> None:
    one, two = write_jsonl(tmp_path / "one.jsonl", qa(30)), write_jsonl(tmp_path / "two.jsonl", qa(12, 100))

    def numbers(strategy: str, *weights: float) -> tuple[list[int], tuple[str, ...]]:
        plan = plan_of(one, two, cache=tmp_path, shuffle=False, mix_strategy=strategy, weights=weights)
        prepared = prepare(plan, ByteEncoder(), progress=False)
        return [int(text_of(prepared.train[i]).split()[-1]) for i in range(len(prepared.train))], prepared.report.notes

    under, notes = numbers("interleave_under", 0.75, 0.25)
    assert under[:8] == [0, 1, 100, 2, 3, 4, 101, 5]
    assert len(set(under)) == len(under) == 40
    assert notes == ("mixed by interleave_under: one.jsonl 30 of 30 samples, two.jsonl 10 of 12 samples",)
    over, notes = numbers("interleave_over")
    assert over[:4] == [0, 100, 1, 101]
    assert set(over) == {*range(30), *range(100, 112)}
    assert notes[0] == (
        "mixed by interleave_over: one.jsonl 30 of 30 samples, two.jsonl 29 of 12 samples (2.4 times each)"
    )


def test_the_shards_of_a_run_hold_its_rows_once(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", qa(50))

    def texts(**fields: Any) -> list[str]:
        encoder = ByteEncoder()
        plan = plan_of(f"{path}#41", cache=tmp_path, shuffle=False, test_ratio=0.1, **fields)
        prepared = prepare(plan, encoder, progress=False)
        assert prepared.val is not None
        found = [text_of(prepared.train[i]) for i in range(len(prepared.train))]
        found += [text_of(prepared.val[i]) for i in range(len(prepared.val))]
        assert encoder.rows_encoded == len(found)
        return found

    parts = [texts(shard=(i, 3)) for i in range(3)]
    assert sorted(text for part in parts for text in part) == sorted(texts())
    assert min(map(len, parts)) > 8
