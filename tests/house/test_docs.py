"""The pages that are made from the code are the ones that the code makes; what the README names exists."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_of_arguments_is_current() -> None:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "scripts" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text(encoding="utf-8") == module.page(), "run scripts/docs"
    assert module.METHODS.read_text(encoding="utf-8") == module.methods_page(), "run scripts/docs"


def test_links_of_the_pages_lead_somewhere() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("swift/demo/model/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_commands_of_the_readme_exist() -> None:
    from swift.cli.commands import COMMANDS

    known = set(COMMANDS)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    used = set(re.findall(r"^swift ([a-z][a-z-]*)", text, re.M))
    assert used
    assert used - known == set()
