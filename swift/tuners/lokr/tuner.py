"""LoKr (Yeh et al., 2023) through peft."""

from __future__ import annotations

from typing import Any

from peft import LoKrConfig

from swift.tuners.base import TunerSettings
from swift.tuners.lokr.config import LokrSettings
from swift.tuners.peft_method import PeftMethod

__all__ = ["LokrTuner"]


class LokrTuner(PeftMethod):
    """``W' = W + α/R · C ⊗ (B A)``: a Kronecker product of a small block and a low-rank one."""

    peft_type = "LOKR"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = LokrSettings.read(settings.options)

    def config(self, model: Any, goes: dict[str, Any]) -> LoKrConfig:
        """As peft has it."""
        own = self._own
        return LoKrConfig(
            r=own.rank, alpha=own.alpha, rank_dropout=own.dropout, decompose_factor=own.factor,
            decompose_both=own.decompose_both, **goes,
        )  # fmt: skip
