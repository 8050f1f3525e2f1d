"""The loaders of a run: which batches of which rows this rank takes. Knows no model.

Rows are those of a data set or of a stream (see ``sampler.py``); the arguments are transformers'.
"""

from __future__ import annotations

import math
from typing import Any

from transformers import TrainingArguments

from swift.trainers.sampler import BatchLoader, EpochBatches, Order, Rows, Stream, StreamBatches
from swift.utils.errors import ArgumentError

__all__ = ["eval_loader", "steps_per_epoch", "train_loader"]


def steps_per_epoch(rows: Rows | Stream, order: Order, args: TrainingArguments) -> int:
    """Optimiser steps of one pass over the rows; a stream's only pass is the run."""
    if isinstance(rows, Stream):
        return args.max_steps
    return max(math.ceil(len(_batches(rows, order, args)) / args.gradient_accumulation_steps), 1)


def train_loader(rows: Rows | Stream, order: Order, args: TrainingArguments, collate: Any) -> BatchLoader:
    """The training batches of this rank; skipping to batch k reads no earlier row."""
    if isinstance(rows, Stream):
        return _loader(rows, StreamBatches(args.max_steps * args.gradient_accumulation_steps), order, args, collate)
    return _loader(rows, _batches(rows, order, args), order, args, collate)


def eval_loader(rows: Rows | None, order: Order, args: TrainingArguments, collate: Any) -> BatchLoader:
    """All rows once, those of like length together. Raises ArgumentError where there are none."""
    if rows is None:
        raise ArgumentError("evaluation needs a validation set: give --val_dataset or --dataset_test_ratio")
    by_length = Order(seed=0, shuffle=False, group_by_length=True, step_size=args.eval_batch_size * args.world_size)
    batches = EpochBatches(
        rows.lengths, by_length, batch_size=args.eval_batch_size, rank=args.process_index, world_size=args.world_size
    )
    return _loader(rows, batches, order, args, collate)


def _batches(rows: Rows, order: Order, args: TrainingArguments) -> EpochBatches:
    return EpochBatches(
        rows.lengths,
        order,
        batch_size=args.train_batch_size,
        rank=args.process_index,
        world_size=args.world_size,
        drop_last=args.dataloader_drop_last,
    )


def _loader(
    rows: Rows | Stream, batches: EpochBatches | StreamBatches, order: Order, args: TrainingArguments, collate: Any
) -> BatchLoader:
    return BatchLoader(
        rows,
        batches,
        collate,
        seed=order.seed,
        workers=args.dataloader_num_workers,
        pin_memory=args.dataloader_pin_memory,
    )
