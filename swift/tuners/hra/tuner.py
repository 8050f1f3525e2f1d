"""HRA (Yuan et al., 2024) through peft."""

from __future__ import annotations

from typing import Any

from peft import HRAConfig

from swift.tuners.base import TunerSettings
from swift.tuners.hra.config import HraSettings
from swift.tuners.peft_method import PeftMethod

__all__ = ["HraTuner"]


class HraTuner(PeftMethod):
    """``h = W (H₁ … H_R) x`` with reflections ``H = I - 2 u uᵀ / ‖u‖²`` (Householder), ``u`` (in,)."""

    peft_type = "HRA"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = HraSettings.read(settings.options)

    def config(self, model: Any, goes: dict[str, Any]) -> HRAConfig:
        """Without Gram and Schmidt: two equal vectors would not cancel at the start."""
        return HRAConfig(r=self._own.rank, apply_GS=False, **goes)
