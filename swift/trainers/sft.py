"""Supervised fine-tuning and pre-training: the trainer as it is, with what the caller lends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from swift.trainers.base import SwiftTrainer
from swift.trainers.config import TrainerConfig
from swift.trainers.result import Hooks
from swift.trainers.sampler import Rows, Stream
from swift.utils.errors import ArgumentError, DataError


def build_trainer(
    config: TrainerConfig,
    model: Any,
    train: Rows | Stream,
    val: Rows | None,
    collate: Callable[[list[Any]], dict[str, Any]],
    *,
    callbacks: Sequence[TrainerCallback] = (),
    tokenizer_files: Sequence[Path] = (),
    extra_files: Mapping[str, bytes | str] | None = None,
    begin: Callable[[], None] | None = None,
    save_model: Callable[[Path], None] | None = None,
    load_model: Callable[[Path], None] | None = None,
    penalty: Callable[[], torch.Tensor | None] | None = None,
    predict: Callable[[torch.nn.Module], Mapping[str, float]] | None = None,
    parameter_groups: Sequence[dict[str, Any]] | None = None,
) -> SwiftTrainer:
    """Return the trainer of one run; `train()` starts it. `collate` makes a batch (see ``batch.py``) of a list of rows.

    `train` may be a stream; then ``config.max_steps`` ends the run. Without rows in `val` nothing is evaluated. `parameter_groups`, where a method has learning rates of its own, replace the
    Trainer's. Raises DataError where there is nothing to train on, ArgumentError for
    settings that transformers refuses or that need a validation set.
    """
    if not isinstance(train, Stream) and not len(train):
        raise DataError("the training set is empty: no row is left to train on")
    if val is None or not len(val):
        if config.early_stopping_patience:
            raise ArgumentError(
                f"--early_stopping_patience {config.early_stopping_patience} needs a validation set: "
                "give --val_dataset, or --dataset_test_ratio above 0"
            )
        val, config = None, replace(config, evaluation_strategy="no")
    if config.predict_with_generate and predict is None:
        raise ValueError("predict_with_generate needs the callable `predict`")
    if config.galore is not None and config.galore.weight_bits is not None:
        from swift.trainers.optimizers.galore import hold_weights

        hold_weights(model, config.galore)
    hooks = Hooks(
        begin=begin,
        save_model=save_model,
        load_model=load_model,
        penalty=penalty,
        predict=predict,
        parameter_groups=parameter_groups,
        tokenizer_files=tuple(tokenizer_files),
        extra_files=dict(extra_files or {}),
    )
    return SwiftTrainer(config, model, train, val, collate, callbacks=callbacks, hooks=hooks)
