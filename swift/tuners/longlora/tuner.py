"""LongLoRA: LoRA on the linear layers, embeddings and norms trained in full, and attention in shifted groups while training.

What it leaves is a LoRA checkpoint: it is saved, merged and answered with as one, in full attention.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from swift.kernels import shifted
from swift.tuners.base import TunerSettings
from swift.tuners.layers import ATTENTION, find_layers, find_part
from swift.tuners.longlora.config import TRAINED, LongLoraSettings
from swift.tuners.lora.tuner import LoraTuner

__all__ = ["LongLoraTuner"]


class LongLoraTuner(LoraTuner):
    """`LoraTuner` with `TRAINED` beside the factors, and the attention of `swift.kernels.shifted`."""

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(cast(TunerSettings, _WithTrained(settings)))
        self._group = LongLoraSettings.read(settings.options).group

    def attach(self, model: Any) -> Any:
        """As LoRA does; then training attends in groups."""
        peft_model = super().attach(model)
        self._shift(peft_model)
        return peft_model

    def load(self, model: Any, folder: Path, *, trainable: bool) -> Any:
        """As LoRA does; attention changes only to go on training."""
        peft_model = super().load(model, folder, trainable=trainable)
        if trainable:
            self._shift(peft_model)
        return peft_model

    def _shift(self, peft_model: Any) -> None:
        causal = peft_model.get_base_model()
        _, layers = find_layers(causal)
        for layer in layers:
            _, part = find_part(layer, ATTENTION, "attention")
            part.group_size = self._group  # type: ignore[assignment]  # read by the attention function
        causal.set_attn_implementation(shifted.register())


class _WithTrained:
    """The same settings with more modules to save."""

    def __init__(self, settings: TunerSettings) -> None:
        self._settings = settings
        self.modules_to_save = tuple(dict.fromkeys((*TRAINED, *settings.modules_to_save)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._settings, name)
