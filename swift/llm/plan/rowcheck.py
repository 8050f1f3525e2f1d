"""Is a row of a model consistent with itself, with the other rows and with the installed packages? No network, no torch."""

from __future__ import annotations

import importlib.util
import re
from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from swift.llm.catalog.rows import ModelRow
from swift.utils.errors import SwiftError
from swift.utils.hub import is_hub_id, package_folder
from swift.utils.lazy import load

__all__ = ["RowProblem", "check_rows", "known_architectures"]

MODALITIES = ("text", "image", "video", "audio")
TASKS = ("causal_lm", "embedding", "reranker", "reward", "masked_lm", "speech_to_text")


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with which part of which row."""

    model_type: str
    part: str
    what: str


def known_architectures() -> frozenset[str]:
    """The names of the model classes that the installed transformers registers, read from its text; it is not imported."""
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        return frozenset()
    text = (Path(spec.origin).parent / "models" / "auto" / "modeling_auto.py").read_text(encoding="utf-8")
    return frozenset(re.findall(r'"([A-Z]\w*)"', text))


def check_rows(
    rows: Iterable[ModelRow], known: Iterable[ModelRow], templates: Container[str], architectures: Container[str]
) -> list[RowProblem]:
    """Everything that is wrong with ``rows``. ``known`` are all rows (ids must be of one row only).

    ``architectures`` are those that transformers loads without the code of the weights' author.
    """
    owners = _owners(known)
    return [
        RowProblem(row.model_type, part, what)
        for row in rows
        for part, what in (
            *_check_code(row, architectures), *_check_ids(row, owners), *_check_requires(row), *_check_words(row),
            *([("template", f"no template is called {row.template!r}")] if row.template and row.template not in templates else []),
        )
    ]  # fmt: skip


def _owners(rows: Iterable[ModelRow]) -> dict[str, set[str]]:
    owners: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for each in row.hub_ids:
            owners[each.casefold()].add(row.model_type)
    return owners


def _check_code(row: ModelRow, architectures: Container[str]) -> list[tuple[str, str]]:
    problems = []
    try:
        load(row.loader)
    except (SwiftError, ImportError, AttributeError, ValueError) as error:
        problems.append(("loader", f"{row.loader} cannot be found: {error}"))
    if not row.architectures:
        problems.append(("architectures", "is empty"))
    elif not row.trust_remote_code and not any(one in architectures for one in row.architectures):
        problems.append(("architectures", f"{', '.join(row.architectures)}: not in the installed transformers, and trust_remote_code is not set"))  # fmt: skip
    return problems


def _check_ids(row: ModelRow, owners: dict[str, set[str]]) -> list[tuple[str, str]]:
    problems = []
    if not row.hub_ids and row.path is None:
        problems.append(("ids", "no hub has it, and it has no path"))
    try:
        if row.path is not None and package_folder(row.path) is None:
            problems.append(("path", f"{row.path}: package:folder is expected"))
    except SwiftError as error:
        problems.append(("path", str(error)))
    for each in row.hub_ids:
        if not is_hub_id(each):
            problems.append(("ids", f"{each} does not look like owner/name"))
        others = sorted(owners.get(each.casefold(), set()) - {row.model_type})
        if others:
            problems.append(("ids", f"{each} is an id of {', '.join(others)} too"))
    return problems


def _check_requires(row: ModelRow) -> list[tuple[str, str]]:
    problems = []
    for text in row.requires:
        try:
            Requirement(text)
        except InvalidRequirement as error:
            problems.append(("requires", f"{text!r}: {error}"))
    return problems


def _check_words(row: ModelRow) -> list[tuple[str, str]]:
    problems = []
    if not row.lora_targets or not all(row.lora_targets):
        problems.append(("lora_targets", "is empty; ('ALL',) means every linear layer"))
    if "text" not in row.modality or not set(row.modality) <= set(MODALITIES):
        problems.append(("modality", f"{row.modality!r}; known: {', '.join(MODALITIES)}, and text is always there"))
    elif row.modality != ("text",) and "ALL" in row.lora_targets and not row.language_prefixes:
        problems.append(("language_prefixes", "is empty: the default targets would reach the vision tower"))
    if row.task not in TASKS:
        problems.append(("task", f"{row.task!r}; known: {', '.join(TASKS)}"))
    return problems
