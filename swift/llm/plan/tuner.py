"""The tuning method of a run: its row, its own settings, where it goes. A method's arguments are those that its row names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from swift.llm.catalog.rows import ModelRow, TunerRow
from swift.llm.plan.plans import DataPlan, TemplatePlan, TunerPlan
from swift.llm.plan.problems import Problems, Reasons
from swift.tuners.longlora.config import SHARE
from swift.tuners.reft.config import Positions
from swift.tuners.settings import Settings
from swift.utils.errors import PlanError
from swift.utils.lazy import load

__all__ = ["PLACES", "fit_samples", "refuse_merge", "resolve_tuner"]

PLACES = ("target_modules", "target_regex", "layers_to_transform", "modules_to_save")
"""Arguments that say where an adapter goes."""

BACKENDS: Mapping[str, str] = {
    "swift": "adapters are written as peft has them, whatever reads them",
    "unsloth": "its kernels are not in this version",
}
"""Values of ``tuner_backend`` that are refused, and why."""


def resolve_tuner(
    args: Any, row: ModelRow, tuners: Mapping[str, TunerRow], reasons: Reasons, problems: Problems
) -> TunerPlan:
    """The method as it will be attached; what was given but is another method's is refused."""
    name = reasons.take("tuner.sft_type", "sft_type", args.sft_type)
    method = tuners[name]
    if method.tuner is None:
        ready = ", ".join(sorted(key for key, tuner in tuners.items() if tuner.tuner))
        problems.add(f"--sft_type {name}: {method.title} is not in this version; it has {ready}.")
    if args.tuner_backend in BACKENDS:
        problems.add(f"--tuner_backend {args.tuner_backend}: {BACKENDS[args.tuner_backend]}. Leave it out.")
    _refuse_foreign(method, tuners, reasons, problems)
    options = {flag: getattr(args, flag) for flag in method.arguments}
    options = {flag: tuple(value) if isinstance(value, list) else value for flag, value in options.items()}
    for flag, value in options.items():
        reasons.take(f"tuner.{flag}", flag, value)
    if method.settings is not None:
        try:
            settings = load(method.settings).read(options)
            if (
                isinstance(settings, Settings)
                and args.max_steps > 0
                and (wrong := settings.problem_with(args.max_steps))
            ):
                problems.add(wrong)
        except PlanError as error:
            for problem in error.problems:
                problems.add(problem)
    if options.get("init_lora_weights") == "eva" and args.streaming:
        problems.add("--init_lora_weights eva: looks at the training set before it begins, and --streaming true reads it"
                     " only once. Leave one of them out.")  # fmt: skip
    if not method.adapter or not method.placed:
        return TunerPlan(sft_type=name, code=method.tuner, options=options)
    return TunerPlan(
        sft_type=name,
        code=method.tuner,
        target_modules=_targets(args, row, reasons),
        target_regex=args.target_regex,
        layers=tuple(args.layers_to_transform),
        modules_to_save=tuple(args.modules_to_save),
        options=options,
    )


def fit_samples(
    args: Any,
    command: str,
    tuner: TunerPlan,
    template: TemplatePlan,
    data: DataPlan,
    reasons: Reasons,
    problems: Problems,
) -> tuple[TunerPlan, TemplatePlan]:
    """What a method and the samples want of each other: the groups of LongLoRA's attention, the prompts that ReFT edits."""
    if tuner.sft_type == "longlora":
        if not data.padding_free:
            why = reasons.by_field.get("data.padding_free", "")
            problems.add(
                f"--sft_type longlora: its attention needs flat batches, and these are padded ({why}). Use lora."
            )
        group = None if template.max_length is None else max(template.max_length // SHARE, 1)
        told = "a quarter of each sample" if group is None else f"a quarter of max_length {template.max_length:,}"
        reasons.note("tuner.group_size", f"tokens that attend to each other while training: {told}")
        return replace(tuner, options={**tuner.options, "group_size": group}), template
    if tuner.sft_type == "reft" and not _edits_all(tuner):
        if command == "pt" or args.train_on_inputs or args.loss_scale_base == "all":
            problems.add(
                "--sft_type reft: edits the prompt of each sample, and here everything is trained, so none has one. Add"
                """ --reft_args '{"positions": "all"}', or train on answers only."""
            )
        elif "loss_scale_base" not in reasons.sources:
            reasons.note("template.last_round", "ReFT edits one prompt a sample: what comes before the last answer")
            return tuner, replace(template, last_round=True)
    return tuner, template


def _edits_all(tuner: TunerPlan) -> bool:
    """Whether ReFT goes to every token; settings that cannot be were told before."""
    positions = Positions.read(str((tuner.options.get("reft_args") or {}).get("positions", "")))
    return positions is not None and positions.every


def refuse_merge(tuner: TunerPlan, tuners: Mapping[str, TunerRow], problems: Problems) -> None:
    """A method without a merge is told before anything is loaded."""
    known = tuners.get(tuner.sft_type)
    if known is not None and not known.merges:
        problems.add(
            f"--sft_type {tuner.sft_type}: {known.title} cannot be folded into plain weights."
            " Answer with the checkpoint itself: swift infer --ckpt_dir."
        )


def _targets(args: Any, row: ModelRow, reasons: Reasons) -> tuple[str, ...]:
    targets: tuple[str, ...] = tuple(args.target_modules)
    for flag, field in (("layers_to_transform", "layers"), ("modules_to_save", "modules_to_save")):
        reasons.take(f"tuner.{field}", flag, getattr(args, flag))
    if args.target_regex is not None:
        reasons.take("tuner.target_regex", "target_regex", args.target_regex)
    elif set(targets) & {"DEFAULT", "AUTO"}:
        rest = tuple(item for item in targets if item not in ("DEFAULT", "AUTO"))
        given = reasons.sources.get("target_modules", "default")
        reasons.note("tuner.target_modules", f"{given}: DEFAULT is what row {row.model_type} names")
        return row.default_targets + rest
    else:
        reasons.take("tuner.target_modules", "target_modules", targets)
    return targets


def _refuse_foreign(method: TunerRow, tuners: Mapping[str, TunerRow], reasons: Reasons, problems: Problems) -> None:
    """What was given, not taken from a checkpoint, and belongs to other methods only."""
    given = {name for name, where in reasons.sources.items() if not where.startswith("checkpoint")}
    owners: dict[str, list[str]] = {}
    for row in tuners.values():
        for flag in (*row.arguments, *(PLACES if row.adapter and row.placed else ())):
            owners.setdefault(flag, []).append(row.name)
    for flag in sorted(given & owners.keys()):
        if method.name not in owners[flag]:
            of = f"--sft_type {' or '.join(owners[flag])}" if len(owners[flag]) < 4 else "adapters"
            problems.add(f"--{flag}: has an effect only with {of}; --sft_type is {method.name}. Leave one of them out.")
