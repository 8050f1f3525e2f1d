"""The settings of LoHa (Hyeon-Woo et al., 2021; Yeh et al., 2023). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count, not_a_share

__all__ = ["LohaSettings"]


@dataclass(frozen=True, kw_only=True)
class LohaSettings(Settings):
    """``dropout``: share of the ranks that are left out at random."""

    rank: int = 8
    alpha: int = 8
    dropout: float = 0.0

    names: ClassVar[Mapping[str, str]] = {"loha_rank": "rank", "loha_alpha": "alpha", "loha_dropout": "dropout"}

    def problems(self) -> list[str]:
        """What cannot be."""
        return not_a_count(self.of("rank")) + not_a_share(self.of("dropout"))
