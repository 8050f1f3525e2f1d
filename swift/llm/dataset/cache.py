"""Tokenised rows on disk, at an address made of their content: a folder of parts, each written whole or not at all.

A part holds the samples of ``PART`` chunks of rows: ``00003.arrow``, memory-mapped, and ``00003.json``, renamed into place
after it, with the size and the hash of the Arrow file, how many rows were read and what was lost or cut. ``rows.json``
says how many parts there are; it is written by whoever has read the source to its end. So a run that was killed goes on
behind its last whole part, several machines may each make some of the parts (``Worker``), and a second launch reports
exactly what the first one did. A part that does not agree with its record is made anew. Knows no template and no source.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from swift.llm.core import Encoded
from swift.llm.dataset.ledger import LedgerLine
from swift.utils import environ
from swift.utils.errors import DataError
from swift.utils.files import disk_error, write_json_atomic
from swift.utils.locks import locked
from swift.utils.log import logger

__all__ = [
    "PART",
    "Built",
    "Columns",
    "Parts",
    "Record",
    "Samples",
    "Store",
    "Worker",
    "address",
    "cache_folder",
    "discard",
    "lock",
    "open_or_build",
]

VERSION = 2  # of the layout of the files and of the way rows are read; a change of either makes a new address
PART = 16  # chunks of one part

_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),  # number of the row in its source, ascending
        pa.field("file", pa.int32(), nullable=False),  # number of its file, and its line there
        pa.field("line", pa.int64(), nullable=False),
        pa.field("input_ids", pa.large_list(pa.field("item", pa.int32(), nullable=False)), nullable=False),
        pa.field("trained", pa.large_list(pa.field("item", pa.uint8(), nullable=False)), nullable=False),
        pa.field("loss_scale", pa.large_list(pa.field("item", pa.float32(), nullable=False))),
        pa.field("num_trained", pa.int32(), nullable=False),
        pa.field("cut_tokens", pa.int32(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples of one file side by side: ``rows`` and ``lines`` (N,) tell where each came from, ``ends`` (N,) where it ends in
    the flat ``input_ids`` and ``trained`` (ΣT,).

    ``loss_scale`` (ΣT,) or None where no sample of the chunk has one; ``has_scale`` (N,) tells which do.
    """

    file: int
    rows: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    input_ids: npt.NDArray[np.int32]
    trained: npt.NDArray[np.bool_]
    loss_scale: npt.NDArray[np.float32] | None
    has_scale: npt.NDArray[np.bool_]
    cut_tokens: npt.NDArray[np.int32]

    @staticmethod
    def of(rows: Sequence[int], lines: Sequence[int], file: int, samples: Sequence[Encoded]) -> Columns:
        """Join samples; ``rows`` and ``lines`` are the numbers of the rows they came from. There is at least one."""
        has_scale = np.array([sample.loss_scale is not None for sample in samples], np.bool_)
        scale = None
        if has_scale.any():
            parts = [s.loss_scale if s.loss_scale is not None else np.ones(len(s), np.float32) for s in samples]
            scale = np.concatenate(parts, dtype=np.float32)
        return Columns(
            file,
            np.array(rows, np.int64),
            np.array(lines, np.int64),
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
            _flat(np.full(len(self.rows), self.file, np.int32)),
            _flat(self.lines),
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
    """What the Arrow files cannot tell: rows read, rows that became several samples, turns without text, rows lost or cut.

    ``ledger`` names a file by its number among the source's: the same content may lie elsewhere the next time.
    """

    num_rows: int = 0
    split_rows: int = 0
    empty_turns: int = 0
    ledger: tuple[LedgerLine, ...] = ()

    @staticmethod
    def total(records: Sequence[Record], num_rows: int) -> Record:
        """All parts together."""
        return Record(
            num_rows,
            sum(record.split_rows for record in records),
            sum(record.empty_turns for record in records),
            tuple(line for record in records for line in record.ledger),
        )


@dataclass(frozen=True, slots=True)
class Worker:
    """One of ``count`` workers, ``number`` from 0: it makes every ``count``-th part."""

    number: int = 0
    count: int = 1


class Store:
    """The samples of one address, memory-mapped; ``[i]`` gives views, not copies. ``rows``, ``lengths`` are (N,).

    Travels to other processes by its paths: each maps the files for itself.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        batches: list[pa.RecordBatch] = []
        for path in self.paths:
            with pa.memory_map(str(path)) as mapped:
                reader = pa.ipc.open_file(mapped)
                batches += [reader.get_batch(i) for i in range(reader.num_record_batches)]
        self._batches = [_views(batch) for batch in batches]
        self._starts = np.cumsum([0, *(batch.num_rows for batch in batches)], dtype=np.int64)

        def whole(name: str, kind: Any) -> npt.NDArray[Any]:
            parts = [batch.column(name).to_numpy(zero_copy_only=True) for batch in batches]
            return np.concatenate(parts) if parts else np.empty(0, kind)

        self.rows: npt.NDArray[np.int64] = whole("row", np.int64)
        self.num_trained: npt.NDArray[np.int32] = whole("num_trained", np.int32)
        self.cut_tokens: npt.NDArray[np.int32] = whole("cut_tokens", np.int32)
        lengths = [np.diff(views[0]) for views in self._batches]
        self.lengths: npt.NDArray[np.int32] = (np.concatenate(lengths) if lengths else np.empty(0)).astype(np.int32)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def _at(self, i: int) -> tuple[tuple[npt.NDArray[Any], ...], int]:
        if not 0 <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        number = int(np.searchsorted(self._starts, i, side="right")) - 1
        return self._batches[number], i - int(self._starts[number])

    def __getitem__(self, i: int) -> Encoded:
        (offsets, input_ids, trained, scale, has_scale, cut, _, _), k = self._at(i)
        start, end = int(offsets[k]), int(offsets[k + 1])
        return Encoded(
            input_ids[start:end], trained[start:end], scale[start:end] if has_scale[k] else None, int(cut[k])
        )  # fmt: skip

    def place(self, i: int) -> tuple[int, int]:
        """(number of the file, line) that sample ``i`` came from."""
        views, k = self._at(i)
        return int(views[6][k]), int(views[7][k])

    def flat(self) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.bool_]]]:
        """Offsets (N+1,), ids (ΣT,) and mask (ΣT,) of one batch of samples after the other."""
        for offsets, input_ids, trained, *_ in self._batches:
            yield offsets, input_ids, trained

    def __reduce__(self) -> tuple[type[Store], tuple[tuple[Path, ...]]]:
        return Store, (self.paths,)


def _views(batch: pa.RecordBatch) -> tuple[npt.NDArray[Any], ...]:
    """Return numpy views of one batch: offsets, ids, trained, scale, which rows have a scale, cut tokens, file, line."""
    ids, trained, scale = (batch.column(name) for name in ("input_ids", "trained", "loss_scale"))
    return (
        ids.offsets.to_numpy(),
        ids.values.to_numpy(),
        trained.values.to_numpy().view(np.bool_),
        scale.values.to_numpy(),
        scale.is_valid().to_numpy(zero_copy_only=False),
        batch.column("cut_tokens").to_numpy(),
        batch.column("file").to_numpy(),
        batch.column("line").to_numpy(),
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


class Samples(Protocol):
    """What a data set reads of a store: ``rows`` (N,) are the numbers of the rows the samples came from, ascending."""

    rows: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]
    num_trained: npt.NDArray[np.int32]
    cut_tokens: npt.NDArray[np.int32]

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> Encoded: ...

    def place(self, i: int) -> tuple[int, int]:
        """(number of the file, line) that sample ``i`` came from."""


@dataclass(frozen=True, slots=True)
class Built:
    """What is at an address: ``store`` and ``record`` where it is whole, else None and how many parts are ``missing``.

    ``found``: nothing had to be made. ``made`` counts the parts that this call wrote, of ``num_parts``.
    """

    store: Samples | None
    record: Record | None
    found: bool
    num_parts: int
    made: int = 0
    missing: int = 0


class Parts:
    """The folder of one address. ``wants`` tells which parts are to be made; ``add`` and ``close`` write one."""

    def __init__(self, folder: Path, worker: Worker, known: dict[int, Record]) -> None:
        self._folder = folder
        self._worker = worker
        self._known = known
        self._sink: Any = None
        self._writer: Any = None
        self._number = -1
        self.made = 0

    def wants(self, number: int) -> bool:
        """Whether this worker has to make that part."""
        return number not in self._known and number % self._worker.count == self._worker.number

    def add(self, number: int, columns: Columns) -> None:
        """Write a chunk's samples to that part; it is the one that is open, or the next one."""
        self._open(number)
        try:
            self._writer.write_batch(columns.batch())
        except OSError as error:
            raise disk_error(error, self._path(number)) from error

    def _open(self, number: int) -> None:
        if self._writer is None:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._sink = pa.OSFile(str(self._partial(number)), "wb")
                self._writer = pa.ipc.new_file(self._sink, _SCHEMA)
            except OSError as error:
                raise disk_error(error, self._path(number)) from error
            self._number = number
        assert self._number == number, "parts are written one after the other"

    def close(self, number: int, record: Record) -> None:
        """The part is complete: put it in its place, its record last."""
        self._open(number)  # a part without a sample is a file, too
        path, partial = self._path(number), self._partial(number)
        try:
            with suppress(FileNotFoundError):
                os.unlink(path.with_suffix(".json"))  # from here on the old file counts no more
            self._writer.close()
            self._sink.close()
            self._writer = self._sink = None
            with open(partial, "rb") as file:
                os.fsync(file.fileno())
            told = {"version": VERSION, "size": partial.stat().st_size, "sha256": _sha256(partial), **asdict(record)}
            os.replace(partial, path)
        except OSError as error:
            raise disk_error(error, path) from error
        write_json_atomic(path.with_suffix(".json"), {**told, "check": _check(told)})
        self.made += 1

    def abandon(self) -> None:
        """Take away what is half written, and the folder where there is nothing else in it."""
        for open_file in (self._writer, self._sink):
            with suppress(OSError, pa.ArrowInvalid):
                if open_file is not None:
                    open_file.close()
        self._writer = self._sink = None
        with suppress(OSError):
            os.unlink(self._partial(self._number))
        with suppress(OSError):
            self._folder.rmdir()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05}.arrow"

    def _partial(self, number: int) -> Path:
        return self._folder / f".{number:05}.{os.getpid()}.partial"


Build = Callable[[Parts], tuple[int, int]]
"""Makes the parts that are wanted; returns (rows read, number of parts)."""


def open_or_build(
    folder: Path, key: str, build: Build, *, worker: Worker | None = None, reuse: bool = True
) -> Built:  # fmt: skip
    """Return what is at ``key``, made by ``build`` as far as it is not there.

    One process builds; others that want the same wait for it, but workers of several work side by side. Raises DiskError where the
    folder cannot be written.
    """
    if reuse and (found := _open(folder / key)) is not None:
        return found
    worker = worker or Worker()
    with lock(folder, key if worker.count == 1 else f"{key}.{worker.number}-{worker.count}"):
        if reuse and (found := _open(folder / key)) is not None:  # another process was faster
            return found
        if not reuse:
            discard(folder, key)
        parts = Parts(folder / key, worker, _whole_parts(folder / key))
        try:
            num_rows, num_parts = build(parts)
        finally:
            parts.abandon()
        index = {"version": VERSION, "num_rows": num_rows, "num_parts": num_parts}
        write_json_atomic(folder / key / "rows.json", {**index, "check": _check(index)})
        built = _open(folder / key)
        if built is not None:
            return replace(built, found=False, made=parts.made)
        missing = num_parts - len(_whole_parts(folder / key))
    if worker.count > 1 and missing:
        return Built(None, None, False, num_parts, parts.made, missing)
    raise DataError(f"{folder / key}: cannot be read back after it was written. Check the disk, or choose another "
                    "--dataset_cache_dir.")  # fmt: skip


def discard(folder: Path, key: str) -> None:
    """Forget what is at ``key``."""
    shutil.rmtree(folder / key, ignore_errors=True)


def _open(folder: Path) -> Built | None:
    """What is in the folder of an address, if all of it is there and agrees with its records."""
    index = _read(folder / "rows.json")
    if index is None:
        return None
    records = _whole_parts(folder)
    num_parts = index["num_parts"]
    if any(number not in records for number in range(num_parts)):
        return None
    store = Store([folder / f"{number:05}.arrow" for number in range(num_parts)])
    record = Record.total([records[number] for number in range(num_parts)], index["num_rows"])
    return Built(store, record, True, num_parts)


def _whole_parts(folder: Path) -> dict[int, Record]:
    """The records of the parts whose files are as their records say."""
    paths = sorted(folder.glob("?????.json")) if folder.is_dir() else []
    with ThreadPoolExecutor(4) as executor:  # hashing frees the interpreter
        records = list(executor.map(_part, paths))
    return {int(path.stem): record for path, record in zip(paths, records, strict=True) if record is not None}


def _part(path: Path) -> Record | None:
    told = _read(path)
    if told is None:
        return None
    data = path.with_suffix(".arrow")
    try:
        if told["size"] != data.stat().st_size or told["sha256"] != _sha256(data):
            logger.warning("%s: does not agree with its record, and is made anew", data)
            return None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(error, data) from error
    ledger = tuple(LedgerLine(**line) for line in told["ledger"])
    return Record(told["num_rows"], told["split_rows"], told["empty_turns"], ledger)


def _read(path: Path) -> dict[str, Any] | None:
    """A record as it was written; None where there is none, or where it was changed since."""
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        check = told.pop("check")
        if told["version"] == VERSION and check == _check(told):
            return told
        logger.warning("%s: was changed after it was written, and is made anew", path)
    except FileNotFoundError:
        pass
    except PermissionError as error:
        raise disk_error(error, path) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("%s: cannot be read (%s), and is made anew", path, error)
    return None


def _check(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def lock(folder: Path, key: str) -> AbstractContextManager[None]:
    """Hold the lock of ``key`` in the cache. Raises DiskError where the folder cannot be written."""
    return locked(folder / f".{key}.lock", "another process tokenises the same data: waiting for it")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
