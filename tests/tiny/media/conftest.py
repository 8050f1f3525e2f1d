"""Families of vision models, each opened once a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from seen import Opened, open_family


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Opened]]:
    known: dict[str, Opened] = {}

    def open_once(name: str) -> Opened:
        if name not in known:
            known[name] = open_family(name, tmp_path_factory.mktemp("vision") / name)
        return known[name]

    yield open_once
    for one in known.values():
        one.engine.shutdown()
