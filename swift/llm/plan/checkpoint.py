"""Weights, template and tuner of a model that is to answer: what its checkpoint was trained with, unless something else was
given. Pure decisions, shared by the resolvers of infer and merge-lora.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from swift.environments.locate import Located
from swift.kernels.support import supports_varlen
from swift.llm.arguments.quant import QuantArguments
from swift.llm.catalog.rows import ModelRow, TunerRow
from swift.llm.plan.facts import CheckpointFacts, MachineFacts, ModelFacts
from swift.llm.plan.model import resolve_attention, resolve_dtype, resolve_model, resolve_template
from swift.llm.plan.plans import Dtype, ModelPlan, TemplatePlan, TrainPlan, TunerPlan
from swift.llm.plan.problems import Problems, Reasons
from swift.llm.plan.quant import QUANT_ARGUMENTS, resolve_quantization
from swift.llm.plan.store import from_json

__all__ = ["InferFacts", "recorded_run", "resolve_weights", "stored_dtype", "tuner_of", "unquantized", "was_given"]

TEMPLATE_FIELDS = {
    "template_type": "template_type", "system": "system", "tools_prompt": "tools_prompt", "date": "template_date",
    "enable_thinking": "enable_thinking", "permissive_special_tokens": "permissive_special_tokens",
}  # fmt: skip
"""Field of TemplatePlan → argument: what a checkpoint was trained with holds unless the argument was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InferFacts:
    """What the resolver needs to know of the world. ``stamp`` names the result file (YYYYmmdd-HHMMSS); ``hqq_layers`` is what
    the file of HQQ's settings of single layers says; ``more`` are adapters that are added beside the checkpoint's.
    ``environments`` tells of each engine's packages where they are, ``modules`` are the adapters of --lora_modules by name.
    """

    machine: MachineFacts
    model: ModelFacts
    checkpoint: CheckpointFacts | None = None
    more: tuple[CheckpointFacts, ...] = ()
    checkpoint_generation_config: Mapping[str, Any] | None = None
    hqq_layers: Mapping[str, Any] | None = None
    environments: Mapping[str, Located] = field(default_factory=dict)
    modules: tuple[tuple[str, CheckpointFacts], ...] = ()
    stamp: str = ""


def recorded_run(checkpoint: CheckpointFacts | None) -> TrainPlan | None:
    """The training plan that a checkpoint carries. Raises CheckpointError for one of another version."""
    if checkpoint is None or checkpoint.plan is None:
        return None
    return from_json(checkpoint.plan, TrainPlan, str(Path(checkpoint.path) / "plan.json"))


def resolve_weights(
    args: Any,
    facts: InferFacts,
    row: ModelRow,
    templates: Mapping[str, Any],
    tuners: Mapping[str, TunerRow],
    reasons: Reasons,
    problems: Problems,
) -> tuple[ModelPlan, TemplatePlan, TunerPlan | None]:
    """Model, template and (for an adapter) tuner: what the checkpoint was trained with, unless something else was given."""
    recorded = recorded_run(facts.checkpoint) if args.load_args_from_ckpt_dir else None
    where = f"checkpoint {Path(facts.checkpoint.path).name}" if facts.checkpoint else ""
    if facts.checkpoint is not None:
        reasons.note("model.path", where if facts.checkpoint.kind == "full" else f"the base of {where}")
    compute = resolve_dtype(args, facts.model, facts.machine, row, reasons, problems)
    flat = supports_varlen(facts.model.model_config)
    model = resolve_model(
        # The checkpoint's scaling is taken as it was decided then, below; it is not decided anew without max_length.
        replace(args, rope_scaling=args.rope_scaling if was_given("rope_scaling", reasons) else None),
        facts.model,
        facts.machine,
        row,
        dtype=compute,
        attention=resolve_attention(args, facts.model, facts.machine, flat=flat, reasons=reasons, problems=problems),
        reasons=reasons,
        problems=problems,
    )
    model = replace(model, quantization=_quantization(args, facts, recorded, row, compute, where, reasons, problems))
    truncation = args.truncation_strategy
    if truncation in ("split", "truncation_right"):
        problems.add(
            f"--truncation_strategy {truncation}: a prompt keeps its end, in one piece. Use delete or truncation_left."
        )
    if truncation == "raise":
        problems.add(
            "--truncation_strategy raise: is for training. Use delete; swift infer stops there with --strict_data true."
        )
    template = resolve_template(
        args, facts.model, row, templates, truncation=truncation, reasons=reasons, problems=problems
    )
    if recorded is not None:
        kept = {
            field: getattr(recorded.template, field)
            for field, argument in TEMPLATE_FIELDS.items()
            if not was_given(argument, reasons)
        }
        for field in kept:
            reasons.note(f"template.{field}", where)
        template = replace(template, **kept)
        if recorded.model.rope_scaling and not was_given("rope_scaling", reasons):
            model = replace(model, rope_scaling=recorded.model.rope_scaling)
            reasons.note("model.rope_scaling", where)
    return model, template, _resolve_tuner(args, facts, recorded, tuners, where, reasons, problems)


def was_given(argument: str, reasons: Reasons) -> bool:
    """Whether somebody said it now: on the command line, in a file or in Python; not the checkpoint."""
    return not reasons.sources.get(argument, "checkpoint").startswith("checkpoint")


def _resolve_tuner(
    args: Any,
    facts: InferFacts,
    recorded: TrainPlan | None,
    tuners: Mapping[str, TunerRow],
    where: str,
    reasons: Reasons,
    problems: Problems,
) -> TunerPlan | None:
    if facts.checkpoint is None or facts.checkpoint.kind != "adapter":
        if was_given("sft_type", reasons) and args.sft_type != "full" and facts.checkpoint is None:
            problems.add(
                f"--sft_type {args.sft_type}: there is no --ckpt_dir with such an adapter. Leave one out or give both."
            )
        return None
    tuner = tuner_of(facts.checkpoint, recorded, tuners, problems)
    if tuner is None:
        return None
    reasons.note("tuner.sft_type", where if recorded is not None else "adapter_config.json of the checkpoint")
    if was_given("sft_type", reasons) and args.sft_type != tuner.sft_type:
        problems.add(f"--sft_type {args.sft_type}: the checkpoint was tuned with {tuner.sft_type}. Leave it out.")
    return tuner


def tuner_of(
    checkpoint: CheckpointFacts, recorded: TrainPlan | None, tuners: Mapping[str, TunerRow], problems: Problems
) -> TunerPlan | None:
    """The method that an adapter was trained with: as its run recorded it, else as its own file says."""
    if recorded is not None:
        return recorded.tuner
    name = str((checkpoint.adapter_config or {}).get("peft_type", "lora")).lower()
    if name not in tuners or tuners[name].tuner is None:
        problems.add(f"--ckpt_dir {checkpoint.path}: an adapter of kind {name}, which is not in this version.")
        return None
    return TunerPlan(sft_type=name, code=tuners[name].tuner)


def stored_dtype(facts: InferFacts) -> Dtype:
    """The dtype that the base is stored in: what a merge keeps, since the adapter's sum fits no other one better."""
    stored = facts.model.weight_dtype
    if facts.model.quantization_config:  # the files' own integers say nothing of the weights they stand for
        config = facts.model.model_config
        named = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16").removeprefix("torch.")
        return {"float32": "fp32", "float16": "fp16"}.get(named, "bf16")  # type: ignore[return-value]
    return stored if stored in ("fp32", "fp16", "bf16") else "fp32"  # type: ignore[return-value]


def _quantization(
    args: Any,
    facts: InferFacts,
    recorded: TrainPlan | None,
    row: ModelRow,
    compute: Dtype,
    where: str,
    reasons: Reasons,
    problems: Problems,
) -> Mapping[str, Any] | None:
    """How the weights are held: as given now, else as an adapter was trained over them.

    Whole weights are those of a full run or of a merge, and a merge goes into plain weights: theirs is not taken over.
    """
    adapter = facts.checkpoint is not None and facts.checkpoint.kind == "adapter"
    if not adapter and not any(was_given(name, reasons) for name in QUANT_ARGUMENTS):
        args = unquantized(args)
    layers = facts.hqq_layers
    if layers is None and recorded is not None and recorded.model.quantization is not None:
        layers = recorded.model.quantization.get("hqq_layers")
    decided = resolve_quantization(
        args, facts.model, facts.machine, row, compute=compute, sft_type=_tuned_with(args, facts, recorded) if adapter else None,
        trains=False, layers=layers, reasons=reasons, problems=problems,
    )  # fmt: skip
    if decided is None:
        return None
    if adapter and not was_given("quantization_bit", reasons):
        reasons.note(
            "model.quantization_bit", f"{where} was trained over it" if not decided.get("stored") else "config.json"
        )
    return decided


def _tuned_with(args: Any, facts: InferFacts, recorded: TrainPlan | None) -> str:
    """The method of the checkpoint's adapter."""
    config = (facts.checkpoint.adapter_config if facts.checkpoint is not None else None) or {}
    return recorded.tuner.sft_type if recorded is not None else str(config.get("peft_type", args.sft_type)).lower()


def unquantized(args: Any) -> Any:
    """The arguments without anything about weights in few bits."""
    return replace(args, **{field.name: field.default for field in fields(QuantArguments)})
