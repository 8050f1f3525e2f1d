"""The training loop's settings: frozen, plain values, no torch.

``hf_args.py`` turns them into transformers' TrainingArguments, and nowhere else does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PROJECTIONS = ("std", "reverse_std", "right", "left", "full")
"""Kinds of GaLore's projection: ``std`` projects the shorter side of a matrix, ``reverse_std`` the longer one, ``left`` and
``right`` say which, ``full`` both.
"""

TOKENS_PER_CHUNK = 4096
"""Rows of logits that exist at once, if not told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GaloreConfig:
    """GaLore over the run's optimizer. ``targets`` are names of modules, or their last parts; empty: attention and MLP.

    ``gap`` counts optimiser steps between two projections; ``bits`` (4 or 8) quantises them in groups of ``group_size``
    values, None keeps them in fp32. ``cos_threshold`` not None lets the gap of a parameter grow by ``gamma`` where its last
    ``queue_size`` projections were that similar (Q-GaLore). ``weight_bits`` (8) holds the projected weights in so many bits,
    None as they are.
    """

    rank: int = 128
    gap: int = 50
    scale: float = 1.0
    proj_type: str = "std"
    targets: tuple[str, ...] = ()
    with_embedding: bool = False
    per_parameter: bool = False
    bits: int | None = None
    group_size: int = 256
    cos_threshold: float | None = None
    gamma: int = 2
    queue_size: int = 5
    weight_bits: int | None = None

    def sides(self, rows: int, columns: int) -> tuple[bool, bool]:
        """Whether a matrix of that shape is projected from the left (its rows become ``rank``) and from the right (its columns)."""
        kind, shorter_is_rows = self.proj_type, rows < columns
        left = kind in ("left", "full") or kind == ("std" if shorter_is_rows else "reverse_std")
        return left, not left or kind == "full"

    def projects(self, shape: Sequence[int]) -> bool:
        """Whether a parameter of that shape is a matrix large enough for a projection to save anything."""
        return len(shape) == 2 and min(shape) > self.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerConfig:
    """One run of the loop. Batch sizes count samples (packs when packing) per device; step counts are optimiser steps.

    ``autocast`` is the dtype of mixed precision (``bf16``, ``fp16`` or None); ``warmup_ratio`` a share of all steps.
    ``embedding_learning_rate`` and ``head_learning_rate`` None follow ``learning_rate``. ``lisa_layers`` layers train at a time (0:
    all), others after every ``lisa_interval`` steps. ``loss_watchdog_threshold`` stops a run whose loss is above it for
    ``loss_watchdog_patience`` steps in a row. ``torch_compile`` names the backend that decoder layers are compiled with.
    ``restart_steps``: the rate rises again after every so many steps (None: never), over ``restart_warmup`` of them, and falls over
    the ``restart_anneal`` before.
    ``auto_find_batch_size`` and ``try_largest_batch`` take their trial before the first step (see ``fit.py``).
    ``save_steps``, ``eval_steps`` None follow their strategy alone. ``tokens_per_chunk`` bounds how many rows of logits exist at once.
    """

    output_dir: str
    learning_rate: float
    batch_size: int = 1
    eval_batch_size: int = 1
    gradient_accumulation_steps: int = 1
    num_train_epochs: float = 1.0
    max_steps: int = -1
    optim: str = "adamw_torch"
    optim_args: Mapping[str, Any] = field(default_factory=dict)
    galore: GaloreConfig | None = None
    lisa_layers: int = 0
    lisa_interval: int = 20
    embedding_learning_rate: float | None = None
    head_learning_rate: float | None = None
    adam_beta1: float = 0.9
    adam_beta2: float = 0.95
    adam_epsilon: float = 1e-8
    weight_decay: float = 0.1
    max_grad_norm: float = 1.0
    lr_scheduler_type: str = "cosine"
    lr_scheduler_kwargs: Mapping[str, Any] = field(default_factory=dict)
    warmup_ratio: float = 0.05
    warmup_steps: int = 0
    lr_quadratic_warmup: bool = False
    cosine_constant_lr_ratio: float | None = None
    restart_steps: int | None = None
    restart_warmup: int = 0
    restart_anneal: int = 0
    loss_watchdog_threshold: float | None = None
    loss_watchdog_patience: int = 3
    auto_find_batch_size: bool = False
    try_largest_batch: bool = False
    torch_compile: str | None = None
    use_liger: bool = False
    neftune_noise_alpha: float | None = None
    autocast: str | None = None
    gradient_checkpointing: bool = False
    full_determinism: bool = False
    seed: int = 42
    data_seed: int = 42
    shuffle: bool = True
    group_by_length: bool = False
    ignore_data_skip: bool = False
    dataloader_num_workers: int = 0
    dataloader_pin_memory: bool = False
    dataloader_drop_last: bool = False
    evaluation_strategy: str = "steps"
    eval_steps: int | None = 50
    save_strategy: str = "steps"
    save_steps: int | None = 50
    save_total_limit: int | None = 2
    save_only_model: bool = False
    save_safetensors: bool = True
    save_on_each_node: bool = False
    logging_steps: int = 5
    logging_dir: str | None = None
    report_to: tuple[str, ...] = ("tensorboard",)
    disable_tqdm: bool = False
    acc_strategy: str = "token"
    acc_steps: int = 1
    include_num_input_tokens_seen: bool = False
    predict_with_generate: bool = False
    early_stopping_patience: int | None = None
    metric_for_best_model: str = "loss"
    use_cpu: bool = False
    ddp_backend: str | None = None
    ddp_timeout: int = 1800
    ddp_find_unused_parameters: bool | None = None
    ddp_broadcast_buffers: bool | None = None
    tokens_per_chunk: int = TOKENS_PER_CHUNK
    hf_args: Mapping[str, Any] = field(default_factory=dict)

    @property
    def optimizer_told(self) -> str:
        """What an optimizer's saved state belongs to, as one line."""
        galore = self.galore
        if galore is None:
            return self.optim
        return f"{self.optim} under GaLore of rank {galore.rank}" + (
            (", one for each parameter" if galore.per_parameter else "")
            + (", weights in 8 bits" if galore.weight_bits else "")
        )
