"""The settings of MiSS (Kang & Yin, 2024; Bone before). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count, not_a_share

__all__ = ["MissSettings"]

FORMS = ("balance", "bat", "mini")


@dataclass(frozen=True, kw_only=True)
class MissSettings(Settings):
    """``form``: ``balance`` (the usual one), ``bat`` (Bone's update that depends on the weight) or ``mini`` (the block is
    repeated along the output, ``mini_rank`` wide).
    """

    rank: int = 64
    dropout: float = 0.0
    form: str = "balance"
    mini_rank: int = 1

    names: ClassVar[Mapping[str, str]] = {
        "miss_rank": "rank", "miss_dropout": "dropout", "miss_form": "form", "miss_mini_rank": "mini_rank",
    }  # fmt: skip

    def problems(self) -> list[str]:
        """What cannot be."""
        wrong = not_a_count(self.of("rank", "mini_rank")) + not_a_share(self.of("dropout"))
        if self.form not in FORMS:
            wrong.append(f"--miss_form {self.form}: choose one of {', '.join(FORMS)}.")
        elif self.form != "mini" and self.mini_rank != 1:
            wrong.append(f"--miss_mini_rank {self.mini_rank}: has an effect only with --miss_form mini.")
        return wrong
