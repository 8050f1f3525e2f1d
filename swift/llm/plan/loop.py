"""The loop of a run, decided: batches, steps, evaluation, checkpoints, and whether activations are computed twice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from swift.llm.plan.memory import estimate, human
from swift.llm.plan.optimizer import resolve_extras, resolve_optimizer, resolve_schedule, takes_steps_at_once
from swift.llm.plan.plans import ModelPlan, TunerPlan
from swift.llm.plan.problems import Problems, Reasons
from swift.llm.plan.quant import held_bytes, stored_parameters
from swift.trainers.config import TOKENS_PER_CHUNK, GaloreConfig, TrainerConfig

if TYPE_CHECKING:
    from swift.llm.plan.train import TrainFacts

__all__ = ["predict_memory", "resolve_loop"]

COPIED = (
    "batch_size", "adam_beta1", "adam_beta2", "adam_epsilon", "weight_decay",
    "warmup_ratio", "warmup_steps", "neftune_noise_alpha", "full_determinism", "seed", "group_by_length", "ignore_data_skip",
    "dataloader_drop_last", "save_strategy", "save_only_model", "save_safetensors", "save_on_each_node", "logging_steps",
    "logging_dir", "disable_tqdm", "acc_strategy", "acc_steps", "include_num_input_tokens_seen", "predict_with_generate",
    "early_stopping_patience", "ddp_backend", "ddp_timeout", "ddp_find_unused_parameters", "ddp_broadcast_buffers",
)  # fmt: skip
"""Arguments that the loop takes by their own name, as they are."""


def resolve_loop(
    args: Any,
    facts: TrainFacts,
    tuner: TunerPlan,
    model: ModelPlan,
    compute: str,
    data: Any,
    reasons: Reasons,
    problems: Problems,
) -> TrainerConfig:
    """The settings of the loop: batches, steps, optimizer, evaluation, checkpoints, logs."""
    full = tuner.sft_type == "full"
    method = f"default for sft_type {tuner.sft_type}"
    _check_counts(args, reasons, problems)

    def decide(name: str, decided: Any, why: str) -> Any:
        return reasons.decide(f"trainer.{name}", name, getattr(args, name), decided, why)

    batch = max(args.batch_size, 1)
    moves = resolve_optimizer(args, facts.machine, tuner.sft_type, compute, reasons, problems)
    at_once = takes_steps_at_once(moves)
    eval_steps = decide("eval_steps", 200 if full else 50, method)
    generates = args.predict_with_generate
    return TrainerConfig(
        output_dir=facts.run_dir,
        learning_rate=decide("learning_rate", 1e-5 if full else 1e-4, method),
        eval_batch_size=decide(
            "eval_batch_size",
            1 if generates else batch,
            "1 with predict_with_generate" if generates else "copies batch_size",
        ),
        gradient_accumulation_steps=decide(
            "gradient_accumulation_steps",
            1 if at_once else math.ceil(16 / batch),
            "an optimizer for each parameter takes a step after each batch"
            if at_once
            else f"16 samples an update: ceil(16 / batch_size {batch})",
        ),
        num_train_epochs=reasons.take("trainer.num_train_epochs", "num_train_epochs", float(args.num_train_epochs)),
        max_steps=args.max_steps if args.max_steps > 0 else -1,
        **moves,
        **resolve_schedule(args, moves["optim"], reasons, problems),
        **resolve_extras(args, facts.machine, streaming=data.streaming, reasons=reasons, problems=problems),
        autocast=None if compute == "fp32" else compute,
        gradient_checkpointing=_resolve_checkpointing(args, facts, tuner, model, compute, data, moves, reasons),
        data_seed=data.seed,
        shuffle=data.shuffle,
        dataloader_num_workers=decide(
            "dataloader_num_workers", 0, "samples are memory-mapped tokens; a worker process would only copy them"
        ),
        dataloader_pin_memory=args.dataloader_pin_memory and bool(facts.machine.gpus),
        evaluation_strategy=_resolve_evaluation(args, data, reasons, problems),
        eval_steps=eval_steps,
        save_steps=decide("save_steps", eval_steps, "copies eval_steps"),
        save_total_limit=None if args.save_total_limit is None or args.save_total_limit < 0 else args.save_total_limit,
        use_cpu=not facts.machine.gpus,
        hf_args=dict(args.hf_args or {}),
        **{name: reasons.take(f"trainer.{name}", name, getattr(args, name)) for name in COPIED},
    )


def _check_counts(args: Any, reasons: Reasons, problems: Problems) -> None:
    """Numbers that cannot be, and settings of the same thing that contradict each other."""
    for flag in (
        "batch_size",
        "eval_batch_size",
        "gradient_accumulation_steps",
        "logging_steps",
        "save_steps",
        "eval_steps",
    ):
        value = getattr(args, flag)
        if value is not None and value < 1:
            problems.add(f"--{flag} {value}: is a count from 1 up.")
    if args.learning_rate is not None and args.learning_rate <= 0:
        problems.add(f"--learning_rate {args.learning_rate}: must be above 0.")
    if args.max_steps < 0 and args.num_train_epochs <= 0:
        problems.add(f"--num_train_epochs {args.num_train_epochs}: must be above 0 (or give --max_steps).")
    if args.warmup_steps and "warmup_ratio" in reasons.sources and "warmup_steps" in reasons.sources:
        problems.add("--warmup_steps and --warmup_ratio: both say how long to warm up. Leave one of them out.")


def _resolve_evaluation(args: Any, data: Any, reasons: Reasons, problems: Problems) -> str:
    """When to evaluate: as asked for, or never where there is nothing to evaluate on."""
    strategy: str = args.evaluation_strategy
    if not data.val_dataset and data.test_ratio == 0 and not data.stream_val:
        if "evaluation_strategy" in reasons.sources and strategy != "no":
            how = "--streaming_val_size" if data.streaming else "--dataset_test_ratio"
            problems.add(f"--evaluation_strategy {strategy}: there is no validation data. Give --val_dataset or {how}.")
        strategy = "no"
        reasons.note("trainer.evaluation_strategy", "no validation data (dataset_test_ratio is 0 and no val_dataset)")
    if args.early_stopping_patience is not None and strategy == "no":
        problems.add(
            "--early_stopping_patience: needs an evaluation to watch; --evaluation_strategy is no. Leave one of them out."
        )
    return strategy


def _resolve_checkpointing(
    args: Any,
    facts: TrainFacts,
    tuner: TunerPlan,
    model: ModelPlan,
    compute: str,
    data: Any,
    moves: Mapping[str, Any],
    reasons: Reasons,
) -> bool:
    """Recompute activations only where they would not fit: it costs a third of the speed."""
    if args.gradient_checkpointing is not None:
        return bool(
            reasons.take("trainer.gradient_checkpointing", "gradient_checkpointing", args.gradient_checkpointing)
        )
    memory = predict_memory(
        facts,
        tuner,
        model,
        compute,
        tokens=args.batch_size * (data.max_length or model.max_model_len or 2048),
        **{name: moves[name] for name in ("optim", "galore", "lisa_layers")},
    )
    have = facts.machine.gpus[0].memory_gib if facts.machine.gpus else facts.machine.memory_gib
    need = memory.total(checkpointing=False)
    if need <= 0.8 * have * 2**30:
        reasons.note("trainer.gradient_checkpointing", f"at most {human(need)} without it, {have:.0f} GiB are there")
        return False
    reasons.note(
        "trainer.gradient_checkpointing",
        f"up to {human(need)} without it, {have:.0f} GiB are there: activations are recomputed",
    )
    return True


def predict_memory(facts: TrainFacts, tuner: TunerPlan, model: ModelPlan, compute: str, *, tokens: int, trained_tokens: int | None = None,
                   num_trainable: int | None = None, optim: str = "adamw_torch", galore: GaloreConfig | None = None,
                   lisa_layers: int = 0) -> Any:  # fmt: skip
    """A :class:`MemoryEstimate` for micro-batches of ``tokens`` tokens; adapters are taken as 1 % of the parameters until counted."""
    total = facts.model.num_parameters or stored_parameters(facts.model) or 0
    if num_trainable is None:
        num_trainable = int(total * _trained_share(tuner, facts.model.model_config))
    return estimate(
        facts.model.model_config,
        num_parameters=total,
        num_trainable=num_trainable,
        num_added=0 if tuner.sft_type == "full" else num_trainable,
        weight_dtype=model.dtype,
        compute_dtype=compute,
        tokens=tokens,
        trained_tokens=tokens if trained_tokens is None else trained_tokens,
        tokens_per_chunk=TOKENS_PER_CHUNK,
        optim=optim,
        galore=galore,
        lisa_layers=lisa_layers,
        weight_bytes=held_bytes(facts.model.model_config, total, model.dtype, model.quantization)
        if model.quantization is not None
        else None,
    )


def _trained_share(tuner: TunerPlan, config: Mapping[str, Any]) -> float:
    """The trained share of the parameters, before it is counted on the model itself."""
    if tuner.sft_type == "full":
        return 1 - float(tuner.options.get("freeze_parameters_ratio") or 0)
    if tuner.sft_type == "llamapro":
        layers = int(config.get("text_config", config).get("num_hidden_layers") or 0)
        return float(tuner.options["llamapro_num_new_blocks"]) / max(layers, 1)
    return 0.01
