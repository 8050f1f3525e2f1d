"""What goes into the trainer beside settings and data, and what comes out. Knows no loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What a run came to. ``metrics`` are the last evaluation's and the run's totals; ``history`` is ``logging.jsonl``.

    ``best_checkpoint`` is None where nothing was evaluated when something was saved.
    """

    global_step: int
    train_loss: float
    metrics: Mapping[str, float]
    best_checkpoint: Path | None
    last_checkpoint: Path | None
    history: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the caller lends to the trainer, since it knows no model catalog, tokenizer or template.

    ``begin`` is called once, when the run is accepted and before its first step.
    ``save_model(folder)`` and ``load_model(folder)`` write and read the weights of a checkpoint in the tuner's format.
    ``penalty()`` is added to the loss of each optimiser step, None: nothing.
    ``predict(model)`` generates answers during evaluation and returns metrics by name (higher is better).
    ``parameter_groups`` replace the trainer's own where a method has learning rates of its own.
    ``tokenizer_files`` and ``extra_files`` (name to content) go into every checkpoint.
    """

    begin: Callable[[], None] | None = None
    save_model: Callable[[Path], None] | None = None
    load_model: Callable[[Path], None] | None = None
    penalty: Callable[[], torch.Tensor | None] | None = None
    predict: Callable[[torch.nn.Module], Mapping[str, float]] | None = None
    parameter_groups: Sequence[dict[str, Any]] | None = None
    tokenizer_files: Sequence[Path] = ()
    extra_files: Mapping[str, bytes | str] | None = None
