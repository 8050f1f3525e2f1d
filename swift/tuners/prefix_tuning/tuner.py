"""Prefix tuning (Li and Liang, 2021) through peft."""

from __future__ import annotations

from typing import Any

from peft import PrefixTuningConfig

from swift.tuners.base import TunerSettings
from swift.tuners.prefix_tuning.config import PrefixSettings
from swift.tuners.prompt_method import PromptMethod
from swift.utils.errors import PlanError

__all__ = ["PrefixTuner"]

_KNOWN_LAYERS = {"full_attention", "sliding_attention"}


class PrefixTuner(PromptMethod):
    """In each layer ``softmax(q [K_P; K]ᵀ / √D) [V_P; V]``: keys and values of the virtual tokens are learned."""

    peft_type = "PREFIX_TUNING"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = PrefixSettings.read(settings.options)

    def settled(self, model: Any) -> PrefixTuningConfig:
        """peft finds heads and their width itself. Raises PlanError for attention that does not keep plain keys and values."""
        text = model.config.get_text_config()
        strange = set(getattr(text, "layer_types", None) or ()) - _KNOWN_LAYERS
        if strange or getattr(text, "kv_lora_rank", None):
            kept = f"layers of kind {', '.join(sorted(strange))}" if strange else "compressed keys and values"
            raise PlanError(
                [
                    f"--sft_type prefix_tuning: {type(model).__name__} has {kept}, before which no prefix can stand. Use prompt_tuning."
                ]
            )
        return PrefixTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=self._own.tokens,
            prefix_projection=self._own.projection,
            encoder_hidden_size=self._own.hidden or text.hidden_size,
        )
