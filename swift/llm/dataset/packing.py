"""Samples into packs of at most ``capacity`` tokens: best-fit decreasing over the whole set. Knows no tensor.

Best-fit decreasing (Johnson 1973) puts the longest sample that is left into the fullest pack that still has room. With
remaining room as an integer below ``capacity``, "the fullest that fits" is the lowest bit set at or above the length, so
a million samples take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from swift.llm.core import Encoded
from swift.llm.dataset.mix import permutation
from swift.utils.errors import DataError

__all__ = ["PackedDataset", "pack"]

SampleT = TypeVar("SampleT", covariant=True)


class Samples(Protocol[SampleT]):
    """A data set of single samples; ``lengths`` (N,) are their tokens, ``num_trained`` the sum of trained ones."""

    @property
    def lengths(self) -> npt.NDArray[np.int32]:
        """Tokens of each sample."""

    @property
    def num_tokens(self) -> int:
        """Tokens of all samples."""

    @property
    def num_trained(self) -> int:
        """Trained tokens of all samples."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> SampleT: ...


def pack(lengths: Sequence[int] | npt.NDArray[np.integer], capacity: int, seed: int) -> list[list[int]]:
    """Group sample numbers so that each group has at most ``capacity`` tokens; same seed, same groups, in a shuffled order.

    Raises ValueError if a sample is longer than ``capacity``.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    if not len(sizes):
        return []
    if int(sizes.max()) > capacity:
        raise ValueError(f"a sample of {int(sizes.max())} tokens does not fit a pack of {capacity}")
    # Equal lengths are shuffled among themselves, or packs would follow the order of the file.
    shuffled = permutation(len(sizes), seed, "pack")
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    packs: list[list[int]] = []
    open_by_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms = 0  # bit r is set while some pack has exactly r tokens of room
    for i, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        fitting = rooms >> size
        if fitting:
            room = size + (fitting & -fitting).bit_length() - 1
            chosen = open_by_room[room].pop()
            if not open_by_room[room]:
                rooms ^= 1 << room
            packs[chosen].append(i)
        else:
            room = capacity
            chosen = len(packs)
            packs.append([i])
        left = room - size
        if left:
            open_by_room[left].append(chosen)
            rooms |= 1 << left
    return [packs[k] for k in permutation(len(packs), seed, "packs").tolist()]


class PackedDataset:
    """Samples grouped into packs: ``[i]`` gives the samples of pack ``i``, ``lengths`` (P,) the tokens of each pack."""

    def __init__(self, samples: Samples[Encoded], capacity: int | None, seed: int) -> None:
        if capacity is None:
            raise DataError("--packing fills blocks of --max_length tokens, and there is no --max_length. Give one.")
        self.samples = samples
        self.capacity = capacity
        groups = pack(samples.lengths, capacity, seed)
        self._starts = np.cumsum([0, *map(len, groups)], dtype=np.int64)
        self._order = np.fromiter((i for group in groups for i in group), np.int64, count=int(self._starts[-1]))
        self.lengths: npt.NDArray[np.int32] = np.fromiter(
            (int(samples.lengths[group].sum()) for group in groups), np.int32, count=len(groups)
        )

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, i: int) -> list[Encoded]:
        if not -len(self) <= i < len(self):
            raise IndexError(f"pack {i} of {len(self)}")
        i %= len(self)
        return [self.samples[int(k)] for k in self._order[self._starts[i] : self._starts[i + 1]]]

    @property
    def num_samples(self) -> int:
        """Samples in all packs."""
        return len(self._order)

    @property
    def num_tokens(self) -> int:
        """Tokens of all packs."""
        return self.samples.num_tokens

    @property
    def num_trained(self) -> int:
        """Tokens that carry loss."""
        return self.samples.num_trained

    @property
    def efficiency(self) -> float:
        """Share of the packs' room that holds tokens, 0 to 1."""
        return self.num_tokens / (len(self) * self.capacity) if len(self) else 0.0
