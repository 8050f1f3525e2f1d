"""LLaMA Pro: copies of layers between the old ones, which alone are trained. What is saved is a plain, larger model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from swift.tuners.base import TunerSettings
from swift.tuners.layers import find_layers
from swift.tuners.llamapro.config import LlamaProSettings
from swift.tuners.llamapro.expand import expand
from swift.utils.bars import foreign_bars
from swift.utils.errors import CheckpointError, PlanError

__all__ = ["LlamaProTuner"]


class LlamaProTuner:
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

    def save(self, model: Any, folder: Path) -> None:
        """Write config, generation config and safetensors shards of the larger model: any program loads it as it is."""
        with foreign_bars(shown=False):  # the training loop has its own bar
            model.save_pretrained(str(folder))

    def load(self, model: Any, folder: Path, *, trainable: bool) -> Any:
        """The checkpoint is a whole model: it must be loaded instead of its base, not over it."""
        raise CheckpointError(f"{folder}: holds a whole model; load it by its own path, without a base.")

    def merge(self, model: Any) -> Any:
        """There is nothing to fold in: the larger model is plain already."""
        return model

    def optimizer_groups(self, model: Any, learning_rate: float, weight_decay: float) -> None:
        """None: one rate for all."""

    def penalty(self, model: Any) -> None:
        """None: nothing is added to the loss."""

    def after_step(self, model: Any, step: int, num_steps: int) -> None:
        """Nothing."""


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
