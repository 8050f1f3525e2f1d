# ruff: noqa: D102 - the events are those of transformers, and documented there
"""What happens around the steps: the flow of logs, evaluations and checkpoints; log files, progress bar, plots, stopping.

Knows transformers' callback interface and the values that the trainer logs; computes none of them.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import DefaultFlowCallback
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from swift.trainers import plots
from swift.trainers.signals import StopRequest
from swift.utils.files import atomic_write, disk_error

SECONDS_BETWEEN_PLOTS = 60.0


class Flow(DefaultFlowCallback):
    """When to log, evaluate, save and stop. `begin` is called when the loop's own counters have just been reset.

    Differs from transformers in four points: the last step is logged; a save that is due at an epoch's end waits for the
    evaluation that is due there (or a resumed run would never see it); a stop request saves what it stops; and it
    evaluates nothing that the run without a stop would not have evaluated.
    """

    def __init__(self, stop: StopRequest, steps_per_epoch: Callable[[], int], begin: Callable[[TrainerControl], None]):
        self.stop = stop
        self.steps_per_epoch = steps_per_epoch
        self.begin = begin
        self.save_after_epoch = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.save_after_epoch = False
        self.begin(control)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        super().on_step_end(args, state, control, **kwargs)
        is_last = state.global_step >= state.max_steps
        if is_last:
            control.should_log = True
        self._heed_stop(args, state, control)
        ends_epoch = is_last or state.global_step % self.steps_per_epoch() == 0
        if ends_epoch and control.should_save and args.eval_strategy == IntervalStrategy.EPOCH:
            control.should_save = False
            self.save_after_epoch = True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        is_last = state.global_step >= state.max_steps
        if self.stop.signal and not is_last and state.global_step % self.steps_per_epoch():
            return
        super().on_epoch_end(args, state, control, **kwargs)
        control.should_save = control.should_save or self.save_after_epoch
        self.save_after_epoch = False

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._heed_stop(args, state, control)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.stop.signal:
            control.should_training_stop = True

    def _heed_stop(self, args: TrainingArguments, state: TrainerState, control: TrainerControl) -> None:
        # several ranks hear the signal at different steps; they agree where they wait for each other anyway
        if args.world_size > 1 and not control.should_log:
            return
        if _any_rank(self.stop.signal is not None, args):
            control.should_save = True
            control.should_training_stop = True


def _any_rank(flag: bool, args: TrainingArguments) -> bool:
    if args.world_size == 1:
        return flag
    import torch

    votes = torch.tensor([int(flag)], device=args.device)
    torch.distributed.all_reduce(votes)
    return bool(votes.item())


class EarlyStopping(TrainerCallback):
    """Stop after `patience` evaluations in a row without a better value of the metric. `count` is kept over a resume."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.count = 0

    @property
    def exhausted(self) -> bool:
        """Whether the run has to stop."""
        return self.count >= self.patience

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        # called before the trainer compares: state.best_metric is the best of the evaluations before this one
        value = kwargs["metrics"]["eval_" + str(args.metric_for_best_model).removeprefix("eval_")]
        best = state.best_metric
        better = best is None or (value > best if args.greater_is_better else value < best)
        self.count = 0 if better else self.count + 1
        if self.exhausted:
            control.should_training_stop = True
            control.should_save = args.save_strategy != SaveStrategy.NO


class LogFile(TrainerCallback):
    """``logging.jsonl``: one JSON object a line, written when something is logged."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def start(self, kept: bytes = b"") -> None:
        """Begin the file anew with what an interrupted run had written up to its checkpoint, whole or not at all."""
        with atomic_write(self.path, "wb") as file:
            file.write(kept)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if not state.is_world_process_zero:
            return
        line = json.dumps(_finite(kwargs["logs"]), ensure_ascii=False) + "\n"
        try:
            with open(self.path, "ab") as file:
                file.write(line.encode())
        except OSError as error:
            raise disk_error(error, self.path) from error


def _finite(logs: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in logs.items()
    }


class Plots(TrainerCallback):
    """PNG pictures from the log, at the end and now and then at checkpoints."""

    def __init__(self, log_path: Path, folder: Path) -> None:
        self.log_path = log_path
        self.folder = folder
        self.drawn_at = time.monotonic()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if time.monotonic() - self.drawn_at > SECONDS_BETWEEN_PLOTS:
            self._draw(state)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._draw(state)

    def _draw(self, state: TrainerState) -> None:
        if state.is_world_process_zero and self.log_path.exists():
            plots.draw(self.log_path, self.folder)
            self.drawn_at = time.monotonic()


class TensorBoard(TrainerCallback):
    """Numbers of the log as TensorBoard scalars, ``train/...`` and ``eval/...``, in a folder of our choice."""

    def __init__(self, folder: Path) -> None:
        from swift.utils.lazy import require

        require("tensorboard", extra="train")
        self.folder = folder
        self.writer: Any = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        from torch.utils.tensorboard import SummaryWriter

        # events of steps that a killed run took and this one takes again are hidden
        self.writer = SummaryWriter(str(self.folder), purge_step=state.global_step + 1 if state.global_step else None)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.writer is None:
            return
        for key, value in kwargs["logs"].items():
            if isinstance(value, int | float):
                group, name = ("eval", key.removeprefix("eval_")) if key.startswith("eval_") else ("train", key)
                self.writer.add_scalar(f"{group}/{name}", value, state.global_step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.writer is not None:
            self.writer.flush()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class Progress(TrainerCallback):
    """A bar on standard error where that is a terminal, and one line for each log."""

    def __init__(self) -> None:
        self.bar: tqdm[Any] | None = None
        self.eval_bar: tqdm[Any] | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            self.bar = tqdm(
                total=state.max_steps,
                initial=state.global_step,
                desc="train",
                dynamic_ncols=True,
                file=sys.stderr,
                disable=None,
            )

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.bar is not None:
            self.bar.update(state.global_step - self.bar.n)

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        if self.eval_bar is None:
            total = len(kwargs["eval_dataloader"])
            self.eval_bar = tqdm(
                total=total, desc="eval", leave=False, dynamic_ncols=True, file=sys.stderr, disable=None
            )
        self.eval_bar.update(1)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.eval_bar is not None:  # the log after an evaluation
            self.eval_bar.close()
            self.eval_bar = None
        if state.is_world_process_zero:
            tqdm.write(describe(kwargs["logs"]), file=sys.stderr)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        for bar in (self.eval_bar, self.bar):
            if bar is not None:
                bar.close()
        self.bar = self.eval_bar = None


_ON_THE_BAR = frozenset({"epoch", "percentage", "elapsed_time", "global_step", "global_step/max_steps"})


def describe(logs: Mapping[str, Any]) -> str:
    """One line for people: ``step 5/100  loss 1.234  token_acc 0.61 ...``."""
    parts = [f"step {logs['global_step/max_steps']}"] if "global_step/max_steps" in logs else []
    for key, value in logs.items():
        if key not in _ON_THE_BAR and not (key == "remaining_time" and "loss" not in logs):
            parts.append(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}")
    return "  ".join(parts)


def sync_file(path: Path) -> None:
    """Force a file to the disk, if it is there."""
    if path.exists():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
