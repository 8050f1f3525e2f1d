"""LoHa (Hyeon-Woo et al., 2021; Yeh et al., 2023) through peft."""

from __future__ import annotations

from typing import Any

from peft import LoHaConfig

from swift.tuners.base import TunerSettings
from swift.tuners.loha.config import LohaSettings
from swift.tuners.peft_method import PeftMethod

__all__ = ["LohaTuner"]


class LohaTuner(PeftMethod):
    """``W' = W + α/R · (B₁ A₁) ⊙ (B₂ A₂)``: the product of two low-rank matrices, entry by entry, has rank up to R²."""

    peft_type = "LOHA"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = LohaSettings.read(settings.options)

    def config(self, model: Any, goes: dict[str, Any]) -> LoHaConfig:
        """As peft has it."""
        return LoHaConfig(r=self._own.rank, alpha=self._own.alpha, rank_dropout=self._own.dropout, **goes)
