"""The settings of VeRA (Kopiczko et al., 2023). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count, not_a_share

__all__ = ["VeraSettings"]


@dataclass(frozen=True, kw_only=True)
class VeraSettings(Settings):
    """``seed`` makes the shared projections; ``d_initial`` is what every entry of d starts with."""

    rank: int = 256
    seed: int = 0
    dropout: float = 0.0
    d_initial: float = 0.1

    names: ClassVar[Mapping[str, str]] = {
        "vera_rank": "rank", "vera_projection_prng_key": "seed", "vera_dropout": "dropout", "vera_d_initial": "d_initial",
    }  # fmt: skip

    def problems(self) -> list[str]:
        """What cannot be."""
        return not_a_count(self.of("rank")) + not_a_share(self.of("dropout"))
