"""Tokenised rows on disk: an Arrow file at an address made of its content, written whole or not at all, memory-mapped.

Beside ``<key>.arrow`` lies ``<key>.json``, renamed into place last: it holds the size and the hash of the Arrow file, how
many rows were read, and what was lost or cut, so that a second launch reports exactly what the first one did. An Arrow
file whose record is missing or does not agree is built anew. Knows no template and no source.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from swift.llm.core import Encoded
from swift.llm.dataset.ledger import LedgerLine
from swift.utils import environ
from swift.utils.errors import DataError
from swift.utils.files import disk_error, write_json_atomic
from swift.utils.log import logger

__all__ = ["Columns", "Record", "Store", "address", "cache_folder", "open_or_build"]

VERSION = 1  # of the layout of the file and of the way rows are read; a change of either makes a new address

_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),  # number of the row in its source, ascending
        pa.field("input_ids", pa.large_list(pa.field("item", pa.int32(), nullable=False)), nullable=False),
        pa.field("trained", pa.large_list(pa.field("item", pa.uint8(), nullable=False)), nullable=False),
        pa.field("loss_scale", pa.large_list(pa.field("item", pa.float32(), nullable=False))),
        pa.field("num_trained", pa.int32(), nullable=False),
        pa.field("cut_tokens", pa.int32(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples side by side: ``rows`` (N,), ``ends`` (N,) of each in the flat ``input_ids`` and ``trained`` (ΣT,).

    ``loss_scale`` (ΣT,) or None where no sample of the chunk has one; ``has_scale`` (N,) tells which do.
    """

    rows: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    input_ids: npt.NDArray[np.int32]
    trained: npt.NDArray[np.bool_]
    loss_scale: npt.NDArray[np.float32] | None
    has_scale: npt.NDArray[np.bool_]
    cut_tokens: npt.NDArray[np.int32]

    @staticmethod
    def of(rows: Sequence[int], samples: Sequence[Encoded]) -> Columns:
        """Join samples; ``rows`` are the numbers of the rows they came from. There is at least one."""
        has_scale = np.array([sample.loss_scale is not None for sample in samples], np.bool_)
        scale = None
        if has_scale.any():
            parts = [s.loss_scale if s.loss_scale is not None else np.ones(len(s), np.float32) for s in samples]
            scale = np.concatenate(parts, dtype=np.float32)
        return Columns(
            np.array(rows, np.int64),
            np.cumsum([len(sample) for sample in samples], dtype=np.int64),
            np.concatenate([sample.input_ids for sample in samples], dtype=np.int32),
            np.concatenate([sample.trained for sample in samples], dtype=np.bool_),
            scale,
            has_scale,
            np.array([sample.cut_tokens for sample in samples], np.int32),
        )

    def batch(self) -> pa.RecordBatch:
        """The same as one Arrow batch, sharing memory."""
        offsets = np.concatenate([np.zeros(1, np.int64), self.ends])
        sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.trained, dtype=np.int64)])
        num_trained = (sums[self.ends] - sums[offsets[:-1]]).astype(np.int32)

        if self.loss_scale is None:
            scale: pa.Array = pa.nulls(len(self.rows), _SCHEMA.field("loss_scale").type)
        else:
            scale = _lists(_SCHEMA.field("loss_scale").type, offsets, self.loss_scale, self.has_scale)
        columns = [
            _flat(self.rows),
            _lists(_SCHEMA.field("input_ids").type, offsets, self.input_ids),
            _lists(_SCHEMA.field("trained").type, offsets, self.trained.view(np.uint8)),
            scale,
            _flat(num_trained),
            _flat(self.cut_tokens),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def _flat(values: npt.NDArray[Any]) -> pa.Array:
    """Wrap an array without copying. `pa.array(ndarray)` would import pandas first, a third of a second."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _lists(
    kind: pa.DataType,
    offsets: npt.NDArray[np.int64],
    values: npt.NDArray[Any],
    present: npt.NDArray[np.bool_] | None = None,
) -> pa.Array:
    bits = None if present is None else pa.py_buffer(np.packbits(present, bitorder="little"))
    buffers = [bits, pa.py_buffer(offsets)]
    return pa.Array.from_buffers(kind, len(offsets) - 1, buffers, children=[_flat(values)])


@dataclass(frozen=True, slots=True)
class Record:
    """What the Arrow file cannot tell: rows read, rows that became several samples, rows lost or cut.

    ``ledger`` names a file by its number among the source's: the same content may lie elsewhere the next time.
    """

    num_rows: int
    split_rows: int
    ledger: tuple[LedgerLine, ...]


class Store:
    """The samples of one cache file, memory-mapped; ``[i]`` gives views, not copies. ``rows``, ``lengths`` are (N,).

    Travels to other processes by its path: each maps the file for itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with pa.memory_map(str(path)) as mapped:
            reader = pa.ipc.open_file(mapped)
            batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        self._batches = [_views(batch) for batch in batches]
        self._starts = np.cumsum([0, *(batch.num_rows for batch in batches)], dtype=np.int64)

        def whole(name: str, kind: Any) -> npt.NDArray[Any]:
            parts = [batch.column(name).to_numpy(zero_copy_only=True) for batch in batches]
            return np.concatenate(parts) if parts else np.empty(0, kind)

        self.rows: npt.NDArray[np.int64] = whole("row", np.int64)
        self.num_trained: npt.NDArray[np.int32] = whole("num_trained", np.int32)
        self.cut_tokens: npt.NDArray[np.int32] = whole("cut_tokens", np.int32)
        lengths = [np.diff(offsets) for offsets, *_ in self._batches]
        self.lengths: npt.NDArray[np.int32] = (np.concatenate(lengths) if lengths else np.empty(0)).astype(np.int32)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, i: int) -> Encoded:
        if not 0 <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        number = int(np.searchsorted(self._starts, i, side="right")) - 1
        offsets, input_ids, trained, scale, has_scale, cut = self._batches[number]
        i -= int(self._starts[number])
        start, end = int(offsets[i]), int(offsets[i + 1])
        return Encoded(
            input_ids[start:end], trained[start:end], scale[start:end] if has_scale[i] else None, int(cut[i])
        )  # fmt: skip

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        return Store, (self.path,)


def _views(batch: pa.RecordBatch) -> tuple[npt.NDArray[Any], ...]:
    """Return numpy views of one batch: offsets, ids, trained, scale, which rows have a scale, cut tokens."""
    ids, trained, scale = (batch.column(name) for name in ("input_ids", "trained", "loss_scale"))
    return (
        ids.offsets.to_numpy(),
        ids.values.to_numpy(),
        trained.values.to_numpy().view(np.bool_),
        scale.values.to_numpy(),
        scale.is_valid().to_numpy(zero_copy_only=False),
        batch.column("cut_tokens").to_numpy(),
    )


def address(**parts: Any) -> str:
    """Return the key of what is made from ``parts`` (plain values): a hash of all of them and of the layout's version."""
    text = json.dumps({"version": VERSION, **parts}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def cache_folder(given: str | None) -> Path:
    """Return the folder of tokenised data: the given one, or ``datasets`` in swift's own cache."""
    if given is not None:
        return Path(given).expanduser()
    base = environ.SWIFT_CACHE.read()
    return (Path(base).expanduser() if base else Path.home() / ".cache" / "swift") / "datasets"


def open_or_build(
    folder: Path, key: str, build: Callable[[Callable[[Columns], None]], Record], *, reuse: bool = True
) -> tuple[Store, Record]:
    """Return the store and the record at ``key``, made by ``build`` (which is handed the function that writes a chunk).

    One process builds; others that want the same wait for it. Raises DiskError where the folder cannot be written.
    """
    if reuse and (found := _open(folder, key)) is not None:
        return found
    with _lock(folder, key):
        if reuse and (found := _open(folder, key)) is not None:  # another process was faster
            return found
        _build(folder, key, build)
        built = _open(folder, key)
    if built is None:
        raise DataError(f"{folder / key}.arrow: cannot be read back after it was written. Check the disk, or choose another "
                        "--dataset_cache_dir.")  # fmt: skip
    return built


def _open(folder: Path, key: str) -> tuple[Store, Record] | None:
    data, record = folder / f"{key}.arrow", folder / f"{key}.json"
    try:
        told = json.loads(record.read_text(encoding="utf-8"))
        if told["version"] != VERSION or told["size"] != data.stat().st_size or told["sha256"] != _sha256(data):
            logger.warning("%s: does not agree with its record, and is made anew", data)
            return None
        ledger = tuple(LedgerLine(**line) for line in told["ledger"])
        return Store(data), Record(told["num_rows"], told["split_rows"], ledger)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise disk_error(error, data) from error
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
        logger.warning("%s: cannot be read (%s), and is made anew", data, error)
        return None


def _build(folder: Path, key: str, build: Callable[[Callable[[Columns], None]], Record]) -> None:
    target = folder / f"{key}.arrow"
    partial = folder / f".{key}.{os.getpid()}.partial"

    writing = False

    def add(columns: Columns) -> None:
        nonlocal writing
        writing = True
        writer.write_batch(columns.batch())
        writing = False

    try:
        with suppress(FileNotFoundError):
            os.unlink(folder / f"{key}.json")  # from here on the old file counts no more
        with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
            record = build(add)
            writing = True
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        digest, size = _sha256(partial), partial.stat().st_size
        os.replace(partial, target)
    except OSError as error:
        if not writing and error.filename not in (None, str(partial), str(target)):
            raise  # not the cache: something that build was reading
        raise disk_error(error, target) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(partial)
    told: Mapping[str, Any] = {
        "version": VERSION, "size": size, "sha256": digest, "num_rows": record.num_rows,
        "split_rows": record.split_rows, "ledger": [asdict(line) for line in record.ledger],
    }  # fmt: skip
    write_json_atomic(folder / f"{key}.json", told)


@contextmanager
def _lock(folder: Path, key: str) -> Iterator[None]:
    """Hold the lock of ``key``; the system frees it if the process dies. Where there is no fcntl (Windows) none is held."""
    try:
        import fcntl
    except ImportError:
        folder.mkdir(parents=True, exist_ok=True)
        yield
        return
    path = folder / f".{key}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(path, "w")  # noqa: SIM115 - closed below, and with it the lock
    except OSError as error:
        raise disk_error(error, folder) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("another process tokenises the same data: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
