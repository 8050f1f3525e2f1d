"""VB-LoRA (Li et al., 2024) through peft."""

from __future__ import annotations

from typing import Any

from peft import VBLoRAConfig

from swift.tuners.base import TunerSettings
from swift.tuners.peft_method import PeftMethod
from swift.tuners.vblora.config import VbloraSettings

__all__ = ["VbloraTuner"]


class VbloraTuner(PeftMethod):
    """LoRA whose factors are put together from a bank of vectors that all layers share: each piece is a mix of its best ``top_k``."""

    peft_type = "VBLORA"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = VbloraSettings.read(settings.options)

    def config(self, model: Any, goes: dict[str, Any]) -> VBLoRAConfig:
        """All logits are saved, so that training can go on."""
        own = self._own
        return VBLoRAConfig(
            r=own.rank, num_vectors=own.num_vectors, vector_length=own.vector_length, topk=own.top_k,
            vblora_dropout=own.dropout, save_only_topk_weights=False, **goes,
        )  # fmt: skip
