# ruff: noqa: D102 - the events are those of transformers, and documented there
"""Stop a run whose loss has left for good. Knows no model."""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from swift.utils.errors import TrainingError

__all__ = ["Watchdog"]


class Watchdog(TrainerCallback):
    """Counts steps in a row whose loss is above ``threshold``; ``patience`` of them are too many.

    ``count`` is kept over a resume. Looking at the loss of each step makes a GPU wait once a step.
    """

    def __init__(self, threshold: float, patience: int) -> None:
        self.threshold = threshold
        self.patience = patience
        self.count = 0
        self._loss: torch.Tensor | float = 0.0

    def add(self, share: torch.Tensor) -> None:
        """One batch's share of the loss of the step that is under way."""
        self._loss = self._loss + share.detach()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        loss, self._loss = float(self._loss), 0.0
        self.count = self.count + 1 if loss > self.threshold else 0
        if self.count >= self.patience:
            raise TrainingError(
                f"the loss was above --loss_watchdog_threshold {self.threshold:g} for {self.count} steps in a row; it is {loss:.4g} at"
                f" step {state.global_step}. Nothing was saved after that. Try a lower --learning_rate or a longer warm-up, look at"
                " the rows, or raise the threshold."
            )
