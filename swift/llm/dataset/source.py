"""Rows of one data set, over its files, from any place. Does not know what the columns mean.

One row that is not an object is the business of ``columns.py``. What a file format rejects is given as ``Unusable``, a row
like any other; only a file of which nothing can be read stops the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from swift.llm.catalog.rows import DatasetRow
from swift.llm.dataset.readers import Position, Unusable, read_file, suffix_of
from swift.llm.dataset.readers.kinds import unreadable
from swift.llm.dataset.readers.rows import END, Meter, Spot
from swift.utils.errors import DataError

__all__ = ["Chunk", "Position", "Source", "Unusable"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows of one file: ``file`` its number among the source's, ``first`` that of its first row.

    ``done``: bytes read of all files, as they lie on the disk; ``after``: the place behind the last row.
    """

    file: int
    first: int
    lines: list[int]
    rows: list[Any]
    done: int
    after: Position = field(default_factory=Position)


@dataclass(frozen=True, slots=True)
class Source:
    """One data set to read. ``label`` is what people call it; ``files`` are read in this order."""

    label: str
    row: DatasetRow
    files: tuple[Path, ...]
    count: int = -1

    @property
    def num_bytes(self) -> int:
        """Size of all files."""
        return sum(path.stat().st_size for path in self.files)

    def fingerprint(self) -> str:
        """SHA-256 over the content of all files. Their names and dates do not count."""
        total = hashlib.sha256()
        for path in self.files:
            one = hashlib.sha256(suffix_of(path).encode())
            try:
                with open(path, "rb") as file:
                    while block := file.read(1 << 20):
                        one.update(block)
            except OSError as error:
                raise unreadable(path, error) from None
            total.update(one.digest())
        return total.hexdigest()

    def stream(self, start: Position | None = None) -> Iterator[tuple[Position, int, Any]]:
        """Give the place behind each row, the row's line and its values (or ``Unusable``), from ``start`` on, once.

        Memory is that of one row and of one block of the file. A plain file is sought, a compressed one read up to the
        place without being parsed. Raises DataError where a file cannot be read, or where the source holds no row at all.
        """
        at = start or Position()
        row = at.row
        for number in range(at.file, len(self.files)):
            spot = Spot(at.offset, at.line) if number == at.file else Spot()
            if spot.offset == END:
                continue
            for offset, behind, line, values in read_file(self.files[number], spot, Meter()):
                row += 1
                yield Position(number, offset, behind, row), line, values
        if not row:
            raise self._empty()

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Give all rows, at most ``size`` at a time. Raises DataError as ``stream`` does."""
        first = earlier = 0
        for number, path in enumerate(self.files):
            meter = Meter()
            rows = read_file(path, Spot(), meter)
            while part := list(islice(rows, size)):
                offset, behind, _, _ = part[-1]
                lines, values = [read[2] for read in part], [read[3] for read in part]
                after = Position(number, offset, behind, first + len(part))
                yield Chunk(number, first, lines, values, earlier + meter.tell(), after)
                first += len(part)
            earlier += path.stat().st_size
        if not first:
            raise self._empty()

    def num_rows(self) -> int:
        """Count the rows by reading them; a parquet file tells without."""
        if all(path.suffix == ".parquet" for path in self.files):
            import pyarrow as pa
            import pyarrow.parquet as pq

            try:
                return sum(pq.read_metadata(path).num_rows for path in self.files)
            except (pa.ArrowException, OSError):
                pass  # reading it tells what is wrong, with the file's name
        return sum(len(chunk.rows) for chunk in self.chunks(4096))

    def _empty(self) -> DataError:
        names = ", ".join(str(path) for path in self.files[:3])
        more = f" and {len(self.files) - 3} more" if len(self.files) > 3 else ""
        return DataError(f"{self.label}: holds no rows ({names}{more}). Check that it is the file you mean.")
