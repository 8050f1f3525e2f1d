"""Rows that are encoded when they are used (``--lazy_tokenize true``): kept as JSON in a memory-mapped file, by content.

Whether a row can be read is known beforehand; how many tokens it has only when it is used. A row that turns out to be
unusable then becomes a sample without loss and a line of the ledger: no other row takes its place.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from swift.llm.core import BatchEncoder, Conversation, Dropped, Encoded, Place
from swift.llm.dataset.cache import Built, Record, lock
from swift.llm.dataset.columns import RowParser
from swift.llm.dataset.encoding import CHUNK_ROWS, check_first, parsed_text
from swift.llm.dataset.ledger import LedgerLine
from swift.llm.dataset.source import Source
from swift.llm.plan.plans import DataPlan
from swift.utils import environ
from swift.utils.errors import DataError
from swift.utils.files import append_jsonl, atomic_write, write_json_atomic
from swift.utils.log import logger

__all__ = ["LazyStore", "open_lazy"]

_SCHEMA = pa.schema([
    pa.field("row", pa.int64(), nullable=False), pa.field("file", pa.int32(), nullable=False),
    pa.field("line", pa.int64(), nullable=False), pa.field("values", pa.large_binary(), nullable=False),
])  # fmt: skip
JUDGED = 256
"""Rows that must have been used before the share of lost ones stops the run."""
_KEPT, _LOST = 1, 2


class LazyStore:
    """The readable rows of one source; ``[i]`` encodes one. Stands where a ``Store`` of samples stands.

    ``lengths`` (N,) are a bound for people and for predictions: the bytes of the row, up to the limit. ``num_trained`` and
    ``cut_tokens`` (N,) are not known, and zero.
    """

    def __init__(self, path: Path, source: Source, parser: RowParser, encoder: BatchEncoder, plan: DataPlan) -> None:
        self._source, self._parser, self._encoder, self._plan = source, parser, encoder, plan
        with pa.memory_map(str(path)) as mapped:
            table = pa.ipc.open_file(mapped).read_all()
        self.rows: npt.NDArray[np.int64] = table.column("row").to_numpy()
        self._files: npt.NDArray[np.int32] = table.column("file").to_numpy()
        self._lines: npt.NDArray[np.int64] = table.column("line").to_numpy()
        self._values = table.column("values")
        sizes = [np.diff(np.frombuffer(chunk.buffers()[1], np.int64)[chunk.offset :][: len(chunk) + 1])
                 for chunk in self._values.chunks]  # fmt: skip
        bound = np.concatenate(sizes) if sizes else np.empty(0, np.int64)
        self.lengths: npt.NDArray[np.int32] = np.minimum(bound, plan.max_length or 2**31 - 1).astype(np.int32)
        self.num_trained: npt.NDArray[np.int32] = np.zeros(len(self), np.int32)
        self.cut_tokens: npt.NDArray[np.int32] = np.zeros(len(self), np.int32)
        # shared with the loader's processes, so that a row is told about once
        self._fate = np.frombuffer(mmap.mmap(-1, max(len(self), 1)), np.uint8)
        self._ledger: Path | None = None
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, i: int) -> tuple[int, int]:
        """(number of the file, line) of row ``i``."""
        return int(self._files[i]), int(self._lines[i])

    def append_to(self, ledger: Path) -> None:
        """Write the rows that are lost from now on to the end of this file."""
        self._ledger = ledger

    def report(self) -> str:
        """What became of the rows, in one line."""
        return f"{self._source.label}: of {len(self):,} rows {self.used:,} were used, {self.lost:,} of them without loss (see the ledger)"

    @property
    def used(self) -> int:
        """Rows that were used."""
        return int((self._fate != 0).sum())

    @property
    def lost(self) -> int:
        """Rows that turned out to be unusable."""
        return int((self._fate == _LOST).sum())

    def __getitem__(self, i: int) -> Encoded:
        if not 0 <= i < len(self):
            raise IndexError(f"row {i} of {len(self)}")
        if os.getpid() != self._process:  # the tokenizer's threads do not survive a fork
            environ.export("TOKENIZERS_PARALLELISM", "false")
        file, line = self.place(i)
        place = Place(str(self._source.files[file]), line)
        found: Any = parsed_text(self._parser, json.loads(self._values[i].as_py()), place)
        if isinstance(found, Conversation):
            (found,) = self._encoder.encode_batch([found])
        if isinstance(found, Encoded):
            if found.cut_tokens and not self._fate[i]:
                before = len(found) + found.cut_tokens
                self._tell(i, place, "cut", f"{before:,} tokens, cut to {len(found):,}", before)
            self._fate[i] = _KEPT
            return found
        if self._fate[i] != _LOST:
            self._fate[i] = _LOST
            self._tell(i, place, "lost", found.reason, found.tokens)
            self._judge(place, found)
        return Encoded(np.zeros(1, np.int32), np.zeros(1, np.bool_))

    def _tell(self, i: int, place: Place, action: Any, reason: str, tokens: int) -> None:
        line = LedgerLine(place.source, place.line, int(self.rows[i]), action, reason, tokens)
        if self._ledger is not None:
            append_jsonl(self._ledger, line.to_json())
        else:
            logger.warning("%s %s", action, line)

    def _judge(self, place: Place, dropped: Dropped) -> None:
        if self._plan.strict:
            raise DataError(f"{place}: {dropped.reason}, and --strict_data is true.")
        used, lost = self.used, self.lost
        if used >= JUDGED and lost > self._plan.max_lost_ratio * used:
            raise DataError(
                f"{self._source.label}: {lost:,} of the {used:,} rows that were used so far cannot be trained on (more than "
                f"--max_lost_ratio {self._plan.max_lost_ratio:g}), the last one: {place}: {dropped.reason}. Repair them, or give a "
                "larger --max_length."
            )


def open_lazy(
    folder: Path, key: str, source: Source, parser: RowParser, encoder: BatchEncoder, plan: DataPlan
) -> Built:
    """Find, or make, the file of the rows at ``key``; nothing is encoded. Raises DataError, DiskError."""
    data, told = folder / f"{key}.rows", folder / f"{key}.rows.json"
    with lock(folder, key):
        found = data.is_file() and told.is_file()
        if not found:
            _write_rows(data, told, source, parser)
        record = json.loads(told.read_text(encoding="utf-8"))
    ledger = tuple(LedgerLine(**line) for line in record["ledger"])
    store = LazyStore(data, source, parser, encoder, plan)
    return Built(store, Record(record["num_rows"], 0, 0, ledger), found, 1, int(not found))


def _write_rows(data: Path, told: Path, source: Source, parser: RowParser) -> None:
    ledger: list[LedgerLine] = []
    num_rows = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal num_rows
        for chunk in source.chunks(CHUNK_ROWS):
            kept: list[tuple[int, int, int, bytes]] = []
            lost: list[LedgerLine] = []
            for number, (line, values) in enumerate(zip(chunk.lines, chunk.rows, strict=True), chunk.first):
                parsed = parsed_text(parser, values, Place(str(source.files[chunk.file]), line))
                if isinstance(parsed, Dropped):
                    lost.append(LedgerLine(str(chunk.file), line, number, "lost", parsed.reason))
                else:
                    # what JSON cannot say (dates) is in columns that nobody reads
                    kept.append((number, chunk.file, line, json.dumps(values, default=str).encode()))
            if not num_rows:
                check_first(source, parser, chunk, lost, kept=bool(kept))
            num_rows += len(chunk.rows)
            ledger.extend(lost)
            if kept:
                columns = [
                    pa.array(list(column), field.type)
                    for column, field in zip(zip(*kept, strict=True), _SCHEMA, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)

    with atomic_write(data, "wb") as file, pa.ipc.new_file(file, _SCHEMA) as writer:
        for batch in batches():
            writer.write_batch(batch)
    write_json_atomic(told, {"num_rows": num_rows, "ledger": [_plain(line) for line in ledger]})


def _plain(line: LedgerLine) -> dict[str, Any]:
    return {"source": line.source, "line": line.line, "row": line.row, "action": line.action, "reason": line.reason}
