"""Prompt tuning (Lester et al., 2021) through peft."""

from __future__ import annotations

from typing import Any

from peft import PromptTuningConfig

from swift.tuners.base import TunerSettings
from swift.tuners.prompt_method import PromptMethod
from swift.tuners.prompt_tuning.config import PromptSettings

__all__ = ["PromptTuner"]

_INITS = {"vocab": "SAMPLE_VOCAB", "random": "RANDOM"}


class PromptTuner(PromptMethod):
    """``[P; E(x)]``: rows ``P`` (virtual tokens, C) are learned and stand before the embedded sample."""

    peft_type = "PROMPT_TUNING"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = PromptSettings.read(settings.options)

    def settled(self, model: Any) -> PromptTuningConfig:
        """The text is read with the tokenizer in the model's own folder."""
        own = self._own
        if own.text is None:
            return PromptTuningConfig(
                task_type="CAUSAL_LM", num_virtual_tokens=own.tokens, prompt_tuning_init=_INITS[own.init]
            )
        return PromptTuningConfig(
            task_type="CAUSAL_LM", num_virtual_tokens=own.tokens, prompt_tuning_init="TEXT",
            prompt_tuning_init_text=own.text, tokenizer_name_or_path=model.name_or_path,
        )  # fmt: skip
