"""The scripts that make the demo model, imported from their files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts" / "demo_model"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"demo_model_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_chat() -> ModuleType:
    return script("make_chat")


@pytest.fixture(scope="session")
def make_tokenizer() -> ModuleType:
    return script("make_tokenizer")


@pytest.fixture(scope="session")
def stories() -> list[str]:
    """Made-up stories of the usual form, each of its own hero, animal and place."""
    told = (
        "Once upon a time, there was a little {kind} named {name}. {name} liked to play with a red ball. One day, {name} "
        "went to the {place} with the ball. The ball rolled away and {name} was sad. A kind {other} found the ball. "
        "\n\nThe {other} gave the ball back. {name} smiled and said thank you. They played with the ball until the sun went down. Then they all went home and were very happy."
    )
    cast = [("girl", "Lily", "park", "dog"), ("boy", "Tim", "zoo", "bird"), ("dog", "Spot", "farm", "cow"),
            ("cat", "Kitty", "beach", "crab"), ("owl", "Hoot", "forest", "fox"), ("boy", "Max", "lake", "duck")]  # fmt: skip
    return [told.format(kind=k, name=n, place=p, other=o) for k, n, p, o in cast]
