"""Which reader reads which file: by the last suffix, before that of a compression."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from swift.llm.dataset.readers.arrow import arrow, parquet
from swift.llm.dataset.readers.content import COMPRESSED
from swift.llm.dataset.readers.lines import plain_lines
from swift.llm.dataset.readers.rows import Meter, Read, Spot
from swift.llm.dataset.readers.table import table
from swift.llm.dataset.readers.values import json_file
from swift.utils.errors import DataError

__all__ = ["KINDS", "read_file", "suffix_of", "unreadable"]

KINDS: Mapping[str, Callable[[Path, Spot, Meter], Iterator[Read]]] = {
    ".json": json_file,
    ".jsonl": json_file,
    ".ndjson": json_file,
    ".csv": table,
    ".tsv": table,
    ".txt": plain_lines,
    ".parquet": parquet,
    ".arrow": arrow,
}


def suffix_of(path: Path) -> str:
    """The suffix that tells the format, in lower case: ``.jsonl`` of ``x.JSONL.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = len(suffixes) > 1 and suffixes[-1] in COMPRESSED and suffixes[-2] not in (".parquet", ".arrow")
    return suffixes[-2] if packed else "".join(suffixes[-1:])


def read_file(path: Path, start: Spot, meter: Meter) -> Iterator[Read]:
    """Read one file from a spot on, turning what the disk says into a DataError that names it."""
    try:
        yield from KINDS[suffix_of(path)](path, start, meter)
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> DataError:
    """What to tell about a file that the system does not let us read."""
    if isinstance(error, PermissionError):
        return DataError(
            f"{path}: no permission to read it. Change its permissions (chmod), or copy it to a place of yours."
        )
    return DataError(f"{path}: cannot be read: {error.strerror or error}")
