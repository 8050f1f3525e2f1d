"""One training run, decided: ``resolve_train`` is pure, the same arguments and facts give the same plan.

Every conflict is collected and reported together; every value that somebody could ask about carries its reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from swift.kernels.support import supports_varlen
from swift.llm.catalog.rows import ModelRow, TunerRow
from swift.llm.plan.data import resolve_data
from swift.llm.plan.facts import MachineFacts, ModelFacts
from swift.llm.plan.memory import checkpoint_bytes, estimate, human
from swift.llm.plan.model import resolve_attention, resolve_dtype, resolve_model, resolve_template
from swift.llm.plan.plans import DataPlan, GeneratePlan, ModelPlan, TemplatePlan, TrainPlan, TunerPlan
from swift.llm.plan.problems import Problems, Reasons
from swift.llm.plan.quant import held_bytes, resolve_quantization, stored_parameters
from swift.llm.plan.tuner import fit_samples, resolve_tuner
from swift.trainers.config import TOKENS_PER_CHUNK, TrainerConfig

NOT_YET: Mapping[str, str] = {
    "deepspeed": "DeepSpeed",
    "fsdp": "FSDP",
    "fsdp_config": "FSDP",
    "push_to_hub": "uploading while training (train first, then upload the folder)",
    "use_galore": "GaLore",
    "lisa_activated_layers": "LISA",
    "use_liger": "Liger kernels",
    "auto_find_batch_size": "searching for the batch size",
    "freeze_vit": "multimodal training",
    "loss_name": "custom losses",
    "local_rank": "distributed runs",
}
"""Arguments whose truth (a value other than empty, 0, false) asks for something that this version does not have."""

NOT_YET_VALUES: Mapping[str, tuple[Any, str]] = {
    "sequence_parallel_size": (1, "sequence parallelism"),
    "train_backend": ("transformers", "Megatron"),
    "tp": (1, "Megatron"),
    "pp": (1, "Megatron"),
    "sequence_parallel": (False, "Megatron"),
    "min_lr": (
        None,
        "a floor rate outside Megatron (use --lr_scheduler_type cosine_with_min_lr with --lr_scheduler_kwargs)",
    ),
    "fsdp_num": (1, "TorchAcc"),
    "model_layer_cls_name": (None, "TorchAcc"),
    "metric_warmup_step": (0, "TorchAcc"),
    "gpu_memory_fraction": (None, "a cap on GPU memory"),
    "neftune_backend": (None, "another NEFTune backend"),
    "save_safetensors": (True, "saving weights in a format that can run code when it is read (pickle)"),
}
"""Arguments that this version takes at one value only."""

SATELLITES: Mapping[str, str] = {
    "galore_": "use_galore", "lisa_": "lisa_activated_layers",
}  # fmt: skip
"""Settings of a method, by prefix: given without the method they would be ignored, so they are refused."""

EFFECT_ONLY_WITH: Mapping[str, str] = {
    "hub_model_id": "--push_to_hub true",
    "hub_private_repo": "--push_to_hub true",
    "hub_strategy": "--push_to_hub true",
    "train_dataset_mix_ds": "--train_dataset_mix_ratio",
    "vit_use_gc": "a multimodal model",
}
"""Settings of something that is not in this version: given, they would be ignored, so they are refused."""

SAMPLING = ("do_sample", "temperature", "top_k", "top_p", "repetition_penalty", "num_beams", "max_new_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainFacts:
    """What the resolver needs to know of the world. ``run_dir`` is the folder of this run, chosen from what exists;
    ``loss_scale`` what the file of loss weights says, ``hqq_layers`` the file of HQQ's settings of single layers.
    """

    machine: MachineFacts
    model: ModelFacts
    run_dir: str
    run_dir_reason: str
    resume_from: str | None = None
    loss_scale: str | None = None
    hqq_layers: Mapping[str, Any] | None = None


def resolve_train(
    command: str,
    args: Any,
    sources: Mapping[str, str],
    facts: TrainFacts,
    row: ModelRow,
    row_reason: str,
    *,
    templates: Mapping[str, Any],
    tuners: Mapping[str, TunerRow],
) -> TrainPlan:
    """The plan of ``swift sft`` or ``swift pt``. Raises PlanError with every conflict at once."""
    problems, reasons = Problems(), Reasons(sources)
    reasons.note("model.model_type", row_reason)
    reasons.note("run_dir", facts.run_dir_reason)
    refuse_what_is_missing(args, sources, problems)
    tuner = resolve_tuner(args, row, tuners, reasons, problems)
    compute = resolve_dtype(args, facts.model, facts.machine, row, reasons, problems)
    template, data = resolve_samples(
        command, args, facts.model, row, templates, facts.loss_scale, reasons=reasons, problems=problems
    )
    attention = resolve_attention(
        args, facts.model, facts.machine, flat=data.padding_free, reasons=reasons, problems=problems
    )
    data, attention = _fit_attention(args, data, attention, facts, reasons, problems)
    tuner, template = fit_samples(args, command, tuner, template, data, reasons, problems)
    held = "fp32" if tuner.sft_type == "full" or (compute == "fp16" and not facts.machine.gpus) else compute
    if held != compute:
        reasons.note(
            "trainer.autocast",
            f"{compute} in the arithmetic; the trained weights stay in fp32, where small updates are not lost",
        )
    model = resolve_model(
        args,
        facts.model,
        facts.machine,
        row,
        dtype=held,
        attention=attention,
        reasons=reasons,
        problems=problems,
    )
    quantization = resolve_quantization(
        args, facts.model, facts.machine, row, compute=compute, sft_type=tuner.sft_type, layers=facts.hqq_layers,
        reasons=reasons, problems=problems,
    )  # fmt: skip
    model = replace(model, quantization=quantization)
    trainer = _resolve_trainer(args, facts, tuner, model, compute, data, reasons, problems)
    problems.stop_if_any()
    return TrainPlan(
        command=command,
        run_dir=facts.run_dir,
        seed=args.seed,
        model=model,
        template=template,
        data=data,
        tuner=tuner,
        trainer=trainer,
        generate=GeneratePlan(
            max_new_tokens=args.max_new_tokens,
            do_sample=args.do_sample,
            temperature=args.temperature,
            top_k=args.top_k,
            top_p=args.top_p,
            repetition_penalty=args.repetition_penalty,
            num_beams=args.num_beams,
            seed=args.seed,
        ),
        resume_from=facts.resume_from,
        resume_only_model=args.resume_only_model,
        verify_template=args.verify_template,
        register_path=args.custom_register_path,
        reasons=dict(reasons.by_field),
        facts=_facts_told(facts),
    )


def resolve_samples(
    command: str,
    args: Any,
    model: ModelFacts,
    row: ModelRow,
    templates: Mapping[str, Any],
    loss_scale: str | None,
    *,
    reasons: Reasons,
    problems: Problems,
) -> tuple[TemplatePlan, DataPlan]:
    """All that decides about the samples: the same for training and for preparing them ahead."""
    truncation = args.truncation_strategy
    if command == "pt" and "truncation_strategy" not in reasons.sources:
        truncation = "split"
        reasons.note("template.truncation", "plain text is split into blocks, nothing is lost")
    else:
        reasons.take("template.truncation", "truncation_strategy", truncation)
    template = resolve_template(
        args, model, row, templates, truncation=truncation, reasons=reasons, problems=problems
    )
    if command == "pt" and args.template_type == "AUTO":
        template = _plain_text(template, reasons)
    template = _resolve_loss(args, command, template, loss_scale, reasons, problems)
    return template, resolve_data(args, template=template, reasons=reasons, problems=problems)


def refuse_what_is_missing(args: Any, sources: Mapping[str, str], problems: Problems) -> None:
    """Every argument that was given but would have no effect is named, with what to do."""
    sources = {name: where for name, where in sources.items() if not where.startswith("checkpoint")}
    for name, what in NOT_YET.items():
        if getattr(args, name, None):
            problems.add(f"--{name} {_shown(getattr(args, name))}: {what} is not in this version. Leave it out.")
    for name, (only, what) in NOT_YET_VALUES.items():
        value = getattr(args, name, only)
        if value != only and not (name == "neftune_backend" and value == "transformers"):
            problems.add(f"--{name} {_shown(value)}: {what} is not in this version. Leave it out.")
    for prefix, method in SATELLITES.items():
        given = [name for name in sources if name.startswith(prefix)]
        if given and not getattr(args, method):
            problems.add(
                f"{', '.join('--' + name for name in given)}: has an effect only with --{method}. Leave it out, or add that."
            )
    for name, needed in EFFECT_ONLY_WITH.items():
        if name in sources:
            problems.add(f"--{name}: has an effect only with {needed}, which is not in this version. Leave it out.")
    if "loss_scale_config_path" in sources and not args.use_loss_scale:
        problems.add("--loss_scale_config_path: has an effect only with --use_loss_scale true. Leave it out, or add that.")
    if not args.predict_with_generate:
        for name in SAMPLING:
            if name in sources:
                problems.add(
                    f"--{name}: has an effect in training only with --predict_with_generate true. Leave it out, or add that."
                )


def _resolve_loss(
    args: Any, command: str, template: Any, loss_scale: str | None, reasons: Reasons, problems: Problems
) -> Any:
    """Which turns are trained, and with what weights inside them."""
    base, weights = args.loss_scale_base, args.loss_scale_config_path
    if args.train_on_inputs and base == "last_round":
        problems.add("--train_on_inputs true, --loss_scale_base last_round: one trains everything, one the end only.")
    for name, given in (("use_loss_scale", args.use_loss_scale), ("loss_scale_base", base == "last_round")):
        if command == "pt" and given:
            problems.add(f"--{name}: plain text has no questions and no agent's answers. Leave it out.")
    if base != "default":
        reasons.note("template.loss_scale_base", reasons.sources.get("loss_scale_base", "default"))
    if loss_scale is not None:
        reasons.take("template.loss_scale", "loss_scale_config_path", weights)
    return replace(
        template,
        train_on_inputs=args.train_on_inputs or base == "all",
        last_round=base == "last_round",
        loss_scale=loss_scale,
    )


def _plain_text(template: Any, reasons: Reasons) -> Any:
    reasons.note("template.template_type", "plain text: the end token after each text, nothing else")
    return replace(template, template_type="default-generation")


def _fit_attention(
    args: Any, data: Any, attention: str, facts: TrainFacts, reasons: Reasons, problems: Problems
) -> tuple[Any, str]:
    """Flat batches need an attention that keeps samples apart; without one the batch is padded."""
    unproven = not supports_varlen(facts.model.model_config)
    masked = attention in ("sdpa", "eager")
    if not data.padding_free:
        reasons.take("data.padding_free", "padding_free", False)
        return data, "sdpa" if attention == "varlen" and "attn_impl" not in reasons.sources else attention
    if not unproven and not masked:
        reasons.note(
            "data.padding_free",
            reasons.sources.get("padding_free", "samples lie end to end; no work is spent on padding"),
        )
        return data, attention
    why = f"--attn_impl is {attention}" if masked else f"{facts.model.architecture} is not proven to keep samples apart"
    if data.packing:
        problems.add(
            f"--packing true needs attention that keeps samples apart; {why}. Leave --attn_impl out, or use --packing false."
        )
    elif args.padding_free:
        problems.add(f"--padding_free true needs attention that keeps samples apart; {why}. Leave one of them out.")
    reasons.note("data.padding_free", f"{why}, so batches are padded")
    if unproven and not masked:
        attention = "sdpa"
        reasons.note("model.attention", "scaled dot-product attention of torch: " + why)
    return replace(data, padding_free=False), attention


COPIED = (
    "batch_size", "optim", "adam_beta1", "adam_beta2", "adam_epsilon", "weight_decay", "max_grad_norm", "lr_scheduler_type",
    "warmup_ratio", "warmup_steps", "neftune_noise_alpha", "full_determinism", "seed", "group_by_length", "ignore_data_skip",
    "dataloader_drop_last", "save_strategy", "save_only_model", "save_safetensors", "save_on_each_node", "logging_steps",
    "logging_dir", "disable_tqdm", "acc_strategy", "acc_steps", "include_num_input_tokens_seen", "predict_with_generate",
    "early_stopping_patience", "ddp_backend", "ddp_timeout", "ddp_find_unused_parameters", "ddp_broadcast_buffers",
)  # fmt: skip
"""Arguments that the loop takes by their own name, as they are."""


def _resolve_trainer(
    args: Any,
    facts: TrainFacts,
    tuner: TunerPlan,
    model: ModelPlan,
    compute: str,
    data: Any,
    reasons: Reasons,
    problems: Problems,
) -> TrainerConfig:
    full = tuner.sft_type == "full"
    method = f"default for sft_type {tuner.sft_type}"
    _check_counts(args, reasons, problems)

    def decide(name: str, decided: Any, why: str) -> Any:
        return reasons.decide(f"trainer.{name}", name, getattr(args, name), decided, why)

    batch = max(args.batch_size, 1)
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
            "gradient_accumulation_steps", math.ceil(16 / batch), f"16 samples an update: ceil(16 / batch_size {batch})"
        ),
        num_train_epochs=reasons.take("trainer.num_train_epochs", "num_train_epochs", float(args.num_train_epochs)),
        max_steps=args.max_steps if args.max_steps > 0 else -1,
        lr_scheduler_kwargs=dict(args.lr_scheduler_kwargs or {}),
        autocast=None if compute == "fp32" else compute,
        gradient_checkpointing=_resolve_checkpointing(args, facts, tuner, model, compute, data, reasons),
        data_seed=data.seed,
        shuffle=data.shuffle,
        longest_first=data.longest_first,
        dataloader_num_workers=decide(
            "dataloader_num_workers", 0, "samples are memory-mapped tokens; a worker process would only copy them"
        ),
        dataloader_pin_memory=args.dataloader_pin_memory and bool(facts.machine.gpus),
        evaluation_strategy=_resolve_evaluation(args, data, reasons, problems),
        eval_steps=eval_steps,
        save_steps=decide("save_steps", eval_steps, "copies eval_steps"),
        save_total_limit=None if args.save_total_limit is None or args.save_total_limit < 0 else args.save_total_limit,
        report_to=tuple(args.report_to),
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
            problems.add(
                f"--evaluation_strategy {strategy}: there is no validation data. Give --val_dataset or {how}."
            )
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
                   num_trainable: int | None = None, optim: str = "adamw") -> Any:  # fmt: skip
    """A :class:`MemoryEstimate` for micro-batches of ``tokens`` tokens; adapters are taken as 1 % of the parameters until counted."""
    total = facts.model.num_parameters or stored_parameters(facts.model) or 0
    if num_trainable is None:
        num_trainable = total if tuner.sft_type == "full" else total // 100
    return estimate(
        facts.model.model_config,
        num_parameters=total,
        num_trainable=num_trainable,
        weight_dtype=model.dtype,
        compute_dtype=compute,
        tokens=tokens,
        trained_tokens=tokens if trained_tokens is None else trained_tokens,
        tokens_per_chunk=TOKENS_PER_CHUNK,
        optim=optim,
        weight_bytes=held_bytes(facts.model.model_config, total, model.dtype, model.quantization)
        if model.quantization is not None
        else None,
    )


def predict_checkpoint_bytes(plan: TrainPlan, num_parameters: int, num_trainable: int) -> int:
    """Bytes of one checkpoint of this run."""
    whole = {"full": num_parameters, "llamapro": num_parameters + num_trainable}
    saved = whole.get(plan.tuner.sft_type, num_trainable)
    return checkpoint_bytes(
        num_saved=saved,
        num_trainable=num_trainable,
        weight_dtype=plan.model.dtype,
        only_model=plan.trainer.save_only_model,
    )


def _facts_told(facts: TrainFacts) -> dict[str, Any]:
    machine = facts.machine
    return {
        "machine": f"{machine.num_cores} cores, {machine.memory_gib:.0f} GiB, "
        + (", ".join(f"{gpu.name} {gpu.memory_gib:.0f} GiB" for gpu in machine.gpus) or "no GPU"),
        "model_config": dict(facts.model.model_config),
        "memory_gib": machine.gpus[0].memory_gib if machine.gpus else machine.memory_gib,
        "versions": {
            name: machine.versions[name] for name in ("torch", "transformers", "peft") if name in machine.versions
        },
    }


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
