"""Arguments, rows, plans and facts are frozen values without behaviour of their own at construction."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from source import modules

FROZEN_PARTS = (
    "swift.llm.arguments",
    "swift.llm.catalog.rows",
    "swift.llm.plan",
    "swift.llm.core",
    "swift.trainers.config",
)
NAMES = [name for name, _, _ in modules() if name.startswith(FROZEN_PARTS)]


@pytest.mark.parametrize("name", NAMES)
def test_dataclasses_are_frozen_and_plain(name: str) -> None:
    module = importlib.import_module(name)
    for cls in vars(module).values():
        if isinstance(cls, type) and dataclasses.is_dataclass(cls) and cls.__module__ == name:
            params = cls.__dataclass_params__  # type: ignore[attr-defined]
            assert params.frozen, f"{name}.{cls.__name__} is not frozen"
            assert "__post_init__" not in vars(cls), f"{name}.{cls.__name__} has a __post_init__"
