from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).with_name("tiny_run.py")


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The module that makes tiny models, rows and runs."""
    spec = importlib.util.spec_from_file_location("tiny_run", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tiny_run"] = module  # dataclasses and pickle look their module up
    spec.loader.exec_module(module)
    return module
