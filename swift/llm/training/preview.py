"""What a run will do, shown before it starts: rows, steps, memory, disk, and the first samples as tokens."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swift.llm.core import Encoded, Tokenizer
from swift.llm.plan.memory import human
from swift.llm.plan.plans import TrainPlan

if TYPE_CHECKING:
    from swift.tuners.preview import Preview

GREEN, DIM, RESET = "\x1b[32m", "\x1b[2m", "\x1b[0m"
TOKENS_SHOWN = 400
SAMPLES_SHOWN = 3


def count_parameters(plan: TrainPlan) -> Preview:
    """What the method will train of the plan's model, counted without weights. Raises PlanError for modules that do not exist."""
    from swift.llm.model.loaders import auto_class
    from swift.tuners.preview import empty_model, preview

    model = plan.model
    return preview(
        plan.tuner,
        lambda: empty_model(
            Path(model.path), trust_remote_code=model.trust_remote_code, auto_class=auto_class(model.loader)
        ),
    )


def tokens_of(ids: list[int], tokenizer: Tokenizer) -> list[tuple[int, str]]:
    """(index of its first token, text) of each piece: a token, or the tokens that make one character together."""
    pieces: list[tuple[int, str]] = []
    start = 0
    for end in range(1, len(ids) + 1):
        text = tokenizer.decode(ids[start:end])
        if "\ufffd" in text and end - start < 4 and end < len(ids):
            continue
        pieces.append((start, text))
        start = end
    return pieces


def show_sample(sample: Encoded, tokenizer: Tokenizer, *, colour: bool) -> str:
    """One sample as its tokens, divided by ``|``; trained tokens green, or between ``[[`` and ``]]`` without colour."""
    ids = [int(token) for token in sample.input_ids[:TOKENS_SHOWN]]
    pieces: list[str] = []
    for trained, run in _runs([(text, bool(sample.trained[index])) for index, text in tokens_of(ids, tokenizer)]):
        text = "|".join(piece.replace("\n", "\\n") for piece in run)
        if colour:
            pieces.append(f"{GREEN}{text}{RESET}" if trained else f"{DIM}{text}{RESET}")
        else:
            pieces.append(f"[[{text}]]" if trained else text)
    more = f" ... {len(sample) - TOKENS_SHOWN:,} more" if len(sample) > TOKENS_SHOWN else ""
    return f"({len(sample):,} tokens, {int(sample.trained.sum()):,} trained) " + "|".join(pieces) + more


def _runs(marked: list[tuple[str, bool]]) -> list[tuple[bool, list[str]]]:
    runs: list[tuple[bool, list[str]]] = []
    for text, trained in marked:
        if runs and runs[-1][0] == trained:
            runs[-1][1].append(text)
        else:
            runs.append((trained, [text]))
    return runs


def show_samples(prepared: Any, tokenizer: Tokenizer) -> list[str]:
    """The first training samples as lines, each with its tokens and what is trained of them."""
    colour = sys.stdout.isatty()
    mark = "trained tokens are green" if colour else "trained tokens stand in [[ ]]"
    return [
        f"first samples ({mark})",
        *("  " + show_sample(one, tokenizer, colour=colour) for one in prepared.report.first_rows[:SAMPLES_SHOWN]),
    ]


def count_steps(plan: TrainPlan, num_batches_of: int) -> tuple[int, int]:
    """(optimiser steps in all, steps in one epoch) for ``num_batches_of`` samples or packs."""
    trainer = plan.trainer
    size = trainer.batch_size
    batches = num_batches_of // size if trainer.dataloader_drop_last else math.ceil(num_batches_of / size)
    an_epoch = max(math.ceil(batches / trainer.gradient_accumulation_steps), 1)
    return (trainer.max_steps if trainer.max_steps > 0 else math.ceil(an_epoch * trainer.num_train_epochs)), an_epoch


def largest_batch(plan: TrainPlan, prepared: Any) -> tuple[int, int]:
    """(tokens, trained tokens) of the largest micro-batch that can occur: the longest samples together."""
    if plan.data.streaming:
        prepared = replace(prepared, train=prepared.train.first)  # the first block stands for the rest
    size = plan.trainer.batch_size
    longest = sorted((int(length) for length in prepared.train.lengths), reverse=True)[:size]
    tokens = sum(longest) if plan.data.padding_free else (longest[0] * size if longest else 0)
    if plan.data.lazy:  # the lengths are bounds, and what is trained of them is not known
        return tokens, tokens
    return tokens, min(tokens, math.ceil(tokens * prepared.train.num_trained / max(prepared.train.num_tokens, 1)))


def show_data(prepared: Any, plan: TrainPlan) -> list[str]:
    """Kept and lost rows, samples, packs and steps, as lines."""
    if plan.data.streaming:
        return _show_stream(prepared, plan)
    steps, an_epoch = count_steps(plan, len(prepared.train))
    unit = "packs" if plan.data.packing else "samples"
    lines = ["data", *("  " + line for line in prepared.report.lines())]
    if plan.data.lazy:
        num_val = 0 if prepared.val is None else len(prepared.val)
        return [*lines, f"  train: {len(prepared.train):,} rows, encoded when they are used; validation: {num_val:,} rows",
                _steps_line(plan, unit, steps, an_epoch)]  # fmt: skip
    lines.append(
        f"  train: {len(prepared.train):,} {unit}, {prepared.train.num_tokens:,} tokens, {prepared.train.num_trained:,} trained;"
        f" validation: {len(prepared.val) if prepared.val is not None else 0:,} {unit}"
    )
    lines.append(_steps_line(plan, unit, steps, an_epoch))
    return lines


def _steps_line(plan: TrainPlan, unit: str, steps: int, an_epoch: int) -> str:
    return (
        f"  steps: {steps:,} ({an_epoch:,} an epoch; {plan.trainer.batch_size} {unit} x"
        f" {plan.trainer.gradient_accumulation_steps} accumulated an update)"
    )


def _show_stream(prepared: Any, plan: TrainPlan) -> list[str]:
    unit = "packs" if plan.data.packing else "samples"
    first = prepared.train.first
    return [
        "data",
        *("  " + line for line in prepared.report.lines()),
        f"  train: a stream, {plan.data.stream_buffer:,} rows at a time; its first {len(first):,} {unit} have {first.num_tokens:,} "
        f"tokens, {first.num_trained:,} trained; validation: {len(prepared.val) if prepared.val is not None else 0:,} {unit}",
        f"  steps: {plan.trainer.max_steps:,} ({plan.trainer.batch_size} {unit} x"
        f" {plan.trainer.gradient_accumulation_steps} accumulated an update)",
    ]


def show_needs(
    memory_bytes: int,
    have_gib: float,
    checkpoint_size: int,
    free_gib: float,
    keep: int | None,
    steps: int,
    save_steps: int | None,
) -> list[str]:
    """Predicted peak memory and disk, as lines."""
    saves = max(steps // (save_steps or steps), 1)
    kept = min(saves, keep) if keep else saves
    return [
        "needs (predicted)",
        f"  memory: {human(memory_bytes)} at the peak, of {have_gib:.0f} GiB",
        f"  disk: {human(checkpoint_size)} a checkpoint, {kept} kept at a time: {human(checkpoint_size * (kept + 1))} at most, {free_gib:.1f} GiB free",
    ]
