"""The settings of bottleneck adapters. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count

__all__ = ["AdapterSettings"]


@dataclass(frozen=True, kw_only=True)
class AdapterSettings(Settings):
    """``width`` is the number of values between the two projections, ``act`` an activation as transformers names it."""

    width: int = 128
    act: str = "gelu"

    names: ClassVar[Mapping[str, str]] = {"adapter_length": "width", "adapter_act": "act"}

    def problems(self) -> list[str]:
        """A width below 1; whether the activation exists is told when the adapters are made."""
        return not_a_count(self.of("width"))
