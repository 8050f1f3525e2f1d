"""Methods whose result is a whole model: saved as transformers saves it, opened by its own path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swift.utils.bars import foreign_bars
from swift.utils.errors import CheckpointError

__all__ = ["WholeModelTuner"]


class WholeModelTuner:
    """All of a `Tuner` but how the model is prepared for training."""

    def save(self, model: Any, folder: Path) -> None:
        """Write config, generation config and safetensors shards: any program loads them as they are."""
        with foreign_bars(shown=False):  # the training loop has its own bar
            model.save_pretrained(str(folder))

    def load(self, model: Any, folder: Path, *, trainable: bool) -> Any:
        """The checkpoint is a whole model: it must be loaded instead of its base, not over it."""
        raise CheckpointError(f"{folder}: holds a whole model; load it by its own path, without a base.")

    def merge(self, model: Any) -> Any:
        """There is nothing to fold in."""
        return model

    def optimizer_groups(self, model: Any, learning_rate: float, weight_decay: float) -> None:
        """None: one rate for all."""

    def penalty(self, model: Any) -> None:
        """None: nothing is added to the loss."""

    def after_step(self, model: Any, step: int, num_steps: int) -> None:
        """Nothing."""
