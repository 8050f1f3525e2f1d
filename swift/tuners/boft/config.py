"""The settings of BOFT (Liu et al., 2023). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count, not_a_share

__all__ = ["BoftSettings"]


@dataclass(frozen=True, kw_only=True)
class BoftSettings(Settings):
    """Either ``block_size`` or ``block_num`` counts, the other is 0: their product is the width of the layer's input."""

    block_size: int = 4
    block_num: int = 0
    num_factors: int = 1
    dropout: float = 0.0

    names: ClassVar[Mapping[str, str]] = {
        "boft_block_size": "block_size", "boft_block_num": "block_num", "boft_n_butterfly_factor": "num_factors",
        "boft_dropout": "dropout",
    }  # fmt: skip

    def problems(self) -> list[str]:
        """What cannot be. A block number that was given replaces the default size (see `block`)."""
        wrong = not_a_count(self.of("num_factors")) + not_a_share(self.of("dropout"))
        if self.block_size < 0 or self.block_num < 0 or self.block_size == self.block_num == 0:
            wrong.append(
                f"--boft_block_size {self.block_size}, --boft_block_num {self.block_num}: one of them is a count from 1 up."
            )
        elif self.block_num and self.block_size not in (0, type(self).block_size):
            wrong.append(
                f"--boft_block_size {self.block_size}, --boft_block_num {self.block_num}: one follows from the other."
                " Leave one of them out."
            )
        return wrong

    @property
    def block(self) -> tuple[int, int]:
        """(size, number) as peft takes them: one of them is 0."""
        return (0, self.block_num) if self.block_num else (self.block_size, 0)
