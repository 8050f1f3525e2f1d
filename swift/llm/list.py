"""`swift list models|templates|datasets|tuners [words]`: the catalog's rows, found by words, filtered, and checked.

Listing imports no model code; comparing a row with a real model reads that model's configuration and tokenizer.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from swift.llm.catalog.quantizers import QUANTIZERS
from swift.llm.catalog.registries import (
    DATASET_MAPPING,
    MODEL_MAPPING,
    TEMPLATE_MAPPING,
    TUNER_MAPPING,
    load_custom_register,
    load_dataset_info,
)
from swift.llm.catalog.rows import ModelRow, TunerRow
from swift.llm.plan.rowcheck import RowProblem, check_rows, known_architectures
from swift.llm.plan.select import ModelFilter
from swift.utils.errors import ArgumentError, SwiftError
from swift.utils.registry import nearest

__all__ = ["abilities", "find_rows", "list_main", "main", "table"]

MAPPINGS: Mapping[str, Mapping[str, Any]] = {
    "models": MODEL_MAPPING,
    "templates": TEMPLATE_MAPPING,
    "datasets": DATASET_MAPPING,
    "tuners": TUNER_MAPPING,
}

SEARCHED: Mapping[str, tuple[str, ...]] = {
    "models": ("model_type", "family", "ms", "hf", "path", "other_ids", "template", "tags"),
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
    rows = _filtered(args, find_rows(args.what, args.words))
    narrowed = len(rows) < len(MAPPINGS[args.what])
    if not rows:
        sys.stdout.write(_nothing(args.what, args.words, filtered=bool(_filters(args))))
        return 1
    if args.check:
        return _check(args, rows, narrowed)
    if args.json:
        for row in rows:
            sys.stdout.write(json.dumps({"name": row.name, **dataclasses.asdict(row)}, ensure_ascii=False) + "\n")
        return 0
    _print_table(COLUMNS[args.what][0], [COLUMNS[args.what][1](row) for row in rows])
    total = len(MAPPINGS[args.what])
    asked = args.words or _filters(args)
    sys.stdout.write(f"{len(rows)} of {total} {args.what}\n" if asked else f"{total} {args.what}\n")
    return 0


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in table(head, rows, width):
        sys.stdout.write(line + "\n")


OF_MODELS = tuple(one.name for one in dataclasses.fields(ModelFilter))
"""The options that narrow a list of models."""


def _filters(args: Any) -> dict[str, str]:
    return {name: getattr(args, name) for name in OF_MODELS if getattr(args, name) is not None}


def _filtered(args: Any, rows: list[Any]) -> list[Any]:
    """The rows that the options leave. Raises ArgumentError for options that do not go together."""
    filters = _filters(args)
    given = [*filters, *(name for name in ("check", "model", "hub") if getattr(args, name))]
    if given and args.what != "models":
        raise ArgumentError(f"--{given[0]}: only models have it. Write `swift list models --{given[0]} …`.")
    if (args.model or args.hub) and not args.check:
        raise ArgumentError(f"--{'model' if args.model else 'hub'} belongs to --check. Add --check, or leave it out.")
    if args.use_hf is not None and not args.hub:
        raise ArgumentError("--use_hf belongs to --check --hub. Add them, or leave it out.")
    return ModelFilter(**filters).apply(rows, MODEL_MAPPING.values()) if filters else rows


def _check(args: Any, rows: Sequence[ModelRow], narrowed: bool) -> int:
    """Print what is wrong with the rows, and with the real models where they were asked for; 1 where anything is."""
    problems = check_rows(rows, MODEL_MAPPING.values(), TEMPLATE_MAPPING, known_architectures())
    done = [_count(len(rows), "row")]
    if args.model:
        row, told, found = _check_folder(Path(args.model).expanduser(), rows[0] if len(rows) == 1 else None)
        problems += found
        done.append(f"{args.model} as {row}: {told}")
    if args.hub:
        if not narrowed:
            raise ArgumentError(
                f"--hub: asks for each of {len(rows)} models. Say which: words, --family or another filter."
            )
        for each in rows:
            problems += _check_hub(each, args.use_hf)
        done.append(f"{_count(len(rows), 'model')} of the hub")
    if args.json:
        for one in problems:
            sys.stdout.write(json.dumps(dataclasses.asdict(one), ensure_ascii=False) + "\n")
    else:
        if problems:
            _print_table(("model_type", "part", "problem"), [(one.model_type, one.part, one.what) for one in problems])
        found_text = _count(len(problems), "problem") if problems else "no problems"
        sys.stdout.write(f"checked {'; '.join(done)}: {found_text}\n")
    return 1 if problems else 0


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _check_hub(row: ModelRow, use_hf: bool | None) -> list[RowProblem]:
    from swift.llm.plan.match import source_of
    from swift.utils.environ import USE_HF
    from swift.utils.hub import resolve

    try:
        name, hf = source_of(None, row, use_hf=USE_HF.read() if use_hf is None else use_hf)
        folder = resolve(name, use_hf=hf, revision=row.revision, only_config=True)
        return _check_folder(folder, row)[2]
    except SwiftError as error:
        return [RowProblem(row.model_type, "hub", str(error))]


def _check_folder(folder: Path, row: ModelRow | None) -> tuple[str, str, list[RowProblem]]:
    """(The row's name, what was compared, what differs) for a model's folder; ``row`` None: the row that it matches."""
    from swift.llm.plan.facts import read_chat_template
    from swift.llm.plan.match import match_model
    from swift.utils.files import read_json

    if not (folder / "config.json").is_file():
        raise ArgumentError(f"--model {folder}: no folder with a config.json. Give the folder of a model.")
    config = read_json(folder / "config.json")
    match = match_model(config, read_chat_template(folder))
    if row is None and match.row is None:
        raise ArgumentError(f"--model {folder}: several rows fit ({', '.join(match.candidates)}). Name one: swift list models {match.candidates[0]} --check --model …")  # fmt: skip
    row = row or match.row
    assert row is not None  # one of the two is there
    problems = []
    found = (config.get("architectures") or ["nothing"])[0]
    if found not in row.architectures:
        problems.append(
            RowProblem(row.model_type, "architectures", f"{', '.join(row.architectures)}; config.json says {found}")
        )
    told, difference = _compare_template(folder, row)
    if difference is not None:
        problems.append(RowProblem(row.model_type, "template", difference))
    return row.model_type, told, problems


def _compare_template(folder: Path, row: ModelRow) -> tuple[str, str | None]:
    """What was compared, and how the row's format differs from the model's own chat template (None: not at all)."""
    if row.template is None:
        return "its own chat template is used", None
    if row.template not in TEMPLATE_MAPPING:
        return "its template is missing", None  # a problem of the row, told there
    from swift.llm.plan.plans import TemplatePlan
    from swift.llm.template import open_template
    from swift.llm.template.check import verify
    from swift.llm.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(folder)
    if tokenizer.chat_template is None:
        return f"no chat template beside template {row.template}", None
    verdict = verify(open_template(row.template, tokenizer, TemplatePlan(template_type=row.template)), tokenizer)
    if not verdict.checked:
        return "its own chat template is used", None
    if verdict.equal or verdict.loss_free:
        return f"template {row.template}, the same ids in {verdict.checked} comparisons", None
    return f"template {row.template}", f"{row.template}: {(verdict.first_difference or '').strip()}"


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


def _nothing(what: str, words: Sequence[str], *, filtered: bool) -> str:
    if filtered:
        return f"no {what} fit all of these. Leave a filter out; `swift list {what}` shows all {len(MAPPINGS[what])}.\n"
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


def abilities(row: TunerRow) -> tuple[str, str, str, str]:
    """What a method's checkpoint can do, in words: merge, combine with others, answer as it is, be trained over packed weights.

    ``combines``: by what the adapters change in the weights, and where it says so by their factors.
    """
    packed = " ".join(quant.name for quant in QUANTIZERS if row.name in quant.adapters)
    if not row.adapter:
        return "is whole", "no", "as a model", packed or "no"
    combines = "no" if not row.merges else "changes, factors" if row.combines else "changes"
    return "yes" if row.merges else "no", combines, "one by one" if row.padded else "yes", packed or "no"


def _tuner(row: Any) -> tuple[str, ...]:
    return row.name, row.status, *abilities(row), row.title, row.paper, row.help


COLUMNS: Mapping[str, tuple[tuple[str, ...], Any]] = {
    "models": (("model_type", "template", "tags", "quantised", "hub ids (ModelScope, Hugging Face)"), _model),
    "templates": (("template_type", "kind", "tools", "note"), _template),
    "datasets": (("name", "tags", "from", "what it is"), _dataset),
    "tuners": (
        (
            "sft_type",
            "status",
            "merges",
            "combines",
            "answers unmerged",
            "over packed weights",
            "title",
            "paper",
            "what it does",
        ),
        _tuner,
    ),
}
