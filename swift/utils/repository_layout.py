"""Which files of a data repository make up a subset and a split: the card's declaration, else the names. Fetches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from swift.utils.errors import DataError

__all__ = ["choose_files"]

# In the order of preference where one table lies in a repository in several formats.
_KINDS = (".parquet", ".arrow", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt")
_PACKED = ("", ".gz", ".zst", ".bz2", ".xz")
_NOT_DATA = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "configuration.json")
_SPLITS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}


def choose_files(
    hub_id: str, names: Iterable[str], card: str, subsets: Sequence[str], split: Sequence[str]
) -> tuple[str, ...]:
    """Return the data files of ``subsets`` (none: the default one) and ``split`` among ``names`` (paths in the repository).

    ``card`` is the text of its README.md: what its header declares as ``configs`` decides; without a declaration a subset
    is a folder or the name of a file, and a split a word in the path. Raises DataError that lists what there is.
    """
    data = sorted(name for name in names if _is_data(name))
    if any(_kind(name) != ".txt" for name in data):
        data = [name for name in data if _kind(name) != ".txt"]  # LICENSE.txt and the like beside the rows
    if not data:
        raise DataError(
            f"{hub_id}: holds no data files (looked for {', '.join(_KINDS)}, packed or not). Look at its page, or download it and"
            " give the file's path."
        )
    configs = _configs(card)
    chosen: list[str] = []
    for subset in subsets or ("default",):
        if configs:
            chosen += _declared(hub_id, data, configs, subset, split)
        else:
            chosen += _named(hub_id, data, subset, split)
    return tuple(_without_copies(dict.fromkeys(chosen)))


# --- what the card declares ---


def _configs(card: str) -> dict[str, Mapping[str, Any]]:
    header = re.match(r"\ufeff?---\s*\n(.*?)\n---", card.replace("\r\n", "\n"), re.DOTALL)
    if header is None:
        return {}
    import yaml

    try:
        found = (yaml.safe_load(header.group(1)) or {}).get("configs") or []
        configs = {
            str(one.get("config_name", "default")): one for one in found if one.get("data_files") or one.get("data_dir")
        }
    except (yaml.YAMLError, AttributeError, TypeError):
        return {}  # a card is prose that people write; without a readable declaration the names of the files decide
    for name, one in configs.items():
        if one.get("default") is True:
            return {"default": one, **{other: two for other, two in configs.items() if other != name}, name: one}
    return configs


def _declared(
    hub_id: str, data: Sequence[str], configs: Mapping[str, Mapping[str, Any]], subset: str, split: Sequence[str]
) -> list[str]:
    name = next(iter(configs)) if subset == "default" and "default" not in configs else subset
    if name not in configs:
        raise DataError(f"{hub_id}: has no subset {subset!r}; it has {', '.join(list(configs)[:20])}.")
    folder = str(configs[name].get("data_dir") or "").strip("./")
    declared = configs[name].get("data_files")
    if not declared:
        inside = [one for one in data if one.startswith(f"{folder}/")]
        return _of_split(hub_id, inside, folder, split, f"subset {name}")
    patterns = _patterns(declared)
    wanted = [pattern for part in split for pattern in patterns.get(part, ())]
    if not wanted:
        raise DataError(f"{hub_id}: subset {name} has no split {', '.join(split)}; it has {', '.join(patterns)}.")
    matches = [_pattern(f"{folder}/{pattern}" if folder else pattern) for pattern in wanted]
    chosen = [one for match in matches for one in data if match.fullmatch(one)]
    if not chosen:
        raise DataError(
            f"{hub_id}: the card says that split {', '.join(split)} of subset {name} is {', '.join(wanted)}, and no data file is"
            f" named so. There are {', '.join(data[:8])}."
        )
    return chosen


def _patterns(declared: Any) -> dict[str, list[str]]:
    """Split to patterns. What is declared without a split is train, as on the hub."""
    found: dict[str, list[str]] = {}
    entries = declared if isinstance(declared, list) else [declared]
    for entry in entries:
        if isinstance(entry, Mapping) and "path" in entry:
            pairs: Iterable[tuple[Any, Any]] = [(entry.get("split", "train"), entry["path"])]
        elif isinstance(entry, Mapping):
            pairs = entry.items()
        else:
            pairs = [("train", entry)]
        for part, paths in pairs:
            found.setdefault(str(part), []).extend(map(str, paths if isinstance(paths, list) else [paths]))
    return found


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern of the hub: ``*`` within a folder, ``**`` across folders; a folder's name means what is in it."""
    parts = re.split(r"(\*\*/?|\*|\?)", text.removeprefix("./"))
    written = "".join(
        {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part)) for part in parts
    )
    return re.compile(written.rstrip("/") + "(?:/.*)?")


# --- what the names say ---


def _named(hub_id: str, data: Sequence[str], subset: str, split: Sequence[str]) -> list[str]:
    if subset == "default":
        inside = [name for name in data if "default" in PurePosixPath(name).parts[:-1]]
        return _of_split(hub_id, inside or data, "", split, "")
    folder = subset.strip("/")
    inside = [name for name in data if f"/{folder}/" in f"/{name}"]
    if not inside:
        inside = [name for name in data if _without_split(_stem(name)) == folder or _stem(name) == folder]
        folder = ""
    if not inside:
        there = dict.fromkeys(
            str(PurePosixPath(name).parent) if "/" in name else _without_split(_stem(name)) for name in data
        )
        known = ", ".join(one for one in list(there)[:20] if one) or "no subsets"
        raise DataError(f"{hub_id}: has no subset {subset!r}; it has {known}.")
    return _of_split(hub_id, inside, folder, split, f"subset {subset}")


def _of_split(hub_id: str, names: Sequence[str], folder: str, split: Sequence[str], of: str) -> list[str]:
    # the subset's own folder may be called test, and says nothing about the split
    found = {name: _split_of(f"/{name}".split(f"/{folder}/", 1)[-1] if folder else name, split) for name in names}
    chosen = [name for name in names if found[name] in split]
    if not chosen and "train" in split:
        chosen = [name for name in names if found[name] is None]
    if not chosen:
        there = ", ".join(dict.fromkeys(one or "train" for one in found.values())) or "no data files"
        raise DataError(f"{hub_id}: {of + ' ' if of else ''}has no split {', '.join(split)}; it has {there}.")
    return chosen


def _split_of(name: str, wanted: Sequence[str]) -> str | None:
    """The split that the file's name or else a folder names; None where none is named."""
    for part in reversed(PurePosixPath(name).parts):
        for own in wanted:  # a split by another name than the usual ones, such as train_sft
            if re.search(rf"(?<![A-Za-z0-9]){re.escape(own)}(?![A-Za-z])", part):
                return own
        for split, words in _SPLITS.items():
            if re.search(rf"(?<![A-Za-z])({'|'.join(words)})(?![A-Za-z])", part, re.IGNORECASE):
                return split
    return None


def _without_split(stem: str) -> str:
    words = "|".join(word for words in _SPLITS.values() for word in words)
    return re.sub(rf"[-_.]?(?<![A-Za-z])({words})(?![A-Za-z]).*$", "", stem, flags=re.IGNORECASE)


def _without_copies(names: Iterable[str]) -> list[str]:
    """One file of each name: the same rows often lie side by side as parquet and as csv."""
    best: dict[str, str] = {}
    for name in names:
        key = str(PurePosixPath(name).parent / _stem(name))
        if key not in best or _KINDS.index(_kind(name)) < _KINDS.index(_kind(best[key])):
            best[key] = name
    return list(best.values())


def _suffixes(name: str) -> tuple[str, str]:
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    packed = suffixes[-1] if suffixes and suffixes[-1] in _PACKED else ""
    return ("".join(suffixes[-2:-1]) if packed else "".join(suffixes[-1:])), packed


def _kind(name: str) -> str:
    return _suffixes(name)[0]


def _stem(name: str) -> str:
    return PurePosixPath(name).name[: -len("".join(_suffixes(name)))]


def _is_data(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return _kind(name) in _KINDS and parts[-1] not in _NOT_DATA and not any(part.startswith(".") for part in parts)
