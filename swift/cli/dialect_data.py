"""Entries of axolotl's `datasets` as items of `--dataset` and, where they need options, as rows of a
dataset_info.

Pure: entries in, items out. Looks at the disk only to tell a file from a repository.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["TEMPLATES", "DataEntries", "read_entries"]

TEMPLATES = {"chatml": "chatml", "inst": "mistral_v1", "alpaca": "default"}
"""Chat templates that have another name here."""

_AS_THEY_ARE = ("alpaca", "sharegpt")  # found by the columns of the rows
_SUFFIXES = {"json": (".json", ".jsonl"), "csv": (".csv",), "text": (".txt",)}
_FILES = (".json", ".jsonl", ".csv", ".txt", ".parquet", ".arrow")
_KNOWN = (
    "path", "name", "type", "ds_type", "data_files", "train_on_split", "split", "conversation", "field",
    "field_human", "field_model", "roles",
)  # fmt: skip


@dataclass
class DataEntries:
    """What the entries became. `info` holds the rows of a dataset_info by name; `absent` what has no
    counterpart yet.
    """

    items: list[str] = field(default_factory=list)
    info: dict[str, dict[str, Any]] = field(default_factory=dict)
    templates: set[str] = field(default_factory=set)
    absent: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def read_entries(entries: Any, key: str) -> DataEntries:
    """Translate a list of entries, or a single path; `key` begins the names of the rows that are made."""
    result = DataEntries()
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries]):
        place = f"entry {number + 1}"
        if isinstance(entry, str):
            entry = {"path": entry}
        if not isinstance(entry, Mapping) or not isinstance(entry.get("path"), str):
            result.wrong.append(f"{place} has no path")
            continue
        _read_entry(
            {name: value for name, value in entry.items() if value is not None},
            f"{key}-{number + 1}",
            place,
            result,
        )
    return result


def _read_entry(entry: Mapping[str, Any], row_name: str, place: str, result: DataEntries) -> None:
    result.absent += [f"{place}: {name}" for name in entry if name not in _KNOWN]
    if "conversation" in entry:
        result.templates.add(TEMPLATES.get(entry["conversation"], entry["conversation"]))
    options = _options(entry, place, result)
    subsets = [str(name) for name in _listed(entry.get("name"))]
    for number, source in enumerate(_sources(entry, place, result)):
        is_address = "://" in source
        is_file = is_address or source.casefold().endswith(_FILES) or os.path.exists(os.path.expanduser(source))
        if not options:
            suffix = ":" + "/".join(subsets) if subsets else ""
            result.items.append(source + suffix if is_file or "::" in source else f"HF::{source}{suffix}")
            continue
        name = row_name if number == 0 else f"{row_name}-{number + 1}"
        where = (
            {"dataset_path": source if is_address else os.path.abspath(os.path.expanduser(source))}
            if is_file
            else {"hf_dataset_id": source.removeprefix("HF::")}
        )
        result.info[name] = where | ({"subsets": subsets} if subsets else {}) | options
        result.items.append(name)


def _sources(entry: Mapping[str, Any], place: str, result: DataEntries) -> list[str]:
    """Return files or a repository; the word json as a path means the files that are listed beside it."""
    path = entry["path"]
    if "data_files" in entry and path in ("json", "csv", "text"):
        return [str(one) for one in _listed(entry["data_files"])]
    if "data_files" in entry:
        result.absent.append(f"{place}: data_files of a repository")
    kind = entry.get("ds_type")
    if kind is not None and not path.casefold().endswith(_SUFFIXES.get(str(kind), (f".{kind}",))):
        result.absent.append(f"{place}: ds_type {kind} for a file of another suffix")
    return [path]


def _options(entry: Mapping[str, Any], place: str, result: DataEntries) -> dict[str, Any]:
    """Return the settings of a dataset_info row that the entry needs; none, if the columns tell all."""
    options: dict[str, Any] = {}
    kind: Any = entry.get("type")
    turns: dict[str, Any] = {}
    if isinstance(kind, Mapping):
        options["type"] = {str(key): str(value) for key, value in kind.items() if value is not None}
    elif kind is not None and not isinstance(kind, str):
        result.wrong.append(f"{place}: type {kind!r} is neither the name of a format nor a mapping")
    elif kind is not None and kind not in _AS_THEY_ARE:
        options["type"] = kind
    if "field" in entry:
        options["field"] = str(entry["field"])
    for old, new in (("field_human", "user_role"), ("field_model", "assistant_role")):
        if old in entry:
            turns[new] = str(entry[old])
    if "roles" in entry:
        turns["roles"] = _roles(entry["roles"], place, result)
    if turns:
        options["conversations"] = turns
    split = entry.get("train_on_split", entry.get("split"))
    if split is not None:
        options["split"] = [str(split)]
    return options


def _roles(value: Any, place: str, result: DataEntries) -> dict[str, list[str]]:
    """Further names of turns, those that are masked (input) and those that are trained (output)."""
    if not isinstance(value, Mapping) or not value.keys() <= {"input", "output"}:
        result.wrong.append(f"{place}: roles {value!r} is not a mapping with lists of names under input and output")
        return {}
    return {str(key): [str(name) for name in _listed(names)] for key, names in value.items()}


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]
