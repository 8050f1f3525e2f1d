"""The settings of HRA (Yuan et al., 2024). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings

__all__ = ["HraSettings"]


@dataclass(frozen=True, kw_only=True)
class HraSettings(Settings):
    """``rank`` is the number of reflections, even, so that they cancel at the start."""

    rank: int = 8

    names: ClassVar[Mapping[str, str]] = {"hra_rank": "rank"}

    def problems(self) -> list[str]:
        """What cannot be."""
        if self.rank < 2 or self.rank % 2:
            return [
                f"--hra_rank {self.rank}: an even count from 2 up is expected: two equal reflections cancel at the start."
            ]
        return []
