"""The settings of LoKr (Yeh et al., 2023). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count, not_a_share

__all__ = ["LokrSettings"]


@dataclass(frozen=True, kw_only=True)
class LokrSettings(Settings):
    """``factor``: size that the sides are split by, -1 as near to the square root as they divide. ``decompose_both``: the
    small block is of low rank, too.
    """

    rank: int = 8
    alpha: int = 8
    dropout: float = 0.0
    factor: int = -1
    decompose_both: bool = False

    names: ClassVar[Mapping[str, str]] = {
        "lokr_rank": "rank", "lokr_alpha": "alpha", "lokr_dropout": "dropout", "lokr_factor": "factor",
        "lokr_decompose_both": "decompose_both",
    }  # fmt: skip

    def problems(self) -> list[str]:
        """What cannot be."""
        wrong = not_a_count(self.of("rank")) + not_a_share(self.of("dropout"))
        if self.factor != -1 and self.factor < 2:
            wrong.append(f"--lokr_factor {self.factor}: is -1 (chosen for each layer) or a count from 2 up.")
        return wrong
