"""Which samples each batch holds: a pure function of the settings, the seed and the epoch. Knows no tensors of the model.

All ranks and all accumulated batches of one optimiser step take consecutive samples of one global order, so the order in
which samples are learned does not depend on how the step is cut into batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

STEPS_PER_BUCKET = 50
FILLER = -1


class Rows(Protocol):
    """A data set as the loop sees it; a row is one encoded sample, or a list of them (a pack)."""

    @property
    def lengths(self) -> npt.NDArray[np.int32]:
        """Tokens of each row.  # (len(self),)"""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


@runtime_checkable
class Stream(Protocol):
    """Data without an end or a length: batches one after the other, and the place where each of them begins."""

    @property
    def fingerprint(self) -> str:
        """What decides which samples come, and in which order."""
        ...

    def batch(self, number: int) -> list[Any]:
        """The rows of batch ``number``, the one after the last that was asked for."""
        ...

    def state_before(self, number: int) -> dict[str, Any]:
        """The place where that batch begins, as plain values."""
        ...

    def go_to(self, number: int, state: Mapping[str, Any]) -> None:
        """Go on with batch ``number`` from its place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """In which order an epoch visits the rows. ``step_size``: samples of one optimiser step over all ranks."""

    seed: int
    shuffle: bool = True
    group_by_length: bool = False
    step_size: int = 1

    def epoch(self, lengths: npt.NDArray[np.int32], epoch: int) -> npt.NDArray[np.int64]:
        """Row numbers in the order of this epoch.  # (len(lengths),)

        Grouping sorts inside buckets of many steps and then mixes the steps, so that steps hold rows of like length and
        still come in random order.
        """
        # RandomState, not default_rng: numpy promises that its streams never change between versions
        random = np.random.RandomState([self.seed % 2**32, epoch])
        order = random.permutation(len(lengths)) if self.shuffle else np.arange(len(lengths))
        if self.group_by_length:
            order = self._group(order, lengths, random)
        return order.astype(np.int64, copy=False)

    def _group(
        self, order: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32], random: np.random.RandomState
    ) -> npt.NDArray[np.int64]:
        size = self.step_size
        bucket = size * STEPS_PER_BUCKET
        parts = [order[start : start + bucket] for start in range(0, len(order), bucket)]
        ordered = np.concatenate([part[np.argsort(-lengths[part], kind="stable")] for part in parts])
        whole = len(ordered) // size * size  # the short rest stays last, or later steps would be misaligned
        steps = ordered[:whole].reshape(-1, size)
        return np.concatenate([steps[random.permutation(len(steps))].reshape(-1), ordered[whole:]])


class EpochBatches(Sampler[list[int]]):
    """The batches of one rank. `set_epoch` chooses the epoch; starting at batch k costs no reading of earlier rows.

    Where the last samples do not fill a batch on every rank they are shared out evenly; a rank that gets none yields
    ``[FILLER]``, which is loaded as a batch without loss, since every rank must take part in every step.
    """

    def __init__(
        self,
        lengths: npt.NDArray[np.int32],
        order: Order,
        *,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = False,
    ) -> None:
        self.lengths = lengths
        self.order = order
        self.batch_size = batch_size
        self.rank = rank
        self.world_size = world_size
        self.drop_last = drop_last
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration follows."""
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(len(self.lengths), self.batch_size * self.world_size)
        return full + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[list[int]]:
        order = self.order.epoch(self.lengths, self.epoch)
        width = self.batch_size * self.world_size
        for start in range(0, len(self) * width, width):
            shared = order[start : start + width]
            if len(shared) == width:
                mine = shared[self.rank * self.batch_size : (self.rank + 1) * self.batch_size]
            else:
                mine = np.array_split(shared, self.world_size)[self.rank]
            yield mine.tolist() or [FILLER]


class StreamBatches(Sampler[list[int]]):
    """The numbers of all batches of a run over a stream: one pass, as long as the run."""

    def __init__(self, num_batches: int) -> None:
        self.num_batches = num_batches

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[int]]:
        return ([number] for number in range(self.num_batches))


class _Streamed(Dataset[Any]):
    """Gives the loader the stream's batch of a number. Its length is that of the run, in batches."""

    def __init__(self, stream: Stream, num_batches: int) -> None:
        self.stream = stream
        self.num_batches = num_batches

    def __len__(self) -> int:
        return self.num_batches

    def __getitems__(self, numbers: Sequence[int]) -> tuple[list[Any], bool]:
        return self.stream.batch(numbers[0]), False


class _Fetched(Dataset[Any]):
    """Gives the loader a whole batch at once; a filler is the shortest row, marked to carry no loss."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return self.rows[index]

    def __getitems__(self, indices: Sequence[int]) -> tuple[list[Any], bool]:
        if indices[0] == FILLER:
            return [self.rows[int(np.argmin(self.rows.lengths))]], True
        return [self.rows[index] for index in indices], False


class _Collate:
    """Collates what `_Fetched` gives."""

    def __init__(self, collate: Any) -> None:
        self.collate = collate

    def __call__(self, fetched: tuple[list[Any], bool]) -> dict[str, torch.Tensor]:
        from swift.trainers.batch import without_loss

        samples, is_filler = fetched
        batch: dict[str, torch.Tensor] = self.collate(samples)
        return without_loss(batch) if is_filler else batch


class BatchLoader(DataLoader[Any]):
    """A loader over `EpochBatches` that uses no random number of the process, so that loading cannot disturb training."""

    def __init__(
        self,
        rows: Rows | Stream,
        batches: EpochBatches | StreamBatches,
        collate: Any,
        *,
        seed: int,
        workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        fetched = _Streamed(rows, len(batches)) if isinstance(rows, Stream) else _Fetched(rows)
        super().__init__(
            fetched,
            batch_sampler=batches,
            collate_fn=_Collate(collate),  # type: ignore[arg-type]  # the batch as `_Fetched` gives it
            num_workers=workers,
            pin_memory=pin_memory,
            generator=torch.Generator().manual_seed(seed),
        )

    @property
    def num_rows(self) -> int:
        """Rows of the data set, on all ranks; of a stream, batches."""
        assert isinstance(self.dataset, _Fetched | _Streamed)
        return len(self.dataset)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration; a stream has one."""
        if isinstance(self.batch_sampler, EpochBatches):
            self.batch_sampler.set_epoch(epoch)


def fingerprint(rows: Rows | Stream, order: Order) -> str:
    """What must be equal for a resumed run to continue with the same next samples."""
    if isinstance(rows, Stream):
        return rows.fingerprint
    digest = hashlib.sha256(np.ascontiguousarray(rows.lengths, dtype=np.int32).tobytes())
    digest.update(repr(order).encode())
    return digest.hexdigest()
