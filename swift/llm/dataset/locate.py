"""From an item of ``--dataset`` to its files: a path, a glob, an address, a registered name, or a hub id. Reads no row."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swift.llm.catalog.rows import DatasetRow
from swift.llm.dataset.readers import KINDS, suffix_of
from swift.llm.dataset.readers.kinds import unreadable
from swift.llm.dataset.remote import fetch, is_address
from swift.llm.dataset.source import Source
from swift.llm.dataset.syntax import DatasetItem
from swift.utils.errors import DataError
from swift.utils.registry import nearest, unknown

__all__ = ["locate"]

_METADATA = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "configuration.json")
_KNOWN = f"Known: {', '.join(KINDS)}; the text formats also as .gz, .zst, .bz2, .xz."


def locate(item: DatasetItem, registry: Mapping[str, DatasetRow], *, use_hf: bool) -> list[Source]:
    """Find what an item means: a file, a registered name, a folder, a glob, an address, or a hub id.

    A hub id that registered sets use takes their registration, one source for each. Raises DataError with the nearest
    names for what is none of them.
    """
    label = item.text
    named = item.source in registry
    if item.path is not None and not (named and item.path.is_dir()):
        return [_local(item, item.path, _files(item.path))]
    if named:
        return [_registered(registry[item.source], item, label, use_hf)]
    if is_address(item.source):
        row = DatasetRow(name=item.source, path=item.source)
        return [Source(label, row, fetch(item.source), item.count)]
    if glob.has_magic(item.source):
        return [_local(item, Path(item.source), _globbed(item.source))]
    if _looks_like_hub_id(item.source):
        owners = [row for row in registry.values() if item.source in (row.ms, row.hf)]
        if owners:
            return [_registered(row, item, label, use_hf) for row in owners]
        hub_row = DatasetRow(name=item.source, ms=item.source, hf=item.source)
        return [_registered(hub_row, item, label, use_hf)]
    raise DataError(_not_found(item, registry))


def _local(item: DatasetItem, path: Path, files: tuple[Path, ...]) -> Source:
    if item.subsets:
        raise DataError(
            f"data set {item.text!r}: {path} is a path and has no subsets; leave ':{'/'.join(item.subsets)}' out, or "
            "give the path of the files that are meant."
        )
    label = path.name if item.count < 0 else f"{path.name}#{item.count}"
    return Source(label, DatasetRow(name=path.name, path=str(path)), files, item.count)


def _registered(row: DatasetRow, item: DatasetItem, label: str, use_hf: bool) -> Source:
    if row.path is not None:
        if item.subsets:
            raise DataError(
                f"data set {item.text!r}: {row.name} is a file and has no subsets; leave ':{'/'.join(item.subsets)}' out."
            )
        files = fetch(row.path) if is_address(row.path) else _files(_based(row))
        return Source(label, row, files, item.count)
    from swift.utils.hub import fetch_dataset

    wants_hf = use_hf if item.hub is None else item.hub == "hf"
    on_hf = row.ms is None or (wants_hf and row.hf is not None)
    hub_id = row.hf if on_hf else row.ms
    if hub_id is None:
        raise DataError(f"data set {row.name!r}: its registration names neither a path nor a hub id.")
    fetched = fetch_dataset(hub_id, use_hf=on_hf, subsets=item.subsets or row.subsets, split=row.split)
    return Source(label, row, tuple(fetched), item.count)


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


# --- paths ---


def _files(path: Path) -> tuple[Path, ...]:
    try:
        if not path.is_dir():
            if suffix_of(path) not in KINDS:
                raise DataError(f"{path}: files of this kind are not read. {_KNOWN}")
            return (path,)
        saved = _saved_to_disk(path)
        inside = saved or [p for p in sorted(path.iterdir()) if _is_data(p)]
        if not inside:
            inside = [p for p in sorted(path.rglob("*")) if _is_data(p)]
    except OSError as error:
        raise unreadable(path, error) from None
    if not inside:
        raise DataError(f"{path}: no data files in this folder. {_KNOWN}")
    return tuple(inside)


def _saved_to_disk(folder: Path) -> list[Path]:
    """The files of a folder that ``save_to_disk`` of the datasets library wrote (its split train); none for another folder.

    Raises DataError where there are splits and none of them is train.
    """
    if (folder / "dataset_dict.json").is_file():
        splits = _told(folder / "dataset_dict.json").get("splits") or []
        if "train" in splits or len(splits) == 1:
            folder = folder / ("train" if "train" in splits else str(splits[0]))
        else:
            raise DataError(
                f"{folder}: has the splits {', '.join(map(str, splits)) or '(none)'}, and train is not among them. Give the path of "
                f"one: {folder}/{splits[0] if splits else 'SPLIT'}"
            )
    if not (folder / "state.json").is_file():
        return []
    entries = _told(folder / "state.json").get("_data_files") or []
    files = [folder / str(entry["filename"]) for entry in entries if isinstance(entry, dict) and "filename" in entry]
    for file in files:
        if not file.is_file():
            raise DataError(f"{folder}: state.json names {file.name}, which is not there. Copy the whole folder anew.")
    return files


def _told(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _globbed(pattern: str) -> tuple[Path, ...]:
    """The data files that a pattern names, sorted; ``**`` goes into folders. Hidden files need a dot in the pattern."""
    found = sorted(Path(name) for name in glob.glob(str(Path(pattern).expanduser()), recursive=True))
    files = [path for path in found if path.is_file() and suffix_of(path) in KINDS and path.name not in _METADATA]
    if not files:
        others = f" It matches {len(found)} others, such as {found[0]}. {_KNOWN}" if found else ""
        raise DataError(f"{pattern}: no data file matches this pattern in {Path.cwd()}.{others}")
    return tuple(files)


def _is_data(path: Path) -> bool:
    return not path.name.startswith(".") and path.name not in _METADATA and suffix_of(path) in KINDS and path.is_file()


def _looks_like_hub_id(text: str) -> bool:
    return re.fullmatch(r"[\w.-]+/[\w.-]+", text) is not None and text[0] != "." and suffix_of(Path(text)) not in KINDS


def _not_found(item: DatasetItem, registry: Mapping[str, DatasetRow]) -> str:
    path = Path(item.source).expanduser()
    if len(path.parts) > 1 or suffix_of(path) in KINDS:
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
