"""The checks that docs/serving.md lists by name: a row of the page, and the function that makes it true."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "serving.md"


class Listed:
    """The rows whose names match ``pattern``, and the checks that a file of tests has for them."""

    def __init__(self, pattern: str) -> None:
        self.names: list[str] = re.findall(rf"^\| `({pattern})` \|", PAGE.read_text(encoding="utf-8"), re.M)
        self.checks: dict[str, Callable[..., None]] = {}

    def check(self, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """The function that follows checks this row."""

        def keep(function: Callable[..., None]) -> Callable[..., None]:
            self.checks[name] = function
            return function

        return keep
