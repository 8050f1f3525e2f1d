"""Imports point down: the layers of docs/architecture.md, read off the import graph."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from source import imports, modules

LAYERS: tuple[tuple[str, ...], ...] = (
    ("swift.utils",),
    ("swift.kernels", "swift.demo"),
    ("swift.tuners", "swift.trainers", "swift.environments"),
    ("swift.llm.core",),
    ("swift.llm.arguments", "swift.llm.catalog"),
    ("swift.llm.plan", "swift.llm.tokenizer", "swift.llm.media"),
    ("swift.llm.template", "swift.llm.dataset", "swift.llm.model", "swift.llm.engine"),
    ("swift.llm.chat", "swift.llm.merge", "swift.llm.scoring"),
    ("swift.llm.training", "swift.llm.answering", "swift.llm.serve", "swift.ui"),
    ("swift.llm.*",),
    ("swift.cli",),
)
SURFACES = ("swift", "swift.llm", "swift.__main__")
"""Lazy public surfaces; they name modules of every layer as strings and may be imported for ``__version__`` only."""

HEAVY = ("torch", "transformers", "datasets", "peft", "accelerate", "gradio", "fastapi")
LIGHT_LAYERS = (
    "swift.utils",
    "swift.cli",
    "swift.llm.arguments",
    "swift.llm.catalog",
    "swift.llm.plan",
    "swift.llm.core",
    "swift.llm.media",
)


def part_of(module: str) -> tuple[int, str] | None:
    """The layer number and the part a module belongs to; None for the surfaces."""
    if module in SURFACES:
        return None
    for number, parts in enumerate(LAYERS):
        for part in parts:
            if module == part or module.startswith(part + "."):
                return number, part
    if module.startswith("swift.llm."):
        verb = ".".join(module.split(".")[:3])
        return next(n for n, parts in enumerate(LAYERS) if "swift.llm.*" in parts), verb
    return None


def test_every_module_has_a_room() -> None:
    homeless = [name for name, _, _ in modules() if part_of(name) is None and name not in SURFACES]
    assert homeless == []


def test_imports_point_down() -> None:
    wrong = []
    for name, path, tree in modules():
        here = part_of(name)
        if here is None:
            continue
        for target, line in imports(name, path, tree):
            there = part_of(target) if target.startswith("swift.") else None
            if there is None or there[1] == here[1]:
                continue
            if there[0] >= here[0]:
                wrong.append(f"{name}:{line} ({here[1]}) imports {target} ({there[1]})")
    assert wrong == []


def module_level_imports(tree: ast.Module) -> set[str]:
    """Top-level packages imported when the module is imported; blocks for type checking do not run."""
    found: set[str] = set()
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, (ast.If, ast.Try)) and "TYPE_CHECKING" not in ast.dump(getattr(node, "test", node)):
            pending += [*node.body, *node.orelse]
    return found


def test_light_layers_import_nothing_heavy() -> None:
    heavy = []
    for name, path, tree in modules():
        light = any(name == part or name.startswith(part + ".") for part in LIGHT_LAYERS) or path.name == "config.py"
        if light:
            heavy += [f"{name} imports {package}" for package in module_level_imports(tree) & set(HEAVY)]
    assert heavy == []
