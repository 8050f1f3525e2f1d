"""Tells a tuning method how long the run is and when a step is done. Knows no method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

__all__ = ["StepsOfMethod"]


class StepsOfMethod(TrainerCallback):
    """Calls ``begin(num_steps)`` before the first step of a run, also of one that goes on, and ``after_step(step, num_steps)``
    after each optimiser step, while gradients still exist; ``step`` counts from 1 over the whole run. Then
    ``restart(optimizer, step, num_steps)``, before anything is saved.
    """

    def __init__(
        self,
        after_step: Callable[[int, int], None],
        begin: Callable[[int], None] | None = None,
        restart: Callable[[Any, int, int], None] | None = None,
    ) -> None:
        self._begin, self._after_step, self._restart = begin, after_step, restart

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The number of steps is known now."""
        if self._begin is not None:
            self._begin(state.max_steps)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The weights have moved; the Trainer counts the step a little later."""
        self._after_step(state.global_step + 1, state.max_steps)
        if self._restart is not None:
            self._restart(kwargs["optimizer"], state.global_step + 1, state.max_steps)
