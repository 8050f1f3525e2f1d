"""Batches of a stream by their number, and the place of each batch, so that a run can go on from a checkpoint.

The next block is read and encoded by one thread while the loop trains on this one. Knows no tensor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from swift.llm.core import Encoded
from swift.llm.dataset.ledger import LedgerLine, count_reasons, judge
from swift.llm.dataset.stream.blocks import Block, BlockEncoder, Unit
from swift.llm.dataset.stream.mixture import Cursor, Mixture, Row, cursor_from
from swift.utils.errors import CheckpointError, DataError

__all__ = ["HeldSamples", "StreamPlace", "StreamedRows"]

FIRST_BLOCK = 256
"""Rows of the first block; each further one has twice as many, up to the buffer: so training starts at once."""
REMEMBERED = 1024
"""Batches whose places are kept: the loop reads a few ahead of the one it trains on."""


@dataclass(frozen=True, slots=True)
class StreamPlace:
    """The place before some batch: the block's number, the cursors where it begins, how many of its units were used.

    ``read``, ``lost`` and ``samples`` count what came before this block; ``ledger_bytes`` is how long the row
    ledger was; ``reasons`` counts lost rows.
    """

    block: int
    used: int
    cursors: tuple[Cursor, ...]
    read: int = 0
    lost: int = 0
    samples: int = 0
    ledger_bytes: int = 0
    reasons: Mapping[str, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        values = asdict(self)
        values["cursors"] = [cursor.to_json() for cursor in self.cursors]
        return values


def place_from(values: Mapping[str, Any]) -> StreamPlace:
    """The inverse of ``StreamPlace.to_json``."""
    return StreamPlace(**{**values, "cursors": tuple(cursor_from(cursor) for cursor in values["cursors"])})


Coming: TypeAlias = tuple[StreamPlace, "Future[tuple[Block, tuple[Cursor, ...]]]"]
"""The place where a block begins, and that block with the cursors behind it."""


class HeldSamples:
    """A few samples in memory, as a data set: what validates. ``lengths`` (N,) are tokens."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self._units = list(units)
        self.lengths: npt.NDArray[np.int32] = np.array([_size(unit) for unit in self._units], np.int32)
        self.num_tokens = int(self.lengths.sum())
        self.num_trained = sum(int(sample.trained.sum()) for unit in self._units for sample in _samples(unit))

    def __len__(self) -> int:
        return len(self._units)

    def __getitem__(self, i: int) -> Unit:
        return self._units[i]


class StreamedRows:
    """An endless stream of batches of ``batch_size`` units (samples, or packs).

    ``batch`` gives them one after the other by their number; ``state_before`` says where one began, for as long as the loop
    can ask for it; ``go_to`` goes on from such a place. ``first`` holds the samples of the first block, which tell what the
    data looks like; ``val`` what was taken from the start for validation.
    """

    def __init__(self, mixture: Mixture, encode: BlockEncoder, *, batch_size: int, num_val: int = 0) -> None:
        self.plan = encode.plan
        self._mixture, self._encode, self._size = mixture, encode, batch_size
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stream")
        self._ledger: Path | None = None
        self.val, self.val_ledger = self._hold_back(num_val)
        mixture.begin_here()
        self.fingerprint = self._identity(num_val)
        self._next = 0
        self._places: dict[int, StreamPlace] = {}
        self._block: tuple[StreamPlace, Block] | None = None
        self._used = 0  # units of the block that were given, or are to be passed over in the coming one
        self._coming = self._read(StreamPlace(0, 0, mixture.origins))
        first = self._coming[1].result()[0]
        self._judge(first, first.read, explain=True)
        self.first = HeldSamples(first.units)

    def __len__(self) -> int:
        raise TypeError("a stream has no length; the number of steps is --max_steps")

    # --- what the loop asks for

    def batch(self, number: int) -> list[Unit]:
        """The units of batch ``number``, which must be the one after the last. Raises DataError as reading does."""
        if number != self._next:
            raise ValueError(f"batch {number} of a stream that stands at {self._next}")
        self._places[number] = self._here()
        self._places.pop(number - REMEMBERED, None)
        self._next += 1
        units: list[Unit] = []
        while len(units) < self._size:
            if self._block is None or self._used >= len(self._block[1].units):
                self._enter()
                continue
            part = self._block[1].units[self._used : self._used + self._size - len(units)]
            self._used += len(part)
            units += part
        return units

    def state_before(self, number: int) -> dict[str, Any]:
        """The place where batch ``number`` begins, as plain values."""
        return (self._places[number] if number in self._places else self._here()).to_json()

    def go_to(self, number: int, state: Mapping[str, Any]) -> None:
        """Go on with batch ``number`` from its place. Raises CheckpointError where this is no place of this stream."""
        try:
            place = place_from(state)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"the checkpoint holds no place in this stream ({error})") from None
        self._coming[1].cancel()
        self._next, self._places, self._block, self._used = number, {}, None, place.used
        self._coming = self._read(replace(place, used=0))

    def write_ledger_to(self, path: Path) -> None:
        """Append lost and cut rows to this file from now on; what a later part of the run had written is taken off it."""
        start, future = self._coming
        with open(path, "ab") as file:
            file.truncate(min(start.ledger_bytes, file.tell()))
            if not start.ledger_bytes:
                file.write(_as_bytes(self.val_ledger))
        self._ledger = path
        self._coming = (replace(start, ledger_bytes=path.stat().st_size), future)

    def close(self) -> None:
        """Stop reading ahead."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    # --- blocks

    def _here(self) -> StreamPlace:
        """The place before the next batch; at the end of a block it is the beginning of the one to come."""
        if self._block is not None and self._used < len(self._block[1].units):
            return replace(self._block[0], used=self._used)
        return replace(self._coming[0], used=self._used if self._block is None else 0)

    def _read(self, start: StreamPlace) -> Coming:
        """Begin to read and encode the block that starts there."""
        num_rows = min(FIRST_BLOCK << min(start.block, 20), self.plan.stream_buffer)

        def work() -> tuple[Block, tuple[Cursor, ...]]:
            if tuple(self._mixture.cursors) != start.cursors:
                self._mixture.go_to(start.cursors)
            rows = self._mixture.take(num_rows)
            return self._encode(rows, start.block), tuple(self._mixture.cursors)

        return start, self._thread.submit(work)

    def _enter(self) -> None:
        """Wait for the coming block, account for its rows, and begin to read the one after it."""
        start, future = self._coming
        block, behind = future.result()
        if start.block:  # the first was judged when the stream was opened
            # a few rows at the end of a pass prove nothing: they count among all that were read
            self._judge(block, block.read if block.read >= FIRST_BLOCK else start.read + block.read)
        after = StreamPlace(
            start.block + 1, 0, behind,
            read=start.read + block.read, lost=start.lost + block.lost, samples=start.samples + block.samples,
            ledger_bytes=start.ledger_bytes + self._write(block.ledger), reasons=_added(start.reasons, block.ledger),
        )  # fmt: skip
        self._used = self._used if self._block is None else 0
        self._block = (start, block)
        self._coming = self._read(after)

    def _write(self, ledger: list[LedgerLine]) -> int:
        if self._ledger is None or not ledger:
            return 0
        text = _as_bytes(ledger)
        with open(self._ledger, "ab") as file:
            file.write(text)
        return len(text)

    def _judge(self, block: Block, among: int, *, explain: bool = False) -> None:
        """Stop where a block lost too many rows: what goes wrong in a stream should not train until morning."""
        parsers = self._encode.parsers
        if block.read:
            judge(
                ", ".join(source.label for source in self._mixture.sources), among, block.ledger,
                strict=self.plan.strict, check_strategy=self.plan.check_strategy,
                max_lost_ratio=self.plan.max_lost_ratio, max_length=self.plan.max_length,
                advise=parsers[0].advice if explain and len(parsers) == 1 else None,
            )  # fmt: skip

    def report(self) -> str:
        """What became of the rows so far, in one line."""
        now = self._coming[0]
        passes = min(cursor.passes for cursor in now.cursors)
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in (now.reasons or {}).items())
        lost = f"lost {now.lost:,} ({reasons})" if reasons else "lost 0"
        again = f"; {passes:,} whole passes before this one" if passes else ""
        return f"stream: read {now.read:,}, kept {now.read - now.lost:,}, {lost}{again}; {now.samples:,} samples"

    def _hold_back(self, number: int) -> tuple[HeldSamples | None, list[LedgerLine]]:
        if not number:
            return None, []
        rows: list[Row] = self._mixture.take(number)
        samples, ledger = self._encode.samples(rows)
        lines = [replace(line, split="val") for _, line in ledger]
        if not samples:
            raise DataError(
                f"--streaming_val_size {number}: none of these rows can be used:"
                + "".join(f"\n  {line}" for line in lines[:5])
            )
        return HeldSamples(samples), lines

    def _identity(self, num_val: int) -> str:
        """SHA-256 of what decides the order of samples: files (size and beginning), settings, template."""
        files = []
        for source in self._mixture.sources:
            for path in source.files:
                with open(path, "rb") as file:
                    files.append([path.stat().st_size, hashlib.sha256(file.read(1 << 16)).hexdigest(), source.count])
        plan = self.plan
        settings = [
            plan.seed, plan.shuffle, plan.packing, plan.max_length, plan.split_long, plan.stream_buffer, num_val, self._size,
            self._mixture.strategy, plan.weights, self._encode.encoder.fingerprint,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps([files, settings]).encode()).hexdigest()


def _samples(unit: Unit) -> list[Encoded]:
    return [unit] if isinstance(unit, Encoded) else unit


def _size(unit: Unit) -> int:
    return sum(len(sample) for sample in _samples(unit))


def _added(before: Mapping[str, int] | None, ledger: Sequence[LedgerLine]) -> dict[str, int]:
    total = dict(before or {})
    for reason, count in count_reasons(ledger).items():
        total[reason] = total.get(reason, 0) + count
    return total


def _as_bytes(ledger: Sequence[LedgerLine]) -> bytes:
    return "".join(json.dumps(line.to_json(), ensure_ascii=False) + "\n" for line in ledger).encode()
