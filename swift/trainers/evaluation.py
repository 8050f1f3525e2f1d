"""The loss and the accuracy over a validation set. Knows no metric of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from swift.trainers.metrics import count_correct
from swift.trainers.sampler import BatchLoader

if TYPE_CHECKING:
    from swift.trainers.base import SwiftTrainer

__all__ = ["loss_and_accuracy"]


@torch.no_grad()
def loss_and_accuracy(trainer: SwiftTrainer, model: Any, loader: BatchLoader) -> tuple[float, float]:
    """Mean loss over all trained tokens of all ranks, and the share that is predicted right."""
    parts: list[list[Any]] = []
    for batch in loader:
        inputs = trainer._prepare_inputs(batch)
        with trainer.compute_loss_context_manager():
            losses = trainer.token_losses(model, inputs)
        correct, counted = count_correct(losses.correct, losses.positions, inputs, trainer.config.acc_strategy)
        parts.append([losses.nll.sum(dtype=torch.float32), correct, torch.as_tensor(counted), losses.positions.numel()])
        trainer.control = trainer.callback_handler.on_prediction_step(trainer.args, trainer.state, trainer.control)
    sums = torch.tensor([[float(value) for value in part] for part in parts], dtype=torch.float64).sum(0)
    if trainer.args.world_size > 1:
        sums = trainer.accelerator.reduce(sums.to(trainer.args.device), "sum").cpu()
    loss, right, counted_all, tokens = sums.tolist()
    return loss / max(tokens, 1), right / max(counted_all, 1)
