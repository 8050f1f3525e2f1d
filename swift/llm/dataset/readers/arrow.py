"""Parquet and Arrow files, a batch at a time. A damaged part costs the rows that it holds, not those behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swift.llm.dataset.readers.rows import Meter, Read, Spot, Unusable, broken_end
from swift.utils.errors import DataError
from swift.utils.log import logger

__all__ = ["arrow", "parquet"]

_BATCH = 1024


def parquet(path: Path, start: Spot, meter: Meter) -> Iterator[Read]:
    """Read a parquet file. Its footer tells how many rows there are, so each of a damaged row group is counted."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = path.stat().st_size
    number = 0
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        _raise_of_disk(error)
        raise DataError(f"{path}: not a parquet file, or a damaged one: {_first_line(error)}") from None
    with file:
        total = max(file.metadata.num_rows, 1)
        meter.tell = lambda: size * number // total
        for group in range(file.metadata.num_row_groups):
            end = number + file.metadata.row_group(group).num_rows
            if end <= start.offset:
                number = end
                continue
            try:
                for batch in file.iter_batches(_BATCH, row_groups=[group]):
                    skip = max(start.offset - number, 0)
                    number += min(skip, batch.num_rows)
                    for row in _rows(batch.slice(skip)):
                        number += 1
                        yield number, number, number, row
            except (pa.ArrowException, OSError) as error:
                _raise_of_disk(error)
                if not number and end == file.metadata.num_rows:
                    raise DataError(f"{path}: not a parquet file, or a damaged one: {_first_line(error)}") from None
                logger.warning("%s: rows %d to %d are damaged, and lost: %s", path, number + 1, end, _first_line(error))
                number = max(number, start.offset)
                while number < end:
                    number += 1
                    yield number, number, number, Unusable(f"damaged in the file: {_first_line(error)}")


def arrow(path: Path, start: Spot, meter: Meter) -> Iterator[Read]:
    """Read Arrow IPC, the file and the stream form (which the datasets library writes)."""
    import pyarrow as pa

    number = 0
    try:
        with pa.memory_map(str(path)) as raw:
            meter.tell = lambda: 0 if raw.closed else raw.tell()
            is_file = raw.size() >= 6 and raw.read(6) == b"ARROW1"
            raw.seek(0)
            reader: Any = pa.ipc.open_file(raw) if is_file else pa.ipc.open_stream(raw)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if is_file else iter(reader)
            for batch in batches:
                if number + batch.num_rows <= start.offset:
                    number += batch.num_rows
                    continue
                batch.validate(full=True)  # offsets of a damaged file lead anywhere, out of the memory too
                skip = max(start.offset - number, 0)
                number += skip
                for row in _rows(batch.slice(skip)):
                    number += 1
                    yield number, number, number, row
    except (pa.ArrowException, OSError) as error:
        _raise_of_disk(error)
        if not number:
            raise DataError(f"{path}: not an Arrow file, or a damaged one: {_first_line(error)}") from None
        why = f"the Arrow file is damaged or cut off ({_first_line(error)})"
        yield from broken_end(path, Spot(number, number), why, rows_before=True)


def _rows(batch: Any) -> Iterator[Any]:
    """Give a batch's rows as dicts; one that Python cannot hold (a text that is not UTF-8, a date of year 300,000) is lost."""
    import pyarrow as pa

    floats = [field.name for field in batch.schema if pa.types.is_floating(field.type)]
    errors = (pa.ArrowException, ValueError, OverflowError, UnicodeError)
    for first in range(0, batch.num_rows, _BATCH):
        part = batch.slice(first, _BATCH)
        try:
            rows = part.to_pylist()
        except errors:
            rows = []
            for i in range(part.num_rows):
                try:
                    rows += part.slice(i, 1).to_pylist()
                except errors as error:
                    rows.append(Unusable(f"not readable: {type(error).__name__} ({str(error)[:60]})"))
        for row in rows:
            if floats and isinstance(row, dict):  # NaN is how pandas writes that there is no value
                row.update({name: None for name in floats if row[name] != row[name]})
            yield row


def _raise_of_disk(error: BaseException) -> None:
    """Pass on what the disk says; Arrow raises the same class, without a number, for what is wrong in a file."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")
