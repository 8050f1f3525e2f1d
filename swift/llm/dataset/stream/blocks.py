"""Rows of one block to samples, shuffled or packed among themselves. Knows no batch and no place in the stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from swift.llm.core import BatchEncoder, Encoded, Place
from swift.llm.dataset.columns import RowParser
from swift.llm.dataset.encoding import encode_rows, explain_lost
from swift.llm.dataset.ledger import LedgerLine
from swift.llm.dataset.mix import permutation
from swift.llm.dataset.packing import pack
from swift.llm.dataset.source import Source
from swift.llm.dataset.stream.mixture import Row
from swift.llm.plan.plans import DataPlan

__all__ = ["Block", "BlockEncoder", "Unit"]

Unit = Encoded | list[Encoded]
"""What a batch counts: a sample, or a pack of samples."""


@dataclass(frozen=True, slots=True)
class Block:
    """The samples or packs of one block in the order of training, and what became of its rows.

    ``read`` and ``lost`` count rows that nobody had read before, as ``ledger`` does: a later pass loses the same ones.
    """

    units: list[Unit]
    ledger: list[LedgerLine] = field(default_factory=list)
    read: int = 0
    lost: int = 0
    samples: int = 0


@dataclass(frozen=True, slots=True)
class BlockEncoder:
    """Makes a block of rows. ``sources`` and ``parsers`` go by the row's source number."""

    sources: Sequence[Source]
    parsers: Sequence[RowParser]
    encoder: BatchEncoder
    plan: DataPlan

    def __call__(self, rows: Sequence[Row], number: int) -> Block:
        """Encode; every row ends as samples, or as a line of the ledger.

        Raises DataError where all rows that the first block has of a source are lost before they are tokens.
        """
        samples, ledger = self.samples(rows)
        if number == 0:
            self._check_sources(rows, ledger)
        fresh = [line for row, line in ledger if row.first_pass]
        block = Block(
            self._arranged(samples, number),
            ledger=fresh,
            read=sum(row.first_pass for row in rows),
            lost=sum(line.action == "lost" for line in fresh),
            samples=len(samples),
        )
        return block

    def samples(self, rows: Sequence[Row]) -> tuple[list[Encoded], list[tuple[Row, LedgerLine]]]:
        """The samples of rows in their order, and a ledger line for each row that was lost or cut."""
        paths = [str(self.sources[row.source].files[row.file]) for row in rows]
        given = [
            (self.parsers[row.source], row.values, Place(path, row.line)) for row, path in zip(rows, paths, strict=True)
        ]
        fates = encode_rows(given, self.encoder, self.plan.max_length if self.plan.split_long else None)
        samples = [sample for fate in fates for sample in fate.samples]
        ledger = [
            (row, fate.line(path, row.line, row.number))
            for row, path, fate in zip(rows, paths, fates, strict=True)
            if fate.action is not None
        ]
        return samples, ledger

    def _check_sources(self, rows: Sequence[Row], ledger: list[tuple[Row, LedgerLine]]) -> None:
        """What is wrong with a whole file is explained once, before anything is trained."""
        for number, source in enumerate(self.sources):
            lost = [(row, line) for row, line in ledger if row.source == number and line.action == "lost"]
            if (
                len(lost) < sum(row.source == number for row in rows)
                or any(line.tokens for _, line in lost)
                or not lost
            ):
                continue
            explain_lost(
                source,
                self.parsers[number],
                [(line.reason, Place(line.source, line.line), row.values) for row, line in lost],
            )

    def _arranged(self, samples: list[Encoded], number: int) -> list[Unit]:
        if self.plan.packing:
            assert self.plan.max_length is not None  # the plan refuses packing without a block size
            lengths = [len(sample) for sample in samples]
            # the seed of a block is its own, or all blocks of equal lengths would be packed alike
            groups = pack(lengths, self.plan.max_length, self.plan.seed * 1_000_003 + number)
            return [[samples[i] for i in group] for group in groups]
        if not self.plan.shuffle:
            return list(samples)
        return [samples[i] for i in permutation(len(samples), self.plan.seed, "stream", str(number)).tolist()]
