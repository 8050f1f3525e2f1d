"""Rows of files, folders and hubs, each with its file and line. Does not know what the columns mean.

One row that is not an object is the business of ``columns.py``; a file that is not what its name says stops the run, with
its line, because nobody can tell what the rest of it was meant to be.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from swift.llm.catalog.rows import DatasetRow
from swift.llm.dataset.syntax import DatasetItem
from swift.utils.errors import DataError
from swift.utils.registry import nearest, unknown

__all__ = ["Chunk", "Source", "Unusable", "locate"]

_METADATA = (
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
    "state.json",
    "configuration.json",
)
_BLANK = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Unusable:
    """What stands in place of a row that the file format itself rejects, without losing its neighbours."""

    reason: str


@dataclass(slots=True)
class Meter:
    """How far a reader is in its file, in bytes or about that many characters: for the progress bar only."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows of one file: ``file`` its number among the source's, ``first`` that of its first row, ``done`` bytes read."""

    file: int
    first: int
    lines: list[int]
    rows: list[Any]
    done: int


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
            one = hashlib.sha256(_suffix(path).encode())
            try:
                with open(path, "rb") as file:
                    while block := file.read(1 << 20):
                        one.update(block)
            except OSError as error:
                raise _unreadable(path, error) from None
            total.update(one.digest())
        return total.hexdigest()

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Give all rows, at most ``size`` at a time. Raises DataError where a file cannot be read or holds no row at all."""
        first = behind = 0
        for number, path in enumerate(self.files):
            meter = Meter()
            rows = _guarded(path, meter)
            while part := list(islice(rows, size)):
                lines, values = (list(column) for column in zip(*part, strict=True))
                yield Chunk(number, first, lines, values, behind + meter.at)
                first += len(part)
            behind += path.stat().st_size
        if not first:
            raise DataError(f"{self.label}: holds no rows ({_list(self.files)}). Check that it is the file you mean.")

    def num_rows(self) -> int:
        """Count the rows by reading them; a parquet file tells without."""
        if all(path.suffix == ".parquet" for path in self.files):
            import pyarrow.parquet as pq

            return sum(pq.read_metadata(path).num_rows for path in self.files)
        return sum(len(chunk.rows) for chunk in self.chunks(4096))


# --- from an item to its files ---


def locate(item: DatasetItem, registry: Mapping[str, DatasetRow], *, use_hf: bool) -> list[Source]:
    """Find what an item means: a registered name, a path, or a hub id (which takes the registration of its owner).

    Raises DataError with the nearest names for what is none of them.
    """
    label = item.text
    if item.path is not None:
        label = item.path.name if item.count < 0 else f"{item.path.name}#{item.count}"
        path_row = DatasetRow(name=item.path.name, path=str(item.path))
        return [Source(label, path_row, _files(item.path), item.count)]
    if item.source in registry:
        return [_registered(registry[item.source], item, label, use_hf)]
    if _looks_like_hub_id(item.source):
        owners = [row for row in registry.values() if item.source in (row.ms, row.hf)]
        if owners:
            return [_registered(row, item, label, use_hf) for row in owners]
        hub_row = DatasetRow(name=item.source, ms=item.source, hf=item.source)
        return [_registered(hub_row, item, label, use_hf)]
    raise DataError(_not_found(item, registry))


def _registered(row: DatasetRow, item: DatasetItem, label: str, use_hf: bool) -> Source:
    if row.path is not None:
        if item.subsets:
            raise DataError(
                f"data set {item.text!r}: {row.name} is a file and has no subsets; leave ':{'/'.join(item.subsets)}' out."
            )
        return Source(label, row, _files(_based(row)), item.count)
    from swift.utils.hub import fetch_dataset

    wants_hf = use_hf if item.hub is None else item.hub == "hf"
    on_hf = row.ms is None or (wants_hf and row.hf is not None)
    hub_id = row.hf if on_hf else row.ms
    if hub_id is None:
        raise DataError(f"data set {row.name!r}: its registration names neither a path nor a hub id.")
    files = fetch_dataset(hub_id, use_hf=on_hf, subsets=item.subsets or row.subsets, split=row.split)
    return Source(label, row, tuple(files), item.count)


def _based(row: DatasetRow) -> Path:
    """Return where a registered path is: ``base`` is a folder, or an installed package (a dotted name)."""
    path = Path(row.path or "").expanduser()
    if row.base is not None and not path.is_absolute():
        if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", row.base) and not Path(row.base).exists():
            from importlib.resources import files

            path = Path(str(files(row.base))) / path
        else:
            path = Path(row.base).expanduser() / path
    if not path.exists():
        raise DataError(f"data set {row.name!r}: {path}: there is no such file.{_near_files(path)}")
    return path


def _files(path: Path) -> tuple[Path, ...]:
    try:
        if not path.is_dir():
            if _suffix(path) not in _READERS:
                raise DataError(
                    f"{path}: files of this kind are not read. Known: {', '.join(_READERS)}, each also as .gz."
                )
            return (path,)
        inside = [p for p in sorted(path.iterdir()) if _is_data(p)]
        if not inside:
            inside = [p for p in sorted(path.rglob("*")) if _is_data(p)]
    except OSError as error:
        raise _unreadable(path, error) from None
    if not inside:
        raise DataError(f"{path}: no data files in this folder. Known: {', '.join(_READERS)}, each also as .gz.")
    return tuple(inside)


def _is_data(path: Path) -> bool:
    return not path.name.startswith(".") and path.name not in _METADATA and _suffix(path) in _READERS and path.is_file()


def _suffix(path: Path) -> str:
    suffixes = path.suffixes
    return suffixes[-2].lower() if len(suffixes) > 1 and suffixes[-1] == ".gz" else path.suffix.lower()


def _looks_like_hub_id(text: str) -> bool:
    return re.fullmatch(r"[\w.-]+/[\w.-]+", text) is not None and text[0] != "." and _suffix(Path(text)) not in _READERS


def _not_found(item: DatasetItem, registry: Mapping[str, DatasetRow]) -> str:
    path = Path(item.source).expanduser()
    if len(path.parts) > 1 or _suffix(path) in _READERS:
        return f"{item.source}: there is no such file.{_near_files(path)}"
    return f"{unknown('data set', item.source, registry)}. `swift list datasets` shows the names; there is no such file either."


def _near_files(path: Path) -> str:
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    if folder != path.parent:
        return f" There is no folder {path.parent} either; {folder.resolve()} exists."
    try:
        near = nearest(path.name, [entry.name for entry in folder.iterdir()])
    except OSError:
        return ""
    return (
        f" Did you mean {' or '.join(str(folder / name) for name in near)}?"
        if near
        else f" Look in {folder.resolve()}."
    )


# --- files to rows ---


def _guarded(path: Path, meter: Meter) -> Iterator[tuple[int, Any]]:
    """Read one file, turning what can go wrong with it into a DataError that names it."""
    try:
        yield from _READERS[_suffix(path)](path, meter)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason}, byte {error.start}). Save it as UTF-8.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the compressed file is damaged or cut off: {error}") from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> DataError:
    if isinstance(error, PermissionError):
        return DataError(
            f"{path}: no permission to read it. Change its permissions (chmod), or copy it to a place of yours."
        )
    return DataError(f"{path}: cannot be read: {error.strerror or error}")


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")  # type: ignore[return-value]


def _text_lines(path: Path, meter: Meter) -> Iterator[tuple[int, str]]:
    """Give the lines that are not blank, cut at ``\\n`` only: other separators of Unicode occur inside of JSON strings."""
    with _open(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, 1):
            meter.at += len(line)
            if line.strip():
                yield number, line


def _json_lines(path: Path, meter: Meter) -> Iterator[tuple[int, Any]]:
    lines = _text_lines(path, meter)
    decode = json.loads
    for number, line in lines:
        if number == 1 and line.lstrip().startswith("["):
            yield from _json_list(path, Meter())
            return
        try:
            yield number, decode(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{number}: not JSON: {error.msg} (column {error.colno}): {_clip(line)}") from None
        except RecursionError:
            raise DataError(f"{path}:{number}: nested too deeply to be read as JSON") from None


def _json_list(path: Path, meter: Meter) -> Iterator[tuple[int, Any]]:
    """Read a JSON list element by element, which tells the line of each; a file of JSON lines is read as such."""
    with _open(path) as file:
        text = file.read().decode("utf-8-sig")
    at = _BLANK.match(text).end()  # type: ignore[union-attr]
    if at == len(text):
        return
    if text[at] == "{" and text.find("\n", at) != -1 and _ends_before_newline(text, at):
        yield from _json_lines(path, meter)
        return
    try:
        yield from _elements(text, at, path, meter)
    except json.JSONDecodeError as error:
        line = text.split("\n", error.lineno)[error.lineno - 1]
        raise DataError(
            f"{path}:{error.lineno}: not valid JSON: {error.msg} (column {error.colno}): {_clip(line[max(error.colno - 30, 0) :])}"
        ) from None
    except RecursionError:
        raise DataError(f"{path}: nested too deeply to be read as JSON") from None


def _elements(text: str, at: int, path: Path, meter: Meter) -> Iterator[tuple[int, Any]]:
    decode = json.JSONDecoder().raw_decode
    blank = _BLANK.match
    if text[at] != "[":
        value, _ = decode(text, at)
        if isinstance(value, dict):
            lists = [key for key, inner in value.items() if isinstance(inner, list)]
            hint = f" Its rows seem to be under {lists[0]!r}: save that list by itself." if lists else ""
            raise DataError(f"{path}: holds one JSON object; expected a list of rows: [{{...}}, {{...}}].{hint}")
        raise DataError(
            f"{path}: holds {type(value).__name__} {_clip(repr(value))}; expected a list of rows: [{{...}}, {{...}}]."
        )
    line, counted = 1, 0
    at = blank(text, at + 1).end()  # type: ignore[union-attr]
    while text[at : at + 1] != "]":
        line += text.count("\n", counted, at)
        counted = at
        value, at = decode(text, at)
        meter.at = at
        yield line, value
        at = blank(text, at).end()  # type: ignore[union-attr]
        if text[at : at + 1] == ",":
            at = blank(text, at + 1).end()  # type: ignore[union-attr]
            if text[at : at + 1] == "]":
                raise json.JSONDecodeError("there is a comma and no row after it", text, at)
        elif text[at : at + 1] != "]":
            raise json.JSONDecodeError("the list is not closed; expected ',' or ']'", text, at)
    end = blank(text, at + 1).end()  # type: ignore[union-attr]
    if end != len(text):
        raise json.JSONDecodeError("there is more after the list", text, end)


def _ends_before_newline(text: str, at: int) -> bool:
    try:
        _, end = json.JSONDecoder().raw_decode(text, at)
    except json.JSONDecodeError:
        # A broken first line of JSON lines is told with its number; a broken object of many lines is not JSON lines.
        return text[at : text.find("\n", at)].rstrip().endswith("}")
    return "\n" not in text[at:end]


def _table(path: Path, meter: Meter) -> Iterator[tuple[int, Any]]:
    """Read csv or tsv. Empty strings stay empty strings; a quoted field may span lines."""
    csv.field_size_limit(1 << 30)  # texts are longer than the 128 KiB that csv allows a field
    delimiter = "\t" if _suffix(path) == ".tsv" else ","
    with _open(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = next(reader, None)
            if header is None:
                return
            if len(set(header)) != len(header):
                raise DataError(f"{path}:1: the header names a column twice: {', '.join(header)}")
            before = reader.line_num
            for fields in reader:
                line, before = before + 1, reader.line_num
                meter.at += sum(map(len, fields)) + len(fields)
                if not fields:
                    continue
                if len(fields) != len(header):
                    yield line, Unusable(f"{len(fields)} fields, the header has {len(header)}")
                else:
                    yield line, dict(zip(header, fields, strict=True))
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: not a table that csv can read: {error}") from None


def _plain(path: Path, meter: Meter) -> Iterator[tuple[int, Any]]:
    for number, line in _text_lines(path, meter):
        yield number, {"text": line.rstrip("\r\n")}


def _parquet(path: Path, meter: Meter) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = path.stat().st_size
    try:
        file = pq.ParquetFile(path)
        for number, row in enumerate((r for batch in file.iter_batches(2048) for r in batch.to_pylist()), 1):
            meter.at = size * number // max(file.metadata.num_rows, 1)
            yield number, row
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: not a parquet file, or a damaged one: {error}") from None


def _arrow(path: Path, meter: Meter) -> Iterator[tuple[int, Any]]:
    """Read Arrow IPC, the file and the stream form (which the datasets library writes)."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as raw:
            is_file = raw.read(6) == b"ARROW1"
            raw.seek(0)
            reader: Any = pa.ipc.open_file(raw) if is_file else pa.ipc.open_stream(raw)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if is_file else iter(reader)
            number = 0
            for batch in batches:
                meter.at += batch.nbytes
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: not an Arrow file, or a damaged one: {error}") from None


_READERS: Mapping[str, Callable[[Path, Meter], Iterator[tuple[int, Any]]]] = {
    ".json": _json_list,
    ".jsonl": _json_lines,
    ".csv": _table,
    ".tsv": _table,
    ".txt": _plain,
    ".parquet": _parquet,
    ".arrow": _arrow,
}


def _clip(text: str, limit: int = 60) -> str:
    text = text.strip()
    return text if len(text) <= limit else text[:limit] + "…"


def _list(paths: tuple[Path, ...]) -> str:
    return ", ".join(str(path) for path in paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
