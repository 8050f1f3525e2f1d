"""TrainerConfig to transformers' TrainingArguments; no other module builds one. Knows no model and no data."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from swift.trainers.config import TrainerConfig
from swift.trainers.optimizers.table import find_optimizer
from swift.utils.errors import ArgumentError, PlanError
from swift.utils.registry import nearest, unknown

if TYPE_CHECKING:
    from transformers import TrainingArguments

# What our loop does itself, or could not keep its promises with; each with the reason that the user is told.
REFUSED: Mapping[str, str] = {
    "auto_find_batch_size": "set --auto_find_batch_size, which tries before the first step",
    "batch_eval_metrics": "evaluation never keeps logits",
    "bf16_full_eval": "evaluation uses the precision of training; set --dtype",
    "enable_jit_checkpoint": "SIGTERM already saves a checkpoint and stops",
    "fp16_full_eval": "evaluation uses the precision of training; set --dtype",
    "hub_strategy": "checkpoints are not uploaded by the loop; use 'swift export --push_to_hub true'",
    "include_for_metrics": "evaluation never keeps logits",
    "label_names": "the loss reads the labels of the batch",
    "label_smoothing_factor": "the loss is plain cross entropy on the trained tokens",
    "length_column_name": "lengths come from the data set",
    "load_best_model_at_end": "the best checkpoint is kept beside the last one",
    "logging_nan_inf_filter": "a loss that is not finite stops the run",
    "lr_scheduler_kwargs": "set --lr_scheduler_kwargs",
    "lr_scheduler_type": "set --lr_scheduler_type",
    "optim": "set --optim",
    "optim_args": "set --optim_args",
    "optim_target_modules": "set --galore_target_modules",
    "output_dir": "set --output_dir",
    "prediction_loss_only": "evaluation never keeps logits",
    "push_to_hub": "checkpoints are not uploaded by the loop; use 'swift export --push_to_hub true'",
    "remove_unused_columns": "batches hold what the model needs and nothing else",
    "neftune_noise_alpha": "set --neftune_noise_alpha",
    "resume_from_checkpoint": "set --resume_from_checkpoint",
    "torch_compile": "set --torch_compile, which compiles each layer",
    "torch_compile_backend": "set --torch_compile_backend",
    "train_sampling_strategy": "set --group_by_length",
    "use_liger_kernel": "set --use_liger",
}


OURS = frozenset({"tensorboard", "wandb", "mlflow", "swanlab"})
"""The trackers that our own callbacks drive."""


def build_args(config: TrainerConfig) -> TrainingArguments:
    """Return transformers' arguments for one run; ``config.hf_args`` wins over every other field.

    Raises ArgumentError for a name or a value that transformers does not know, PlanError for one that the loop cannot honour.
    """
    import torch
    from transformers import TrainingArguments

    known = {field.name for field in fields(TrainingArguments) if field.init}
    _check_extras(config.hf_args, known)
    accelerated = torch.cuda.is_available() or torch.backends.mps.is_available()
    values: dict[str, Any] = {
        "output_dir": config.output_dir,
        "per_device_train_batch_size": config.batch_size,
        "per_device_eval_batch_size": config.eval_batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation_steps,
        "num_train_epochs": config.num_train_epochs,
        "max_steps": config.max_steps if config.max_steps > 0 else -1,
        "learning_rate": config.learning_rate,
        **_optimizer(config),
        "adam_beta1": config.adam_beta1,
        "adam_beta2": config.adam_beta2,
        "adam_epsilon": config.adam_epsilon,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "warmup_steps": _warmup(config),
        "bf16": config.autocast == "bf16",
        "fp16": config.autocast == "fp16",
        "gradient_checkpointing": config.gradient_checkpointing,
        # the reentrant kind cannot follow gradients into adapters on frozen embeddings
        "gradient_checkpointing_kwargs": {"use_reentrant": False} if config.gradient_checkpointing else None,
        "full_determinism": config.full_determinism,
        "seed": config.seed,
        "data_seed": config.data_seed,
        "ignore_data_skip": config.ignore_data_skip,
        "dataloader_num_workers": config.dataloader_num_workers,
        "dataloader_pin_memory": config.dataloader_pin_memory and accelerated and not config.use_cpu,
        "dataloader_drop_last": config.dataloader_drop_last,
        "eval_strategy": config.evaluation_strategy,
        "eval_steps": config.eval_steps,
        "save_strategy": config.save_strategy,
        "save_steps": config.save_steps or config.eval_steps or 500,
        "save_total_limit": config.save_total_limit if (config.save_total_limit or 0) > 0 else None,
        "save_only_model": config.save_only_model,
        "save_on_each_node": config.save_on_each_node,
        "logging_steps": config.logging_steps,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,
        "report_to": list(_trackers(config.report_to)) or "none",
        "disable_tqdm": config.disable_tqdm,
        "metric_for_best_model": config.metric_for_best_model,
        "remove_unused_columns": False,
        "use_cpu": config.use_cpu or not accelerated,
        "ddp_backend": config.ddp_backend,
        "ddp_timeout": config.ddp_timeout,
        "ddp_find_unused_parameters": config.ddp_find_unused_parameters,
        "ddp_broadcast_buffers": config.ddp_broadcast_buffers,
        "use_liger_kernel": config.use_liger,
        # head and loss are already computed in chunks, on trained positions only, from what reaches the head in the model's own
        # forward pass; Liger's fused loss would replace that pass. Its norms, rotary positions and MLP stay in use
        "liger_kernel_config": {"fused_linear_cross_entropy": False, "cross_entropy": False}
        if config.use_liger
        else None,
    }
    values.update(config.hf_args)
    try:
        args = TrainingArguments(**values)
    except (ValueError, TypeError) as error:
        # transformers' own checks; the first line names the field
        raise ArgumentError(f"transformers refuses these training arguments: {str(error).strip()}") from error
    if args.bf16 and not args.deepspeed and not args.fsdp:
        # accelerate would wrap `forward` and turn every output back to fp32, logits too; the trainer enters autocast itself
        args.mixed_precision = "no"
    return args


def _optimizer(config: TrainerConfig) -> dict[str, Any]:
    """The optimizer for transformers, which is told another one's name where ours makes it (see ``optimizers/build.py``)."""
    found = find_optimizer(config.optim)
    if isinstance(found, str):
        raise ArgumentError(found)
    # fused: the same algorithm in one pass over the weights, six times as fast on a CPU
    named = "adamw_torch_fused" if found.code is not None or found.name == "adamw_torch" else found.name
    told = ",".join(f"{name}={value}" for name, value in config.optim_args.items())
    return {
        "optim": named,
        "optim_args": (told or None) if found.code is None else None,
        "lr_scheduler_type": "constant",
    }


def _check_extras(extras: Mapping[str, Any], known: set[str]) -> None:
    for name in extras:
        if name not in known:
            raise ArgumentError(f"--hf_args: {unknown('TrainingArguments field', name, known)}")
    problems = [f"--hf_args {name!r}: {reason}" for name, reason in REFUSED.items() if name in extras]
    if problems:
        raise PlanError(problems)


def _warmup(config: TrainerConfig) -> float:
    """Transformers reads a value below 1 as a share of all steps."""
    if config.warmup_steps > 0:
        return config.warmup_steps
    if not 0 <= config.warmup_ratio < 1:
        raise ArgumentError(f"--warmup_ratio {config.warmup_ratio}: expected a share of all steps, from 0 to below 1")
    return config.warmup_ratio


def _trackers(names: tuple[str, ...]) -> tuple[str, ...]:
    """The trackers that transformers drives: all but TensorBoard and those that ``trackers.py`` drives."""
    if not names or "none" in names or set(names) <= OURS:
        return ()
    from transformers.integrations.integration_utils import (
        INTEGRATION_TO_CALLBACK,
        get_available_reporting_integrations,
    )

    available: Callable[[], list[str]] = get_available_reporting_integrations

    if "all" in names:
        return tuple(name for name in available() if name not in OURS)
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            near = nearest(name, INTEGRATION_TO_CALLBACK)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(INTEGRATION_TO_CALLBACK))}"
            raise ArgumentError(f"--report_to {name!r} is not a tracker; {hint}")
    return tuple(name for name in names if name not in OURS)


def uses_tensorboard(config: TrainerConfig) -> bool:
    """Whether the run writes TensorBoard events."""
    return "none" not in config.report_to and ("tensorboard" in config.report_to or "all" in config.report_to)


def own_trackers(config: TrainerConfig) -> tuple[str, ...]:
    """The trackers of ``trackers.py`` that the run reports to: those named, or with ``all`` those installed."""
    if "none" in config.report_to:
        return ()
    every = "all" in config.report_to
    return tuple(
        name
        for name in sorted(OURS - {"tensorboard"})
        if name in config.report_to or (every and importlib.util.find_spec(name) is not None)
    )
