"""The settings of OFT (Qiu et al., 2023). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count, not_a_share

__all__ = ["OftSettings"]


@dataclass(frozen=True, kw_only=True)
class OftSettings(Settings):
    """Width of a block; it must divide the width of every layer's input. ``dropout``: share of blocks left out at random."""

    block_size: int = 32
    dropout: float = 0.0

    names: ClassVar[Mapping[str, str]] = {"oft_block_size": "block_size", "oft_dropout": "dropout"}

    def problems(self) -> list[str]:
        """What cannot be."""
        return not_a_count(self.of("block_size")) + not_a_share(self.of("dropout"))
