"""transformers' Trainer with our batches, loss, evaluation, logs and checkpoints. Knows no data set and no template.

Alphabet: ``B`` samples, ``T`` tokens, ``K`` trained tokens of a batch, ``V`` vocabulary.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl
from transformers.trainer_callback import DefaultFlowCallback, PrinterCallback, ProgressCallback

from swift.kernels.head import SelectedLoss, TokenLosses
from swift.kernels.lora import fuse
from swift.trainers import checkpoints as ckpt
from swift.trainers import loading
from swift.trainers.batch import count_tokens, count_trained
from swift.trainers.callbacks import EarlyStopping, Flow, LogFile, Plots, Progress, TensorBoard, sync_file
from swift.trainers.compiled import compile_layers
from swift.trainers.config import TrainerConfig
from swift.trainers.evaluation import loss_and_accuracy
from swift.trainers.fit import explained_memory_errors, find_batch_size, try_largest_batch
from swift.trainers.hf_args import build_args, own_trackers, uses_tensorboard
from swift.trainers.host import prepared
from swift.trainers.lisa import Lisa
from swift.trainers.losses import step_share
from swift.trainers.meter import Meter
from swift.trainers.metrics import count_correct
from swift.trainers.neftune import noisy_embeddings
from swift.trainers.optimizers.build import build_optimizer
from swift.trainers.optimizers.schedule_free import averaged
from swift.trainers.result import Hooks, TrainResult
from swift.trainers.sampler import BatchLoader, Order, Rows, Stream, fingerprint
from swift.trainers.schedules import build_schedule
from swift.trainers.signals import StopRequest
from swift.trainers.state import LoopState
from swift.trainers.trackers import Tracking
from swift.trainers.watchdog import Watchdog
from swift.utils.errors import ArgumentError, DiskError, StoppedError, TrainingError
from swift.utils.files import write_json_atomic

__all__ = ["Hooks", "SwiftTrainer", "TrainResult"]

LOG_FILE = "logging.jsonl"


class SwiftTrainer(Trainer):
    """The loop of one run: `train` goes from start, or from a checkpoint, to a `TrainResult`."""

    def __init__(
        self,
        config: TrainerConfig,
        model: Any,
        train: Rows | Stream,
        val: Rows | None,
        collate: Callable[[list[Any]], dict[str, Any]],
        *,
        callbacks: Sequence[TrainerCallback] = (),
        hooks: Hooks | None = None,
    ) -> None:
        self.config = config
        self.hooks = hooks or Hooks()
        self.run_dir = Path(config.output_dir)
        self.stop = StopRequest()
        ckpt.check_writable(self.run_dir)
        # transformers sets use_cache for training; the checkpoint keeps the model's own value
        self._use_cache = getattr(model.config, "use_cache", True)
        super().__init__(model, build_args(config), data_collator=collate, train_dataset=train, eval_dataset=val)
        self.model_accepts_loss_kwargs = True  # compute_loss divides by the count; the Trainer must not divide again
        self.rows, self.val_rows = train, val
        self._batches_taken = 0  # of all steps of the run; a stream's place goes by it
        self.checkpoints = ckpt.CheckpointFolder(self.run_dir, self.args.save_total_limit)
        self.order = Order(
            seed=self.args.data_seed if self.args.data_seed is not None else self.args.seed,
            shuffle=config.shuffle,
            group_by_length=config.group_by_length,
            step_size=self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size,
        )
        self.token_losses = SelectedLoss(model, tokens_per_chunk=config.tokens_per_chunk)
        if not (self.is_fsdp_enabled or self.is_deepspeed_enabled):  # these gather a layer's weights when it is called
            fuse(model)
        if config.torch_compile is not None:
            compile_layers(model, config.torch_compile)
        self._install_callbacks(callbacks)
        self._resumed: LoopState | None = None
        self._best: tuple[int, float] | None = None
        self._evaluated: tuple[int, dict[str, float]] | None = None
        self.meter = Meter(self.args.device, self._add_up if self.args.world_size > 1 else None)

    def _add_up(self, counts: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = self.accelerator.reduce(counts, "sum")
        return added

    def _install_callbacks(self, extra: Sequence[TrainerCallback]) -> None:
        for unwanted in (DefaultFlowCallback, ProgressCallback, PrinterCallback):
            self.remove_callback(unwanted)
        patience = self.config.early_stopping_patience
        self.early_stopping = EarlyStopping(patience) if patience else None
        watched = self.config.loss_watchdog_threshold
        self.watchdog = Watchdog(watched, self.config.loss_watchdog_patience) if watched is not None else None
        self.log_file = LogFile(self.run_dir / LOG_FILE)
        board = Path(self.config.logging_dir) if self.config.logging_dir else self.run_dir / "runs"
        told = self.hooks.extra_files or {}
        self.tracking = [Tracking(name, self.run_dir, told) for name in own_trackers(self.config)]
        ours: list[TrainerCallback | None] = [
            Flow(self.stop, self._steps_per_epoch, self._begin),
            self.early_stopping,
            self.watchdog,
            self._lisa(),
            self.log_file,
            TensorBoard(board) if uses_tensorboard(self.config) else None,
            *self.tracking,
            None if self.args.disable_tqdm else Progress(),
            Plots(self.log_file.path, self.run_dir / "images"),
            *extra,
        ]
        for callback in ours:
            if callback is not None:
                self.add_callback(callback)

    def _lisa(self) -> Lisa | None:
        if not self.config.lisa_layers:
            return None
        return Lisa(self.model, self.config.lisa_layers, self.config.lisa_interval, self.config.seed)

    # ---- the run

    def train(self, resume_from: Path | None = None, *, only_model: bool = False) -> TrainResult:  # type: ignore[override]
        """Train to the end, from a checkpoint (or a run folder's newest whole one) where `resume_from` is given.

        `only_model` takes the checkpoint's weights and nothing else. Raises CheckpointError, DiskError, TrainingError where
        the loss is not finite, and StoppedError after a signal.
        """
        checkpoint = ckpt.open_checkpoint(Path(resume_from)) if resume_from is not None else None
        if checkpoint is not None and only_model:
            self._load_from_checkpoint(str(checkpoint))
            checkpoint = None
        self._resumed = self._accept(checkpoint) if checkpoint is not None else None
        if self.config.auto_find_batch_size and not isinstance(self.rows, Stream):
            find_batch_size(self, self.rows)
        elif self.config.try_largest_batch and not isinstance(self.rows, Stream):
            try_largest_batch(self, self.rows)
        if self.args.should_save:
            self._prepare_run_dir(checkpoint)
        noise = noisy_embeddings(self.model, self.config.neftune_noise_alpha)
        try:
            with self.stop, noise, explained_memory_errors(self), prepared(self.args.device):
                output = super().train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except BaseException:
            with contextlib.suppress(DiskError):  # what stopped the run is told, not that its last plot failed, too
                self.callback_handler.on_train_end(self.args, self.state, self.control)  # closes bars and writers
            raise
        return TrainResult(
            global_step=output.global_step,
            train_loss=output.training_loss,
            metrics={**output.metrics, **(self._evaluated[1] if self._evaluated else {})},
            best_checkpoint=self._checkpoint_at(self._best[0]) if self._best else None,
            last_checkpoint=self._checkpoint_at(output.global_step),
            history=self.log_file.path,
        )

    def _accept(self, checkpoint: Path) -> LoopState:
        """Read the state of a checkpoint, check that this run is the one it belongs to, and take a stream there."""
        state = LoopState.read(checkpoint)
        state.check(checkpoint, None if self.args.ignore_data_skip else self.rows, self.order)
        state.check_optimizer(checkpoint, self.config.optimizer_told)
        if isinstance(self.rows, Stream) and not self.args.ignore_data_skip:
            self._batches_taken = state.global_step * self.args.gradient_accumulation_steps
            self.rows.go_to(self._batches_taken, state.stream or {})
        return state

    def _prepare_run_dir(self, checkpoint: Path | None) -> None:
        self.checkpoints.clean()
        kept = b""
        if checkpoint is not None and self._resumed is not None:
            earlier = checkpoint.parent / LOG_FILE
            if earlier.exists():
                kept = earlier.read_bytes()[: self._resumed.log_bytes]
            self.checkpoints.set_aside_after(self._resumed.global_step)
            for tracker in self.tracking:
                tracker.earlier = checkpoint.parent
        self.log_file.start(kept)
        if self.hooks.begin is not None:
            self.hooks.begin()
        write_json_atomic(self.run_dir / "training_args.json", self.args.to_sanitized_dict())

    def _begin(self, control: TrainerControl) -> None:
        """Put the counters back that the Trainer has just reset: the flow calls this when training begins."""
        state = self._resumed
        self.meter.begin(state, is_main=self.is_world_process_zero())
        if state is not None:
            self._tr_loss += state.loss_since_log
            self._total_loss_scalar = state.loss_total
            self._globalstep_last_logged = state.last_logged_step
            if state.best_step is not None and state.best_metric is not None:
                self._best = (state.best_step, state.best_metric)
            if self.early_stopping is not None:
                self.early_stopping.count = state.patience_used
            if self.watchdog is not None:
                self.watchdog.count = state.high_losses
        if self.early_stopping is not None and self.early_stopping.exhausted:
            control.should_training_stop = True

    def _run_epoch(self, **position: Any) -> None:  # type: ignore[override]
        """One pass over the data; none where the checkpoint already was the last step."""
        if self.state.global_step >= self.state.max_steps or self.control.should_training_stop:
            self.control.should_training_stop = True
            return
        super()._run_epoch(**position)  # type: ignore[no-untyped-call]
        if self.stop.signal and self.state.global_step < self.state.max_steps:
            self._say_interrupted()

    def _say_interrupted(self) -> None:
        assert self.stop.signal is not None
        path = self.checkpoints.path(self.state.global_step)
        raise StoppedError(
            f"stopped by {self.stop.signal.name} after step {self.state.global_step} of {self.state.max_steps}. "
            f"Go on with the same command and --resume_from_checkpoint {path}",
            self.stop.exit_code,
        )

    # ---- batches

    def _steps_per_epoch(self) -> int:
        return loading.steps_per_epoch(self.rows, self.order, self.args)

    def get_train_dataloader(self) -> BatchLoader:
        """Batches of this rank: accelerate need not shard them, and skipping to batch k reads no earlier row."""
        return loading.train_loader(self.rows, self.order, self.args, self.data_collator)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> BatchLoader:
        """All rows once, those of like length together."""
        rows = eval_dataset if eval_dataset is not None else self.val_rows
        return loading.eval_loader(rows, self.order, self.args, self.data_collator)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | int]:
        """The batches of one optimiser step, and how many tokens it trains on over all batches and ranks."""
        batches = list(islice(epoch_iterator, num_batches))
        self._batches_taken += len(batches)
        trained = sum(count_trained(batch) for batch in batches)
        self.meter.add_tokens(sum(count_tokens(batch) for batch in batches))
        if self.args.world_size == 1:
            return batches, max(trained, 1)
        return batches, self._add_up(torch.tensor(trained, device=device)).clamp(min=1)

    # ---- optimizer

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The optimizer of the run's settings, made once. Raises MissingPackageError, ArgumentError, PlanError."""
        if self.optimizer is None:
            model = self.model if model is None else model
            decayed = self.get_decay_parameter_names(model)
            groups = self.hooks.parameter_groups
            self.optimizer = build_optimizer(self.config, self.args, model, decayed=decayed, of_the_tuner=groups)
        made: torch.optim.Optimizer = self.optimizer
        return made

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The course of the learning rate over so many steps, made once."""
        if self.lr_scheduler is None:
            warmup = self.args.get_warmup_steps(num_training_steps)
            optimizer = self.optimizer if optimizer is None else optimizer
            self.lr_scheduler: Any = build_schedule(self.config, optimizer, warmup, num_training_steps)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    # ---- loss

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """This batch's share of the step's loss, and the counts for the accuracy."""
        losses: TokenLosses = self.token_losses(model, inputs)
        if (self.state.global_step + 1) % self.config.acc_steps == 0:
            self.meter.add_predictions(
                *count_correct(losses.correct, losses.positions, inputs, self.config.acc_strategy)
            )
        assert num_items_in_batch is not None  # get_batch_samples always counts
        share = step_share(losses.total, num_items_in_batch, self.args.world_size)
        penalty = self.hooks.penalty() if self.hooks.penalty is not None else None
        return share if penalty is None else share + penalty / self.current_gradient_accumulation_steps

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """Forward and backward of one batch. On a CPU, where looking costs nothing, the loss is checked at once."""
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        if self.watchdog is not None:
            self.watchdog.add(loss)
        if loss.device.type == "cpu" and not math.isfinite(loss.item()):
            self._refuse(float(loss), self.state.global_step + 1, self.state.global_step + 1)
        return loss

    def _refuse(self, loss: float, first: int, last: int) -> None:
        steps = f"step {last}" if first == last else f"steps {first} to {last}"
        raise TrainingError(
            f"the loss is {loss} at {steps}. Nothing was saved after that. Try a lower --learning_rate, a lower "
            "--max_grad_norm, --dtype bf16 instead of fp16, or look for broken rows in the data."
        )

    def compute_loss_context_manager(self) -> contextlib.ExitStack:
        """Autocast where mixed precision is wanted: around the head as well, which is not part of the model's forward."""
        stack = contextlib.ExitStack()
        if self.args.bf16 or self.args.fp16:
            dtype = torch.bfloat16 if self.args.bf16 else torch.float16
            stack.enter_context(torch.autocast(self.args.device.type, dtype=dtype))
        return stack

    def floating_point_ops(self, inputs: Mapping[str, Any]) -> int:
        """Not counted: transformers would walk over all parameters in every step."""
        return 0

    # ---- evaluation

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Loss over all trained tokens of the set, accuracy, and what `Hooks.predict` measures."""
        start = time.monotonic()
        loader = self.get_eval_dataloader(eval_dataset)
        self.callback_handler.eval_dataloader = loader
        sharded = self.is_fsdp_enabled or self.is_deepspeed_enabled
        model: Any = self.model_wrapped if sharded else self.model
        was_training = model.training
        model.eval()
        with torch.no_grad(), averaged(self.optimizer):
            loss, accuracy = loss_and_accuracy(self, model, loader)
            metrics = {f"{metric_key_prefix}_loss": loss, f"{metric_key_prefix}_token_acc": accuracy}
            if self.hooks.predict is not None:
                metrics |= {f"{metric_key_prefix}_{k}": float(v) for k, v in self.hooks.predict(model).items()}
        model.train(was_training)
        seconds = time.monotonic() - start
        metrics[f"{metric_key_prefix}_runtime"] = round(seconds, 4)
        metrics[f"{metric_key_prefix}_samples_per_second"] = round(loader.num_rows / seconds, 3)
        self._evaluated = (self.state.global_step, dict(metrics))
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        try:
            return super()._determine_best_metric(metrics, trial)
        except KeyError:
            names = ", ".join(name.removeprefix("eval_") for name in metrics)
            raise ArgumentError(
                f"--metric_for_best_model {self.args.metric_for_best_model}: the evaluation gave only {names}"
            ) from None

    # ---- logs

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add accuracy, speed and progress to what the Trainer logs, and hand it to the callbacks."""
        step = self.state.global_step
        entry: dict[str, Any] = {key: value for key, value in logs.items() if key != "total_flos"}
        if "loss" in entry:
            if not math.isfinite(entry["loss"]):
                self._refuse(entry["loss"], self.meter.logged_step + 1, step)
            entry |= self.meter.training_numbers(step, with_tokens=self.config.include_num_input_tokens_seen)
        entry["epoch"] = round(self.state.epoch or 0.0, 6)
        if self.is_in_train:
            entry |= self.meter.progress(step, self.state.max_steps)
        self.state.log_history.append({**entry, "step": step})
        self.control = self.callback_handler.on_log(self.args, self.state, self.control, entry)

    # ---- checkpoints

    def _checkpoint_at(self, step: int) -> Path | None:
        path = self.checkpoints.path(step)
        return path if path.is_dir() else None

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write everything aside, then give it its name. Replaces the Trainer's way, which writes in place."""
        step = self.state.global_step
        whole = not self.args.save_only_model or self.stop.signal is not None
        loss = self._mean_over_ranks(self._tr_loss)
        if not math.isfinite(loss):
            self._refuse(loss, self._globalstep_last_logged + 1, step)
        counts = self.meter.totals()
        self._choose_best()
        writing = self.checkpoints.writing(step) if self.args.should_save else contextlib.nullcontext(None)
        with writing, averaged(self.optimizer):
            folder = self.checkpoints.partial(step)
            self.accelerator.wait_for_everyone()  # the folder exists
            with ckpt.translated_disk_errors(self.checkpoints.path(step)):
                self.save_model(str(folder), _internal_call=True)
                if whole:
                    self._save_optimizer_and_scheduler(str(folder))
                    self._save_scaler(str(folder))
                    self._save_rng_state(str(folder))
            self.accelerator.wait_for_everyone()  # every rank's files are there
            if self.args.should_save:
                self.state.save_to_json(str(folder / "trainer_state.json"))
                self._loop_state(loss, counts, whole).write(folder)
                ckpt.copy_into(folder, self.hooks.tokenizer_files, self.hooks.extra_files or {})
        if self.args.should_save:
            self.checkpoints.rotate(
                Path(self.state.best_model_checkpoint) if self.state.best_model_checkpoint else None
            )
        self.accelerator.wait_for_everyone()

    def _choose_best(self) -> None:
        """The best checkpoint is the best among those that were saved right after an evaluation."""
        step = self.state.global_step
        if self._evaluated and self._evaluated[0] == step:
            value = self._evaluated[1]["eval_" + str(self.args.metric_for_best_model).removeprefix("eval_")]
            best = self._best[1] if self._best else None
            if best is None or (value > best if self.args.greater_is_better else value < best):
                self._best = (step, value)
        if self._best is not None:
            self.state.best_model_checkpoint = str(self.checkpoints.path(self._best[0]))

    def _loop_state(self, loss: float, counts: tuple[int, int, int], whole: bool) -> LoopState:
        correct, counted, tokens_seen = counts
        sync_file(self.log_file.path)
        return LoopState(
            global_step=self.state.global_step,
            loss_since_log=loss,
            loss_total=self._total_loss_scalar,
            last_logged_step=self._globalstep_last_logged,
            correct=correct,
            counted=counted,
            tokens_seen=tokens_seen,
            log_bytes=self.log_file.size,
            elapsed_s=self.meter.elapsed_s,
            best_step=self._best[0] if self._best else None,
            best_metric=self._best[1] if self._best else None,
            patience_used=self.early_stopping.count if self.early_stopping else 0,
            high_losses=self.watchdog.count if self.watchdog else 0,
            optimizer=self.config.optimizer_told,
            data=fingerprint(self.rows, self.order),
            step_size=self.order.step_size,
            num_samples=0 if isinstance(self.rows, Stream) else len(self.rows),
            stream=self.rows.state_before(self._batches_taken) if isinstance(self.rows, Stream) else None,
            has_optimizer=whole,
        )

    def _mean_over_ranks(self, value: torch.Tensor) -> float:
        return (
            float(self.accelerator.reduce(value.detach().clone(), "mean")) if self.args.world_size > 1 else float(value)
        )

    def _save(self, output_dir: str | None = None, state_dict: Mapping[str, torch.Tensor] | None = None) -> None:
        folder = Path(output_dir or self.run_dir)
        model: Any = self.model
        model.config.use_cache = self._use_cache
        try:
            if self.hooks.save_model is not None and state_dict is None:
                self.hooks.save_model(folder)
            else:
                ckpt.save_weights(model, folder, state_dict, self.config.save_safetensors)
        finally:
            model.config.use_cache = self.args.use_cache

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.is_fsdp_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        elif self.hooks.load_model is not None:
            self.hooks.load_model(Path(resume_from_checkpoint))
        else:
            assert self.model is not None
            ckpt.load_weights(self.model, Path(resume_from_checkpoint))
