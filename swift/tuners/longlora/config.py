"""The settings of LongLoRA beside those of LoRA. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count

__all__ = ["SHARE", "TRAINED", "LongLoraSettings"]

SHARE = 4
"""A group is a quarter of the context, as in the paper."""

TRAINED = ("EMBEDDING", "LN")
"""Trained in full beside the factors: the paper's LoRA⁺, without which longer contexts are not learned (section 3.3)."""


@dataclass(frozen=True, kw_only=True)
class LongLoraSettings(Settings):
    """``group`` is the size of a group in tokens; None: a quarter of each sample."""

    group: int | None = None

    names: ClassVar[Mapping[str, str]] = {"group_size": "group"}

    def problems(self) -> list[str]:
        """A size that leaves no half to shift by."""
        return not_a_count(self.of("group")) if self.group is not None else []
