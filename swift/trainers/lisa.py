# ruff: noqa: D102 - the events are those of transformers, and documented there
"""LISA: a few layers train at a time, others after a while (Pan et al. 2024, arXiv:2403.17919, algorithm 1).

Embeddings, head and what lies outside the layers always train. Which layers do is a function of the seed and of the number
of the interval alone, so a resumed run has the same ones. The optimizer forgets its state of the layers that rest: that is
the memory that LISA saves, and what it knew of them would be old when they come back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from swift.trainers.layers import decoder_layers
from swift.utils.errors import PlanError

__all__ = ["Lisa", "active_layers"]


def active_layers(num_layers: int, num_active: int, seed: int, interval: int) -> tuple[int, ...]:
    """Numbers of the layers that train in the interval of that number, in order."""
    # RandomState, not default_rng: numpy promises that its streams never change between versions
    random = np.random.RandomState([seed % 2**32, interval])
    return tuple(sorted(int(one) for one in random.choice(num_layers, num_active, replace=False)))


class Lisa(TrainerCallback):
    """Lets ``num_active`` layers of ``model`` train, and others after every ``interval`` steps."""

    def __init__(self, model: Any, num_active: int, interval: int, seed: int) -> None:
        self.layers: list[nn.Module] = decoder_layers(model)
        if num_active > len(self.layers):
            raise PlanError(
                [
                    f"--lisa_activated_layers {num_active}: this model has {len(self.layers)} layers. Give a smaller number."
                ]
            )
        self.trained = [[one for one in layer.parameters() if one.requires_grad] for layer in self.layers]
        self.num_active, self.interval, self.seed = num_active, interval, seed
        self.active: tuple[int, ...] | None = None

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        active = active_layers(len(self.layers), self.num_active, self.seed, state.global_step // self.interval)
        if active != self.active:
            self.activate(active, kwargs["optimizer"])

    def activate(self, active: tuple[int, ...], optimizer: Any) -> None:
        """Let exactly these layers train."""
        self.active = active
        inner = getattr(optimizer, "optimizer", optimizer)  # accelerate wraps it
        for number, parameters in enumerate(self.trained):
            for one in parameters:
                one.requires_grad_(number in active)
                if number not in active:
                    one.grad = None
                    inner.state.pop(one, None)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let all layers train, as before the first step."""
        self.active = None
        for parameters in self.trained:
            for one in parameters:
                one.requires_grad_(True)
