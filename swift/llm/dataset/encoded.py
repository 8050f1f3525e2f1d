"""Samples of several stores in one order: what a trainer reads. Knows no file format and no tensor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from swift.llm.core import Encoded, Place
from swift.llm.dataset.cache import Samples
from swift.llm.dataset.lazy import LazyStore

__all__ = ["EncodedDataset", "samples_of_rows"]


class EncodedDataset:
    """``picks`` (N,) are sample numbers counted through all stores, in training order; one may occur more than once.

    ``files`` are those of each store, to say where a sample came from. ``lengths`` (N,) are tokens. ``[i]`` gives an Encoded whose arrays are read-only views of the cache file.
    """

    def __init__(
        self, stores: Sequence[Samples], picks: npt.NDArray[np.int64], files: Sequence[Sequence[Path]] = ()
    ) -> None:
        self.stores = tuple(stores)
        self.files = tuple(files)
        self.picks = picks
        self._bases = np.cumsum([0, *map(len, self.stores)], dtype=np.int64)
        self.lengths: npt.NDArray[np.int32] = self._gather([store.lengths for store in self.stores])
        self._trained = self._gather([store.num_trained for store in self.stores])

    def _gather(self, parts: Sequence[npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
        whole = np.concatenate(parts) if parts else np.empty(0, np.int32)
        return whole[self.picks]

    def __len__(self) -> int:
        return len(self.picks)

    def __getitem__(self, i: int) -> Encoded:
        if not -len(self) <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        return self.sample(int(self.picks[i]))

    def sample(self, pick: int) -> Encoded:
        """The sample of that number, counted through all stores."""
        number, k = self._at(pick)
        return self.stores[number][k]

    def _at(self, pick: int) -> tuple[int, int]:
        number = int(np.searchsorted(self._bases, pick, side="right")) - 1
        return number, pick - int(self._bases[number])

    def place(self, i: int) -> Place:
        """The file and the line that sample ``i`` came from."""
        return self.origin(int(self.picks[i]))

    def origin(self, pick: int) -> Place:
        """The same for the sample of that number, counted through all stores."""
        number, k = self._at(pick)
        file, line = self.stores[number].place(k)
        return Place(str(self.files[number][file]), line)

    @property
    def lazy(self) -> list[LazyStore]:
        """The stores whose rows are encoded when they are used."""
        return [store for store in self.stores if isinstance(store, LazyStore)]

    @property
    def num_tokens(self) -> int:
        """Tokens of all samples, repeats counted."""
        return int(self.lengths.sum(dtype=np.int64))

    @property
    def num_trained(self) -> int:
        """Tokens that carry loss."""
        return int(self._trained.sum(dtype=np.int64))


def samples_of_rows(store: Samples, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the numbers of the samples that came of ``rows``, in that order: none for a lost row, several for a split one."""
    starts = np.searchsorted(store.rows, rows, side="left")
    counts = np.searchsorted(store.rows, rows, side="right") - starts
    ends = np.cumsum(counts)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    samples: npt.NDArray[np.int64] = (np.repeat(starts, counts) + within).astype(np.int64)
    return samples
