"""One training run, decided: ``resolve_train`` is pure, the same arguments and facts give the same plan.

Every conflict is collected and reported together; every value that somebody could ask about carries its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from swift.kernels.support import supports_varlen
from swift.llm.catalog.rows import ModelRow, TunerRow
from swift.llm.plan.data import resolve_data
from swift.llm.plan.facts import MachineFacts, ModelFacts
from swift.llm.plan.loop import resolve_loop
from swift.llm.plan.memory import BYTES, checkpoint_bytes, state_bytes
from swift.llm.plan.model import resolve_attention, resolve_dtype, resolve_model, resolve_template
from swift.llm.plan.plans import DataPlan, GeneratePlan, TemplatePlan, TrainPlan
from swift.llm.plan.problems import Problems, Reasons
from swift.llm.plan.quant import resolve_quantization
from swift.llm.plan.tuner import changes_weights, fit_batches, fit_loop, fit_samples, num_rounds, resolve_tuner
from swift.llm.plan.unsloth import pad_for_unsloth, through_unsloth

NOT_YET: Mapping[str, str] = {
    "deepspeed": "DeepSpeed",
    "fsdp": "FSDP",
    "fsdp_config": "FSDP",
    "push_to_hub": "uploading while training (train first, then upload the folder)",
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
        "a floor rate outside Megatron (use --cosine_min_lr_ratio)",
    ),
    "fsdp_num": (1, "TorchAcc"),
    "model_layer_cls_name": (None, "TorchAcc"),
    "metric_warmup_step": (0, "TorchAcc"),
    "gpu_memory_fraction": (None, "a cap on GPU memory"),
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
    data = fit_batches(args, tuner, tuners, data, reasons, problems)
    data = pad_for_unsloth(args, data, reasons, problems)
    attention = resolve_attention(
        args, facts.model, facts.machine, flat=data.padding_free, reasons=reasons, problems=problems
    )
    data, attention = _fit_attention(args, data, attention, facts, reasons, problems)
    tuner, template = fit_samples(args, command, tuner, template, data, reasons, problems)
    held = "fp32" if changes_weights(tuner) or (compute == "fp16" and not facts.machine.gpus) else compute
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
    model, tuner = through_unsloth(args, model, tuner, template, row, facts.machine, reasons, problems)
    trainer = resolve_loop(args, facts, tuner, model, compute, data, reasons, problems)
    trainer = fit_loop(args, tuner, tuners, model, trainer, reasons, problems)
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
    template = resolve_template(args, model, row, templates, truncation=truncation, reasons=reasons, problems=problems)
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
        if value != only:
            problems.add(f"--{name} {_shown(value)}: {what} is not in this version. Leave it out.")
    for prefix, method in SATELLITES.items():
        given = [name for name in sources if name.startswith(prefix)]
        if given and not getattr(args, method) and not (prefix == "galore_" and args.optim.startswith(prefix)):
            problems.add(
                f"{', '.join('--' + name for name in given)}: has an effect only with --{method}. Leave it out, or add that."
            )
    for name, needed in EFFECT_ONLY_WITH.items():
        if name in sources:
            problems.add(f"--{name}: has an effect only with {needed}, which is not in this version. Leave it out.")
    if "loss_scale_config_path" in sources and not args.use_loss_scale:
        problems.add(
            "--loss_scale_config_path: has an effect only with --use_loss_scale true. Leave it out, or add that."
        )
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
    masked = attention in ("sdpa", "eager", "flex_attention")
    if not data.padding_free:
        if "data.padding_free" not in reasons.by_field:  # else the method wants it so
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


def predict_checkpoint_bytes(
    plan: TrainPlan, num_parameters: int, num_trainable: int, num_steps: int = -1, *, num_saved: int | None = None
) -> int:
    """Bytes of one checkpoint of this run, the last one of ``num_steps`` steps (-1: those of the plan, or the first one).

    ``num_saved`` are the values of an adapter's file, None: as many as are trained. They are fp32 unless ``lora_dtype`` says otherwise.
    """
    whole = {"full": num_parameters, "llamapro": num_parameters + num_trainable}
    rounds = num_rounds(plan.tuner, num_steps if num_steps > 0 else plan.trainer.max_steps)
    saved = whole.get(plan.tuner.sft_type, (num_trainable if num_saved is None else num_saved) * rounds)
    dtype = plan.tuner.options.get("lora_dtype")
    trainer = plan.trainer
    return checkpoint_bytes(
        num_saved=saved,
        state_bytes=state_bytes(
            plan.facts["model_config"],
            num_trainable=num_trainable,
            optim=trainer.optim,
            galore=trainer.galore,
            lisa_layers=trainer.lisa_layers,
            with_codes=True,
        ),
        weight_dtype=plan.model.dtype if plan.tuner.sft_type in whole else dtype if dtype in BYTES else "fp32",
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
