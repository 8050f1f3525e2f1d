from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch
from accelerate.data_loader import skip_first_batches

from swift.trainers.sampler import FILLER, BatchLoader, EpochBatches, Order, fingerprint

LENGTHS = np.random.RandomState(0).randint(1, 500, 1003).astype(np.int32)


@pytest.mark.parametrize("group", [False, True])
def test_an_epoch_visits_each_row_once(group: bool) -> None:
    order = Order(seed=3, group_by_length=group, step_size=8)
    first, again, second = order.epoch(LENGTHS, 0), order.epoch(LENGTHS, 0), order.epoch(LENGTHS, 1)
    assert sorted(first) == sorted(second) == list(range(len(LENGTHS)))
    assert (first == again).all()
    assert (first != second).any()


def test_without_shuffling_rows_come_as_they_are() -> None:
    assert Order(seed=3, shuffle=False).epoch(LENGTHS, 5).tolist() == list(range(len(LENGTHS)))


def test_the_order_is_the_same_on_every_machine() -> None:
    assert Order(seed=42).epoch(np.ones(8, dtype=np.int32), 2).tolist() == [3, 2, 1, 5, 7, 4, 0, 6]


def test_grouping_puts_like_lengths_into_a_step() -> None:
    def padding(order: Order) -> float:
        steps = LENGTHS[order.epoch(LENGTHS, 0)][:1000].reshape(-1, 8)
        return float((steps.max(1, keepdims=True) - steps).sum() / steps.sum())

    assert padding(Order(seed=0, group_by_length=True, step_size=8)) < 0.1 * padding(Order(seed=0, step_size=8))


@pytest.mark.parametrize(("world", "size"), [(1, 8), (2, 4), (4, 2), (8, 1)])
def test_ranks_share_the_global_order(world: int, size: int) -> None:
    order = Order(seed=1, step_size=8)
    ranks = [list(EpochBatches(LENGTHS, order, batch_size=size, rank=rank, world_size=world)) for rank in range(world)]
    steps = [[index for batch in step for index in batch if index != FILLER] for step in zip(*ranks, strict=True)]
    whole = [index for step in steps for index in step]
    assert whole == order.epoch(LENGTHS, 0).tolist()
    assert len(steps[-1]) == 1003 % 8
    assert len(ranks[0]) == len(EpochBatches(LENGTHS, order, batch_size=size, rank=0, world_size=world))


def test_a_rank_without_a_sample_gets_a_filler() -> None:
    lengths = np.ones(9, dtype=np.int32)
    ranks = [list(EpochBatches(lengths, Order(seed=0), batch_size=2, rank=rank, world_size=4)) for rank in range(4)]
    assert [batches[-1] for batches in ranks][1:] == [[FILLER]] * 3
    assert len(ranks[0][-1]) == 1


def test_dropping_the_last_short_batch() -> None:
    batches = EpochBatches(LENGTHS, Order(seed=0), batch_size=8, drop_last=True)
    assert len(batches) == 125
    assert {len(batch) for batch in batches} == {8}


def test_skipping_touches_no_earlier_row_and_no_random_number(tiny: ModuleType) -> None:
    touched = []

    class Watched(tiny.Samples):  # type: ignore[name-defined, misc]
        def __getitem__(self, index: int) -> object:
            touched.append(index)
            return super().__getitem__(index)

    rows = Watched(40)
    loader = BatchLoader(rows, EpochBatches(rows.lengths, Order(seed=5), batch_size=4), tiny.flat, seed=5)
    loader.set_epoch(3)
    order = Order(seed=5).epoch(rows.lengths, 3).tolist()
    before = torch.get_rng_state()
    assert len(list(skip_first_batches(loader, 7))) == 3
    assert touched == order[28:]
    assert torch.equal(torch.get_rng_state(), before)


def test_a_filler_carries_no_loss(tiny: ModuleType) -> None:
    rows = tiny.Samples(2)
    batches = EpochBatches(rows.lengths, Order(seed=0), batch_size=1, rank=3, world_size=4)
    (batch,) = BatchLoader(rows, batches, tiny.flat, seed=0)
    assert (batch["labels"] == -100).all()


class Lengths(list[int]):
    """Rows of these lengths."""

    def __init__(self, lengths: np.ndarray) -> None:
        super().__init__(lengths.tolist())
        self.lengths = lengths


def test_the_fingerprint_tells_data_and_order_apart() -> None:
    one = fingerprint(Lengths(LENGTHS), Order(seed=1))
    assert one == fingerprint(Lengths(LENGTHS.astype(np.int64)), Order(seed=1))
    changed = LENGTHS.copy()
    changed[-1] += 1
    assert (
        len(
            {
                one,
                fingerprint(Lengths(changed), Order(seed=1)),
                fingerprint(Lengths(LENGTHS), Order(seed=2)),
                fingerprint(Lengths(LENGTHS), Order(seed=1, step_size=2)),
            }
        )
        == 4
    )
