"""MiSS (Kang & Yin, 2024; Bone before) through peft."""

from __future__ import annotations

from typing import Any

from peft import MissConfig

from swift.tuners.base import TunerSettings
from swift.tuners.miss.config import MissSettings
from swift.tuners.peft_method import PeftMethod

__all__ = ["MissTuner"]


class MissTuner(PeftMethod):
    """One trained block ``D`` (R, out) is shared by all shards of a weight: ``h = W x + Dᵀ s(x)``, s adds up the input's shards."""

    peft_type = "MISS"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = MissSettings.read(settings.options)

    def config(self, model: Any, goes: dict[str, Any]) -> MissConfig:
        """As peft has it; its forms are called initialisations there."""
        own = self._own
        form: Any = True if own.form == "balance" else own.form
        return MissConfig(r=own.rank, miss_dropout=own.dropout, mini_r=own.mini_rank, init_weights=form, **goes)
