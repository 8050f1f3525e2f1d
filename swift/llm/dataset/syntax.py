"""The ``--dataset`` mini-language: ``[hub::]source[:subset/...][#count]``. Looks at the disk only to ask whether a path exists.

A source is a registered name, a hub id, a file or folder, a pattern (``data/*.jsonl``) or an address (``s3://bucket/x.jsonl``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from swift.utils.errors import DataError

__all__ = ["DatasetItem", "parse_item", "parse_items"]

Hub = Literal["hf", "ms"]


@dataclass(frozen=True, slots=True)
class DatasetItem:
    """One item as it was written. ``hub`` None: the run decides; ``count`` -1: every row; ``path``: it exists on disk."""

    text: str
    source: str
    hub: Hub | None = None
    subsets: tuple[str, ...] = ()
    count: int = -1
    path: Path | None = None


def parse_items(texts: Sequence[str]) -> tuple[DatasetItem, ...]:
    """Parse all items of one option. A single item may hold several, separated by commas.

    Raises DataError for an item that cannot be understood, and for commas where there are several items anyway.
    """
    if len(texts) == 1 and "," in texts[0] and _existing(texts[0]) is None:
        texts = [part for part in (part.strip() for part in texts[0].split(",")) if part]
    for text in texts:
        if "," in text and _existing(text) is None:
            raise DataError(
                f"data set {text!r}: commas separate data sets only where there is one item. Separate all of them by blanks."
            )
    return tuple(parse_item(text) for text in texts)


def parse_item(text: str) -> DatasetItem:
    """Parse one item. A path that exists is taken whole before ``#`` or ``:`` in it is looked at."""
    rest = text.strip()
    hub: Hub | None = None
    if "::" in rest:
        prefix, _, rest = rest.partition("::")
        name = prefix.strip().lower()
        if name not in ("hf", "ms"):
            raise DataError(
                f"data set {text!r}: unknown hub {prefix!r} before '::'. Write HF:: (Hugging Face) or MS:: (ModelScope)."
            )
        hub = "hf" if name == "hf" else "ms"
        rest = rest.strip()
    if not rest:
        raise DataError(f"data set {text!r}: no name or path is given.")
    path = _existing(rest)
    if path is not None:
        return DatasetItem(text, rest, hub, path=path)
    count = -1
    if "#" in rest:
        rest, _, digits = rest.rpartition("#")
        count = _count(text, digits)
        path = _existing(rest)
        if path is not None:
            return DatasetItem(text, rest, hub, count=count, path=path)
    if "://" in rest:  # an address: its colon begins no subset
        return DatasetItem(text, rest.strip(), hub, count=count)
    source, _, tail = rest.partition(":")
    subsets = tuple(part for part in (part.strip() for part in tail.split("/")) if part)
    if not source.strip():
        raise DataError(f"data set {text!r}: no name or path is given.")
    return DatasetItem(text, source.strip(), hub, subsets, count, _existing(source))


def _existing(text: str) -> Path | None:
    text = text.strip()
    if not text:
        return None
    try:
        path = Path(text).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # a name no file can have, or ~ of an unknown user
        return None


def _count(text: str, digits: str) -> int:
    try:
        count = int(digits)
    except ValueError:
        raise DataError(
            f"data set {text!r}: the part after '#' is a number of rows, not {digits!r}. "
            "If '#' belongs to a file name, that file does not exist."
        ) from None
    if count < -1 or count == 0:
        raise DataError(f"data set {text!r}: the number of rows after '#' is {count}; give 1 or more, or leave it out.")
    return count
