"""Files and functions stay small; every test asserts something; the project speaks of itself alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from source import ROOT, modules

LONG_FILE = 520
LONG_FUNCTION = 90
MAY_BE_LONG = ("swift.llm.catalog.", "swift.llm.arguments.")
"""Rows and lists of options are data."""


def test_files_can_be_held_in_the_head() -> None:
    sizes = sorted(((len(path.read_text().splitlines()), name) for name, path, _ in modules()), reverse=True)
    print("\n".join(f"{lines:5d} {name}" for lines, name in sizes[:10]))
    assert [f"{name}: {n} lines" for n, name in sizes if n > LONG_FILE and not name.startswith(MAY_BE_LONG)] == []


def test_functions_can_be_held_in_the_head() -> None:
    sizes = [
        (node.end_lineno - node.lineno + 1, f"{name}.{node.name}")
        for name, _, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno
    ]
    print("\n".join(f"{lines:5d} {name}" for lines, name in sorted(sizes, reverse=True)[:10]))
    assert [f"{name}: {n} lines" for n, name in sizes if n > LONG_FUNCTION] == []


def asserts_something(function: ast.AST) -> bool:
    """An assert, a ``pytest.raises``/``warns``/``skip``/``fail``, or a call of a checker (``check_…``, ``assert_…``)."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).split(".")[-1]
            if called in ("raises", "warns", "fail") or called.startswith(("assert_", "check_", "expect")):
                return True
    return False


def test_every_test_asserts() -> None:
    silent = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not asserts_something(node):
                silent.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert silent == []


def test_no_drawer_for_odds_and_ends() -> None:
    drawers = re.compile(r"^(utils|common|misc|helpers?|base_base)\.py$")
    assert [str(path) for _, path, _ in modules() if drawers.match(path.name)] == []


def test_the_project_speaks_of_itself_alone() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    files = listed.stdout.split() if listed.returncode == 0 else []
    foreign = re.compile(r"/work/(?!ed)|/root/|\bissue #?\d|farm-(?:bench|studio)", re.I)
    found = []
    for file in files:
        path = ROOT / file
        if (
            path.suffix in (".py", ".md", ".toml", ".txt", ".sh", ".yaml", "")
            and path.is_file()
            and path != Path(__file__)
        ):
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{file}: {match.group(0)}" for match in foreign.finditer(text)]
    assert found == []
