"""Whether the largest batch of a run fits the memory, tried before the first step; and the size of batch that does.

The trial is what a step is: forward and backward of the longest rows, the optimizer's states made, then forward and backward
again beside them. It leaves no trace: weights, random numbers and the optimizer are as before.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from swift.trainers.bounded import bounded_memory
from swift.trainers.lisa import Lisa, active_layers
from swift.trainers.loading import steps_per_epoch
from swift.trainers.optimizers.layerwise import Layerwise
from swift.trainers.sampler import Rows
from swift.utils.errors import TrainingError
from swift.utils.log import logger

if TYPE_CHECKING:
    from swift.trainers.base import SwiftTrainer

__all__ = [
    "explained_memory_errors",
    "find_batch_size",
    "is_out_of_memory",
    "largest_batches",
    "next_batch_size",
    "try_largest_batch",
]


def try_largest_batch(trainer: SwiftTrainer, rows: Rows) -> None:
    """Try the largest batch that the run will meet. Raises TrainingError, with what to change, where it does not fit."""
    for batch in largest_batches(trainer, rows):
        told = f"the largest batch of the run ({len(batch)} rows, {int(rows.lengths[list(batch)].sum()):,} tokens)"
        if not _fits(trainer, rows, batch):
            raise TrainingError(_advice(f"{told} does not fit the memory"))
        logger.info("%s fits the memory: it was tried", told)


def largest_batches(trainer: SwiftTrainer, rows: Rows) -> list[list[int]]:
    """Row numbers of the run's batch of most tokens; and of the one that padding makes larger still, where that is another."""
    args, size = trainer.args, trainer.args.per_device_train_batch_size
    an_epoch = steps_per_epoch(rows, trainer.order, args)
    steps = args.max_steps if args.max_steps > 0 else math.ceil(args.num_train_epochs * an_epoch)
    found: dict[str, tuple[int, list[int]]] = {"flat": (0, []), "padded": (0, [])}
    for epoch in range(math.ceil(steps / an_epoch)):
        order = trainer.order.epoch(rows.lengths, epoch)
        if args.dataloader_drop_last:
            order = order[: len(order) // size * size]
        order = order[: (steps - epoch * an_epoch) * args.gradient_accumulation_steps * size]
        starts = np.arange(0, len(order), size)
        if not len(starts):
            break  # fewer rows than a batch, and such are left out
        lengths = rows.lengths[order].astype(np.int64)
        counts = np.minimum(size, len(order) - starts)
        tokens = {"flat": np.add.reduceat(lengths, starts), "padded": np.maximum.reduceat(lengths, starts) * counts}
        for kind, of in tokens.items():
            number = int(of.argmax())
            if of[number] > found[kind][0]:
                found[kind] = int(of[number]), order[starts[number] : starts[number] + size].tolist()
    flat, padded = found["flat"][1], found["padded"][1]
    return [flat, padded][: 1 if sorted(flat) == sorted(padded) else 2] if flat else []


def find_batch_size(trainer: SwiftTrainer, rows: Rows) -> None:
    """Set the batch size of ``trainer`` to the largest one that fits, from what was asked for downwards.

    Accumulation grows as the batch shrinks, so an update has as many samples as before, in the same order. Raises
    TrainingError where not even one row fits.
    """
    args = trainer.args
    samples = args.per_device_train_batch_size * args.gradient_accumulation_steps
    while not _fits(trainer, rows, _longest(rows, args.per_device_train_batch_size)):
        size = next_batch_size(args.per_device_train_batch_size, samples)
        if size is None:
            raise TrainingError(_advice(f"not even a batch of {args.per_device_train_batch_size} fits the memory"))
        logger.warning(
            "a batch of %d does not fit the memory; trying %d, accumulated %d times: still %d samples an update",
            args.per_device_train_batch_size, size, samples // size, samples,
        )  # fmt: skip
        args.per_device_train_batch_size, args.gradient_accumulation_steps = size, samples // size
    trainer._train_batch_size = args.train_batch_size
    logger.info("batch size %d fits: its longest rows were tried", args.per_device_train_batch_size)


def next_batch_size(size: int, samples: int) -> int | None:
    """The largest size of at most half of ``size`` that divides the ``samples`` of an update; None below 1."""
    return next((smaller for smaller in range(size // 2, 0, -1) if samples % smaller == 0), None)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is short, on a GPU or a CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError)
        and any(words in str(error) for words in ("can't allocate memory", "std::bad_alloc"))
    )


@contextmanager
def explained_memory_errors(trainer: SwiftTrainer) -> Iterator[None]:
    """Turn a lack of memory inside into a TrainingError that says what to change."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TrainingError(_advice(f"the memory is full at step {trainer.state.global_step + 1} ({first})")) from error


def _advice(what: str) -> str:
    return (
        f"{what}. Use a smaller --batch_size with more --gradient_accumulation_steps (--auto_find_batch_size true does that),"
        " --gradient_checkpointing true, a shorter --max_length, or an adapter in place of --sft_type full."
    )


def _longest(rows: Rows, size: int) -> list[int]:
    longest: list[int] = np.argsort(-rows.lengths, kind="stable")[:size].tolist()
    return longest


def _fits(trainer: SwiftTrainer, rows: Rows, batch: Sequence[int]) -> bool:
    on_cpu = trainer.args.device.type == "cpu"
    devices = [trainer.args.device] if trainer.args.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), bounded_memory() if on_cpu else nullcontext():
        try:
            _try_step(trainer, [rows[number] for number in batch])
            fits = True
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            fits = False
    # outside the except block, whose traceback would keep the tensors of the trial alive
    _forget(trainer)
    return fits


def _try_step(trainer: SwiftTrainer, samples: list[Any]) -> None:
    model: Any = trainer.model
    model.train()
    if trainer.args.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=trainer.args.gradient_checkpointing_kwargs)
    batch = trainer.data_collator(samples)
    optimizer = trainer.create_optimizer()
    for lisa in _lisa(trainer):
        lisa.activate(active_layers(len(lisa.layers), lisa.num_active, lisa.seed, 0), optimizer)
    for group in optimizer.param_groups:
        group.update(lr=0.0, weight_decay=0.0)
    for is_second in (False, True):
        inputs = trainer._prepare_inputs(batch)
        with trainer.compute_loss_context_manager():
            total = trainer.token_losses(model, inputs).total
        torch.autograd.backward(total)
        if not is_second:
            # a step of no length over gradients of zero makes the states and moves nothing
            for one in model.parameters():
                if one.grad is not None:
                    one.grad.zero_()
            optimizer.step()


def _lisa(trainer: SwiftTrainer) -> list[Lisa]:
    return [one for one in trainer.callback_handler.callbacks if isinstance(one, Lisa)]


def _forget(trainer: SwiftTrainer) -> None:
    for lisa in _lisa(trainer):
        lisa.release()
    if isinstance(trainer.optimizer, Layerwise):
        trainer.optimizer.detach()
    trainer.optimizer = None
    for one in trainer.model.parameters():  # type: ignore[union-attr]
        one.grad = None
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
