"""The catalog is data: its files hold literals, what they name exists, and every id belongs to one row."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from swift.llm.catalog.registries import DATASET_MAPPING, ENGINE_MAPPING, MODEL_MAPPING, TEMPLATE_MAPPING, TUNER_MAPPING
from swift.llm.plan.match import match_model
from swift.llm.plan.rowcheck import check_rows, known_architectures
from swift.utils.hub import is_hub_id

sys.path.insert(0, str(Path(__file__).parent))
from source import PACKAGE, ROOT

CATALOG = PACKAGE / "llm" / "catalog"
ROWS_FILES = sorted(
    path for path in CATALOG.rglob("*.py") if path.name not in ("__init__.py", "rows.py", "registries.py")
)
ROW_CLASSES = {
    "ModelFamily",
    "ModelRow",
    "Size",
    "TemplateRow",
    "DatasetRow",
    "TunerRow",
    "EngineRow",
    "QuantRow",
    "RewardRow",
}
LITERALS = (ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Load, ast.keyword, ast.UnaryOp, ast.USub)


@pytest.mark.parametrize("path", ROWS_FILES, ids=lambda path: path.relative_to(CATALOG).as_posix())
def test_rows_files_hold_literals_only(path: Path) -> None:
    wrong = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # docstrings
        if isinstance(node, ast.ImportFrom) and node.module in ("swift.llm.catalog.rows", "__future__"):
            continue
        if isinstance(node, ast.Assign) and all(_is_literal(part) for part in ast.walk(node.value)):
            continue
        wrong.append(f"{path.name}:{node.lineno}")
    assert wrong == []


def _is_literal(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ROW_CLASSES and not node.args
    return isinstance(node, LITERALS) or (isinstance(node, ast.Name) and node.id in ROW_CLASSES)


def named_code() -> Iterator[tuple[str, str]]:
    """(row, "module:attr") for all rows."""
    for model in MODEL_MAPPING.values():
        yield model.model_type, model.loader
    for tuner in TUNER_MAPPING.values():
        if tuner.tuner is not None:
            yield tuner.name, tuner.tuner
    for engine in ENGINE_MAPPING.values():
        if engine.module is not None and engine.dialect is not None:
            yield engine.name, engine.dialect
            yield engine.name, f"{engine.module}:command"
            yield engine.name, f"{engine.module}:variables"


def test_code_that_rows_name_exists() -> None:
    missing = []
    for row, place in sorted({place: (row, place) for row, place in named_code()}.values()):
        module, _, attribute = place.partition(":")
        file = ROOT / Path(*module.split(".")).with_suffix(".py")
        names = set()
        if file.is_file():  # read, not imported: loaders import torch
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                names |= {getattr(node, "name", "")}
                names |= {target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)}
        if attribute not in names:
            missing.append(f"{row}: {place}")
    assert missing == []


def test_folders_that_rows_name_exist() -> None:
    missing = []
    for row in DATASET_MAPPING.values():
        if (
            row.path is not None
            and row.base is not None
            and not (ROOT / row.base.replace(".", "/") / row.path).is_file()
        ):
            missing.append(row.name)
    for model in MODEL_MAPPING.values():
        package, _, folder = (model.path or "").partition(":")
        if package and not (ROOT / package.replace(".", "/") / folder / "config.json").is_file():
            missing.append(model.model_type)
    assert missing == []


def test_each_hub_id_is_of_one_row() -> None:
    """On either hub: an id never means one model here and another there."""
    rows = defaultdict(set)
    for row in MODEL_MAPPING.values():
        for hub_id in row.hub_ids:
            rows[hub_id.casefold()].add(row.model_type)
    assert {key: names for key, names in rows.items() if len(names) > 1} == {}


def test_no_row_is_inconsistent() -> None:
    rows = list(MODEL_MAPPING.values())
    assert check_rows(rows, rows, TEMPLATE_MAPPING, known_architectures()) == []


def test_each_row_is_found_by_each_of_its_ids() -> None:
    wrong = []
    for row in MODEL_MAPPING.values():
        for hub_id in filter(None, (*row.hub_ids, row.path)):
            found = match_model({"architectures": [row.architectures[0]]}, None, None, hub_id)
            if found.row != row:
                wrong.append(f"{row.model_type}: {hub_id}")
    assert wrong == []


def test_ids_have_the_form_of_ids() -> None:
    rows = [*MODEL_MAPPING.values(), *DATASET_MAPPING.values()]
    assert [row.name for row in rows if not (row.ms or row.hf or row.path)] == []
    ids = [
        *(each for row in MODEL_MAPPING.values() for each in row.hub_ids),
        *(each for row in rows for each in (row.ms, row.hf)),
    ]
    assert [each for each in ids if each and not is_hub_id(each)] == []


def test_every_template_that_a_model_names_exists() -> None:
    assert {row.template for row in MODEL_MAPPING.values()} - {None} - set(TEMPLATE_MAPPING) == set()


def test_requirements_parse() -> None:
    for row in MODEL_MAPPING.values():
        for text in row.requires:
            assert Requirement(text).name, row.model_type


def test_quantised_rows_say_what_they_need() -> None:
    words = ("int4", "int8", "awq", "gptq", "bnb", "fp8", "aqlm")
    rows = MODEL_MAPPING.values()
    # A name may be silent about it: models that were published in eight bits only.
    assert [row.model_type for row in rows if any(word in row.model_type for word in words) and not row.quant] == []
    assert [row.model_type for row in rows if row.quant and row.quant[0] != "fp8" and not row.requires] == []


def test_a_language_model_is_base_or_chat() -> None:
    rows = [row for row in MODEL_MAPPING.values() if row.task == "causal_lm"]
    assert [row.model_type for row in rows if ("base" in row.tags) == ("chat" in row.tags)] == []
    # Media need places in the text, so a base model that reads them has a format of its own; Mengzi's base model has one too.
    formats = {row.template for row in rows if "base" in row.tags and row.modality == ("text",)}
    assert formats <= {"default-generation", "default-generation-bos", "chatglm-generation", "mengzi"}
