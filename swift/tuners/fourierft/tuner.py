"""FourierFT (Gao et al., 2024) through peft."""

from __future__ import annotations

from typing import Any

from peft import FourierFTConfig

from swift.tuners.base import TunerSettings
from swift.tuners.fourierft.config import FourierSettings
from swift.tuners.peft_method import PeftMethod

__all__ = ["FourierTuner"]


class FourierTuner(PeftMethod):
    """``W' = W + scaling · Re(F⁻¹(C))``: ``C`` (out, in) is zero but at ``n`` random places, whose values learn."""

    peft_type = "FOURIERFT"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = FourierSettings.read(settings.options)

    def config(self, model: Any, goes: dict[str, Any]) -> FourierFTConfig:
        """The values start at zero, so that the model starts as its base."""
        own = self._own
        return FourierFTConfig(n_frequency=own.num_frequencies, scaling=own.scaling, init_weights=True, **goes)
