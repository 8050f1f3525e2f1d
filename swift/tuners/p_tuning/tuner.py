"""P-tuning (Liu et al., 2021) through peft."""

from __future__ import annotations

from typing import Any

from peft import PromptEncoderConfig

from swift.tuners.base import TunerSettings
from swift.tuners.p_tuning.config import PTuningSettings
from swift.tuners.prompt_method import PromptMethod

__all__ = ["PTuner"]


class PTuner(PromptMethod):
    """``[f(P); E(x)]``: rows ``P`` (virtual tokens, C) and a network ``f`` are learned; the result keeps ``f(P)`` alone."""

    peft_type = "P_TUNING"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = PTuningSettings.read(settings.options)

    def settled(self, model: Any) -> PromptEncoderConfig:
        """The network is as wide as the model where nothing else is said."""
        return PromptEncoderConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=self._own.tokens,
            encoder_reparameterization_type=self._own.encoder.upper(),
            encoder_hidden_size=self._own.hidden or model.config.get_text_config().hidden_size,
        )
