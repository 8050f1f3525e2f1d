"""The settings of FourierFT (Gao et al., 2024). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count

__all__ = ["FourierSettings"]


@dataclass(frozen=True, kw_only=True)
class FourierSettings(Settings):
    """``num_frequencies`` learned values a layer, the same places in layers of the same shape."""

    num_frequencies: int = 2000
    scaling: float = 300.0

    names: ClassVar[Mapping[str, str]] = {"fourier_n_frequency": "num_frequencies", "fourier_scaling": "scaling"}

    def problems(self) -> list[str]:
        """What cannot be."""
        return not_a_count(self.of("num_frequencies"))
