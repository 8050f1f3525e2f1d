"""Predicted peak memory and disk of a training run, from the model's configuration alone.

A sum of what must exist at the same time, in bytes; it is an estimate and says what it is made of. Knows no torch.
Alphabet: ``C`` model width, ``L`` layers, ``T`` tokens of one micro-batch, ``V`` vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swift.trainers.optimizers.table import find_optimizer

BYTES = {"bf16": 2, "fp16": 2, "fp32": 4}
RUNTIME_BYTES = 600 * 2**20
"""The interpreter with torch, transformers and peft imported, on this side of any weight (measured on a CPU build)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Predicted bytes by cause. ``checkpointed_activations`` is what activations shrink to with recomputation."""

    runtime: int
    weights: int
    gradients: int
    optimizer: int
    activations: int
    checkpointed_activations: int
    logits: int

    def total(self, *, checkpointing: bool) -> int:
        """Bytes at the peak."""
        activations = self.checkpointed_activations if checkpointing else self.activations
        return self.runtime + self.weights + self.gradients + self.optimizer + activations + self.logits


def estimate(
    config: Mapping[str, Any],
    *,
    num_parameters: int,
    num_trainable: int,
    weight_dtype: str,
    compute_dtype: str,
    tokens: int,
    trained_tokens: int,
    tokens_per_chunk: int,
    optim: str,
    weight_bytes: int | None = None,
) -> MemoryEstimate:
    """What one optimiser step needs at its peak. ``weight_bytes`` are those of weights in few bits, None: all in one dtype.

    Activations per token and layer, in compute dtype: two norms' inputs and outputs, q, k, v, the attention's output and
    projection, two residuals (``10 C`` with the key and value widths counted as C), and gate, up, activation and product
    of the MLP (``4 I``); normalisation keeps its input in fp32 (``2 C``). Attention is computed without keeping T x T scores.
    """
    text = config.get("text_config", config)
    width = int(text.get("hidden_size") or text.get("n_embd") or 0)
    layers = int(text.get("num_hidden_layers") or text.get("n_layer") or 0)
    inner = int(text.get("intermediate_size") or 4 * width)
    vocabulary = int(text.get("vocab_size") or 0)
    item = BYTES[compute_dtype]
    per_layer = (10 * width + 4 * inner) * item + 2 * width * 4
    activations = layers * per_layer * tokens
    boundary = layers * width * item * tokens + per_layer * tokens
    chunk = min(trained_tokens, tokens_per_chunk)
    row = find_optimizer(optim)
    state_bytes = 8.0 if isinstance(row, str) else row.states * row.state_bytes
    return MemoryEstimate(
        runtime=RUNTIME_BYTES,
        weights=num_parameters * BYTES[weight_dtype] + (num_parameters * 2 if compute_dtype != weight_dtype else 0)
        if weight_bytes is None
        else weight_bytes,
        gradients=num_trainable * 4,
        optimizer=math.ceil(num_trainable * state_bytes),
        activations=activations,
        checkpointed_activations=min(activations, boundary),
        logits=chunk * vocabulary * 4 * 2,
    )


def checkpoint_bytes(*, num_saved: int, num_trainable: int, weight_dtype: str, only_model: bool) -> int:
    """Bytes of one checkpoint: the saved weights, and the optimiser's two states unless only the model is kept."""
    return num_saved * BYTES[weight_dtype] + (0 if only_model else num_trainable * 8) + 2**20


def human(num_bytes: float) -> str:
    """``1.5 GiB`` for a number of bytes."""
    for unit in ("B", "KiB", "MiB"):
        if num_bytes < 1024:
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:.2f} GiB"
