from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swift.llm.core import Encoded
from swift.llm.dataset.packing import PackedDataset, pack
from swift.utils.errors import DataError


class Samples:
    def __init__(self, *lengths: int) -> None:
        self.lengths = np.array(lengths, np.int32)
        self.num_tokens = int(self.lengths.sum())
        self.num_trained = self.num_tokens - len(lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, i: int) -> Encoded:
        return Encoded(np.full(self.lengths[i], i, np.int32), np.ones(self.lengths[i], np.bool_))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 64), max_size=200), st.integers(0, 3))
def test_every_sample_is_in_one_pack_that_holds_it(lengths: list[int], seed: int) -> None:
    packs = pack(lengths, 64, seed)
    assert sorted(i for group in packs for i in group) == list(range(len(lengths)))
    assert all(0 < sum(lengths[i] for i in group) <= 64 for group in packs)
    assert packs == pack(lengths, 64, seed)
    # No two packs could be one: best fit leaves at most one pack half empty.
    assert sum(sum(lengths[i] for i in group) <= 32 for group in packs) <= 1


def test_the_fullest_pack_that_has_room_is_taken() -> None:
    packs = pack([7, 6, 3, 4], 10, seed=0)
    assert sorted(map(sorted, packs)) == [[0, 2], [1, 3]]


def test_the_seed_decides_who_shares_a_pack() -> None:
    lengths = [5] * 100
    assert pack(lengths, 20, 1) != pack(lengths, 20, 2)


def test_packs_fill_their_room() -> None:
    rng = np.random.default_rng(0)
    lengths = np.minimum(rng.lognormal(5, 0.8, 20_000).astype(np.int32) + 8, 2048)
    packs = pack(lengths, 2048, 0)
    assert lengths.sum() / (len(packs) * 2048) > 0.995


def test_a_pack_is_a_list_of_samples() -> None:
    packed = PackedDataset(Samples(7, 6, 3, 4), 10, seed=0)
    assert len(packed) == 2
    assert packed.lengths.tolist() == [10, 10]
    assert (packed.num_tokens, packed.num_trained, packed.num_samples, packed.efficiency) == (20, 16, 4, 1.0)
    assert sorted(int(sample.input_ids[0]) for i in range(2) for sample in packed[i]) == [0, 1, 2, 3]
    assert [len(sample) for sample in packed[-1]] == [len(sample) for sample in packed[1]]
    with pytest.raises(IndexError, match="pack 2 of 2"):
        packed[2]


def test_a_sample_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="11 tokens does not fit a pack of 10"):
        pack([3, 11], 10, 0)
    with pytest.raises(DataError, match="--max_length"):
        PackedDataset(Samples(3), None, 0)
    assert pack([], 10, 0) == []
