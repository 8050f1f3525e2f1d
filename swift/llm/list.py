"""`swift list models|templates|datasets|tuners [words]`: the catalog's rows, found by words. Imports no model code."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from swift.llm.catalog.registries import (
    DATASET_MAPPING,
    MODEL_MAPPING,
    TEMPLATE_MAPPING,
    TUNER_MAPPING,
    load_custom_register,
    load_dataset_info,
)
from swift.utils.registry import nearest

__all__ = ["find_rows", "list_main", "main", "table"]

MAPPINGS: Mapping[str, Mapping[str, Any]] = {
    "models": MODEL_MAPPING,
    "templates": TEMPLATE_MAPPING,
    "datasets": DATASET_MAPPING,
    "tuners": TUNER_MAPPING,
}

SEARCHED: Mapping[str, tuple[str, ...]] = {
    "models": ("model_type", "family", "ms", "hf", "path", "template", "tags"),
    "templates": ("name", "tools", "note"),
    "datasets": ("name", "ms", "hf", "path", "help", "tags"),
    "tuners": ("name", "title", "paper", "help"),
}
"""The fields that words are looked for in."""


def main(parsed: Any) -> int:
    """Print the rows that hold all words, and their number; 1 where there are none."""
    return list_main(parsed.args)


def list_main(args: Any) -> int:
    """The same from a ``ListArguments``."""
    if args.custom_register_path:
        load_custom_register(args.custom_register_path)
    if args.custom_dataset_info:
        load_dataset_info(args.custom_dataset_info)
    rows = find_rows(args.what, args.words)
    if args.json:
        for row in rows:
            sys.stdout.write(json.dumps({"name": row.name, **dataclasses.asdict(row)}, ensure_ascii=False) + "\n")
        return 0 if rows else 1
    if not rows:
        sys.stdout.write(_nothing(args.what, args.words))
        return 1
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in table(COLUMNS[args.what][0], [COLUMNS[args.what][1](row) for row in rows], width):
        sys.stdout.write(line + "\n")
    total = len(MAPPINGS[args.what])
    sys.stdout.write(f"{len(rows)} of {total} {args.what}\n" if args.words else f"{total} {args.what}\n")
    return 0


def find_rows(what: str, words: Iterable[str]) -> list[Any]:
    """The rows whose name, family, ids, template, tags or description hold every word; case does not count."""
    wanted = [word.casefold() for word in words]
    return [row for row in MAPPINGS[what].values() if all(word in _searched(what, row) for word in wanted)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Lines with aligned columns; ``width`` (characters) cuts what would wrap on a terminal."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = []
    for row in (head, *rows):
        line = "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        lines.append(line if width is None or len(line) <= width else line[: width - 1] + "…")
    return lines


def _searched(what: str, row: Any) -> str:
    values = [getattr(row, name) for name in SEARCHED[what]]
    texts = [text for value in values for text in (value if isinstance(value, tuple) else (value,)) if text]
    return "\n".join(texts).casefold()


def _nothing(what: str, words: Sequence[str]) -> str:
    near = nearest(" ".join(words), MAPPINGS[what]) or [
        name for word in words for name in nearest(word, MAPPINGS[what])
    ]
    hint = (
        f" Near: {', '.join(dict.fromkeys(near))}."
        if near
        else f" `swift list {what}` shows all {len(MAPPINGS[what])}."
    )
    return f"no {what} with {' and '.join(repr(word) for word in words)}.{hint}\n"


def _model(row: Any) -> tuple[str, ...]:
    quant = f"{row.quant[0]} {row.quant[1]}-bit" if row.quant else ""
    place = row.hf if row.hf and row.hf == row.ms else ", ".join(part for part in (row.ms, row.hf, row.path) if part)
    return row.model_type, row.template or "(its own)", " ".join(row.tags), quant, place


def _template(row: Any) -> tuple[str, ...]:
    kind = "text" if row.generation_only else "chat"
    return row.name, kind, row.tools or "", row.note


def _dataset(row: Any) -> tuple[str, ...]:
    place = ", ".join(dict.fromkeys(part for part in (row.ms, row.hf, row.path) if part))
    return row.name, " ".join(row.tags), place, row.help


def _tuner(row: Any) -> tuple[str, ...]:
    return row.name, row.status, row.title, row.paper, row.help


COLUMNS: Mapping[str, tuple[tuple[str, ...], Any]] = {
    "models": (("model_type", "template", "tags", "quantised", "hub ids (ModelScope, Hugging Face)"), _model),
    "templates": (("template_type", "kind", "tools", "note"), _template),
    "datasets": (("name", "tags", "from", "what it is"), _dataset),
    "tuners": (("sft_type", "status", "title", "paper", "what it does"), _tuner),
}
