"""Nothing foreign is patched, and the environment is written in two places only."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from source import modules

MAY_WRITE_ENVIRONMENT = ("swift.utils.environ", "swift.cli.launch")


def foreign_names(tree: ast.Module) -> set[str]:
    """Names bound by an import of something that is not ours, anywhere in the module."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(a.asname or a.name.split(".")[0]) for a in node.names if not a.name.startswith("swift")}
        elif isinstance(node, ast.ImportFrom) and not node.level and not (node.module or "").startswith("swift"):
            names |= {a.asname or a.name for a in node.names}
    return names


def root_of(node: ast.expr) -> str | None:
    """``torch`` for ``torch.nn.Linear.forward``: the name an attribute chain starts from."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def test_no_attribute_of_an_imported_thing_is_assigned() -> None:
    patched = []
    for name, _, tree in modules():
        foreign = foreign_names(tree)
        for node in ast.walk(tree):
            targets: list[ast.expr] = []
            if isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
                targets = [node.target]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
                targets = [ast.Attribute(value=node.args[0], attr="?", ctx=ast.Store())]
            patched += [
                f"{name}:{node.lineno}"
                for target in targets
                if isinstance(target, ast.Attribute) and root_of(target) in foreign
            ]
    assert patched == []


def test_the_environment_is_written_in_its_own_modules_only() -> None:
    writers = []
    for name, _, tree in modules():
        if name in MAY_WRITE_ENVIRONMENT:
            continue
        for node in ast.walk(tree):
            text = ast.unparse(node) if isinstance(node, (ast.Assign, ast.Call, ast.Delete, ast.AugAssign)) else ""
            if text.startswith(
                ("os.environ[", "os.environ.setdefault", "os.environ.update", "os.putenv", "del os.environ")
            ):
                writers.append(f"{name}:{node.lineno} {text[:60]}")
    assert writers == []
