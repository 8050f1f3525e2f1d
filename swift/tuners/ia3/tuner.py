"""IA3 (Liu et al., 2022) through peft."""

from __future__ import annotations

from typing import Any

from peft import IA3Config

from swift.tuners.base import TunerSettings
from swift.tuners.ia3.config import Ia3Settings
from swift.tuners.peft_method import PeftMethod
from swift.tuners.targets import match_names

__all__ = ["Ia3Tuner"]


class Ia3Tuner(PeftMethod):
    """``h = l ⊙ (W x)`` with a learned vector ``l`` (out,); in feed-forward layers ``h = W (l ⊙ x)`` with ``l`` (in,)."""

    peft_type = "IA3"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = Ia3Settings.read(settings.options)

    def config(self, model: Any, goes: dict[str, Any]) -> IA3Config:
        """Raises PlanError for a feed-forward layer that is no target."""
        names = match_names(goes["target_modules"], self._own.feedforward, "ia3_feedforward_modules")
        return IA3Config(feedforward_modules=names, **goes)
