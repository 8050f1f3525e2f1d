"""Predicted peak memory and disk of a training run, from the model's configuration alone.

A sum of what must exist at the same time, in bytes; it is an estimate and says what it is made of. Knows no torch.
Alphabet: ``C`` model width, ``L`` layers, ``T`` tokens of one micro-batch, ``V`` vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swift.trainers.config import GaloreConfig
from swift.trainers.optimizers.table import OptimizerRow, find_optimizer

BYTES = {"bf16": 2, "fp16": 2, "fp32": 4}
IN_8_BITS = 1 + 8 / 256
"""Bytes of a value in 8 bits whose group of 256 has a least value and a step in fp32 (see ``trainers/optimizers/int8.py``)."""

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
    galore: GaloreConfig | None = None,
    lisa_layers: int = 0,
    num_added: int = 0,
    weight_bytes: int | None = None,
) -> MemoryEstimate:
    """What one optimiser step needs at its peak. ``weight_bytes`` are those of weights in few bits, None: all in one dtype.

    ``num_added`` parameters are the method's own, fp32, beside those of the model. ``optim``, ``galore`` and ``lisa_layers`` are the
    trainer's settings of those names.

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
    low = _low_rank(text, galore, num_trainable)
    at_once = num_trained_at_once(config, num_trainable, lisa_layers)
    if weight_bytes is None:
        packed = low.values if galore is not None and galore.weight_bits else 0
        plain = num_parameters - packed
        weight_bytes = plain * BYTES[weight_dtype] + (plain * 2 if compute_dtype != weight_dtype else 0)
        weight_bytes += math.ceil(packed * IN_8_BITS)
    row = find_optimizer(optim)
    in_backward = (isinstance(row, OptimizerRow) and row.at_once) or (galore is not None and galore.per_parameter)
    states = state_bytes(config, num_trainable=num_trainable, optim=optim, galore=galore, lisa_layers=lisa_layers)
    return MemoryEstimate(
        runtime=RUNTIME_BYTES,
        weights=weight_bytes + num_added * 4,
        gradients=min(at_once, max(vocabulary * width, inner * width)) * 4 if in_backward else at_once * 4,
        # a matrix at a time is decomposed, and its update is as large as itself
        optimizer=states + low.largest * 4 * 2,
        activations=activations,
        checkpointed_activations=min(activations, boundary),
        logits=chunk * vocabulary * 4 * 2,
    )


def state_bytes(
    config: Mapping[str, Any],
    *,
    num_trainable: int,
    optim: str,
    galore: GaloreConfig | None = None,
    lisa_layers: int = 0,
    with_codes: bool = False,
) -> int:
    """Bytes that an optimizer keeps from step to step: its states, and GaLore's stand-ins and projections.

    ``with_codes``: with those of the weights in 8 bits, which its file holds besides.
    """
    row = find_optimizer(optim)
    of_a_value = 8.0 if isinstance(row, str) else row.states * row.state_bytes
    low = _low_rank(config.get("text_config", config), galore, num_trainable)
    whole = num_trained_at_once(config, num_trainable, lisa_layers) - low.values
    kept = (whole + low.low) * of_a_value + low.low * 4
    if galore is not None:
        kept += low.sides * (4 if galore.bits is None else galore.bits / 8 + 8 / galore.group_size)
        kept += low.values * IN_8_BITS if with_codes and galore.weight_bits else 0
    return math.ceil(kept)


def num_trained_at_once(config: Mapping[str, Any], num_trainable: int, lisa_layers: int) -> int:
    """Parameters with a gradient in one step: all trained ones, or with LISA the tables and so many of the layers."""
    text = config.get("text_config", config)
    layers = int(text.get("num_hidden_layers") or text.get("n_layer") or 0)
    if not 0 < lisa_layers < layers:
        return num_trainable
    tables = min(_tables(text), num_trainable)
    return tables + (num_trainable - tables) * lisa_layers // layers


def checkpoint_bytes(*, num_saved: int, state_bytes: int, weight_dtype: str, only_model: bool) -> int:
    """Bytes of one checkpoint: the saved weights, and the optimizer's ``state_bytes`` unless only the model is kept."""
    return num_saved * BYTES[weight_dtype] + (0 if only_model else state_bytes) + 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class _LowRank:
    """Numbers of values: of the matrices that GaLore projects, of their low-rank gradients, of the projections, of the largest."""

    values: int = 0
    low: int = 0
    sides: int = 0
    largest: int = 0


def _low_rank(text: Mapping[str, Any], galore: GaloreConfig | None, num_trainable: int) -> _LowRank:
    """What GaLore projects, taken from the usual matrices of a decoder layer; others (experts) are thought to be alike."""
    if galore is None:
        return _LowRank()
    usual = _matrices(text)
    chosen = [
        shape
        for name, shape in usual.items()
        if galore.projects(shape)
        and (
            not galore.targets
            or any(one in ("ALL", "all-linear") or f".{one}." in f".{name}." for one in galore.targets)
        )
    ]
    tables = _tables(text)
    scale = max(num_trainable - tables, 0) / max(sum(math.prod(shape) for shape in usual.values()), 1)
    counts = [(scale, shape) for shape in chosen]
    embedding = (int(text.get("vocab_size") or 0), int(text.get("hidden_size") or 0))
    if galore.with_embedding and galore.projects(embedding) and num_trainable >= tables:
        counts.append((1.0, embedding))
    values = low = sides = 0.0
    for count, (rows, columns) in counts:
        left, right = galore.sides(rows, columns)
        values += count * rows * columns
        low += count * (galore.rank if left else rows) * (galore.rank if right else columns)
        sides += count * galore.rank * (rows * left + columns * right)
    largest = max((math.prod(shape) for _, shape in counts), default=0)
    return _LowRank(values=int(values), low=int(low), sides=int(sides), largest=largest)


def _matrices(text: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Names and shapes (out, in) of the matrices of one usual decoder layer."""
    width = int(text.get("hidden_size") or text.get("n_embd") or 0)
    inner = int(text.get("intermediate_size") or 4 * width)
    heads = int(text.get("num_attention_heads") or text.get("n_head") or 1)
    size = int(text.get("head_dim") or width // heads)
    queries, keys = heads * size, int(text.get("num_key_value_heads") or heads) * size
    return {
        "self_attn.q_proj": (queries, width), "self_attn.k_proj": (keys, width), "self_attn.v_proj": (keys, width),
        "self_attn.o_proj": (width, queries), "mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
    }  # fmt: skip


def _tables(text: Mapping[str, Any]) -> int:
    """Values of the embeddings, and of the head where it is a matrix of its own."""
    table = int(text.get("vocab_size") or 0) * int(text.get("hidden_size") or text.get("n_embd") or 0)
    return table * (1 if text.get("tie_word_embeddings", True) else 2)


def human(num_bytes: float) -> str:
    """``1.5 GiB`` for a number of bytes."""
    for unit in ("B", "KiB", "MiB"):
        if num_bytes < 1024:
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:.2f} GiB"
