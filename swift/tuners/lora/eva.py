"""EVA (Paischer et al., 2024) through peft: factors that start from the main directions of what goes into a layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from peft import PeftModel, initialize_lora_eva_weights

from swift.utils.errors import DataError

__all__ = ["start_from_activations"]

NUM_BATCHES = 64
"""As many are looked at, over and over, until the directions stay as they are."""


def start_from_activations(model: PeftModel, batches: Iterable[Mapping[str, Any]], rank: int) -> None:
    """Set every ``A`` (R, in) and each layer's rank. Only trained positions count.

    Raises DataError where a batch cannot be filled: the directions of 2R need as many positions at once.
    """
    needed = 2 * rank
    found: list[dict[str, Any]] = []
    most = 0
    for batch in batches:
        num_trained = int((batch["labels"] != -100).sum())
        most = max(most, num_trained)
        if num_trained >= needed:
            found.append({name: torch.as_tensor(value) for name, value in batch.items()})  # peft moves tensors only
        if len(found) == NUM_BATCHES:
            break
    if not found:
        raise DataError(
            f"--init_lora_weights eva: a batch must train on at least {needed} tokens (twice --lora_rank), and the largest"
            f" has {most}. Raise --batch_size, lower --lora_rank, or use --init_lora_weights true."
        )
    was_training = model.training
    with torch.random.fork_rng():
        initialize_lora_eva_weights(
            model,
            found,
            forward_fn=_forward,
            prepare_model_inputs_fn=_trained_positions,
            show_progress_bar=False,
        )
    model.train(was_training)


def _forward(model: Any, batch: dict[str, Any]) -> Any:
    inputs = {
        name: value if value.ndim else value.item()
        for name, value in batch.items()
        if name not in ("labels", "loss_scale")
    }
    return model(**inputs, use_cache=False)


def _trained_positions(batch: dict[str, Any], config: Any) -> torch.Tensor:
    positions: torch.Tensor = (batch["labels"] != -100).nonzero()
    return positions
