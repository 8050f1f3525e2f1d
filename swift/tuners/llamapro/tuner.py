"""LLaMA Pro: copies of layers between the old ones, which alone are trained. What is saved is a plain, larger model."""

from __future__ import annotations

from typing import Any

import torch

from swift.tuners.base import TunerSettings
from swift.tuners.layers import find_layers
from swift.tuners.llamapro.config import LlamaProSettings
from swift.tuners.llamapro.expand import expand
from swift.tuners.whole import WholeModelTuner
from swift.utils.errors import PlanError

__all__ = ["LlamaProTuner"]


class LlamaProTuner(WholeModelTuner):
    """New blocks that start as the identity; everything else is frozen."""

    def __init__(self, settings: TunerSettings) -> None:
        self._pro = LlamaProSettings.read(settings.options)

    def attach(self, model: Any) -> Any:
        """Grow the model, and train the new layers only."""
        model.requires_grad_(False)
        before = _answer(model)
        _, layers = find_layers(model)
        for layer in expand(model, self._pro.order(len(layers))):
            layer.requires_grad_(True)
        after = _answer(model)
        if before is not None and after is not None and not torch.equal(before, after):
            raise PlanError(
                [f"--sft_type llamapro: {type(model).__name__} answers otherwise with new layers, which should change nothing at"
                 " first: its layers do more than add to what they are given. Use lora or full."]
            )  # fmt: skip
        return model


@torch.no_grad()
def _answer(model: Any) -> torch.Tensor | None:
    """Logits (T, V) for three tokens; None for a model without memory."""
    weight = model.get_input_embeddings().weight
    if weight.is_meta:
        return None
    was_training = model.training
    model.eval()
    ids = torch.arange(1, 4, device=weight.device)[None] % len(weight)  # (1, T)
    logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits[0]
    model.train(was_training)
    return logits
