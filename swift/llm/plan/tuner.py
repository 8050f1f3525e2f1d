"""The tuning method of a run: its row, its own settings, where it goes. A method's arguments are those that its row names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from swift.llm.catalog.rows import ModelRow, TunerRow
from swift.llm.plan.plans import DataPlan, ModelPlan, TemplatePlan, TunerPlan
from swift.llm.plan.problems import Problems, Reasons
from swift.trainers.config import TrainerConfig
from swift.tuners.longlora.config import SHARE
from swift.tuners.lora.config import FROM_DATA
from swift.tuners.reft.config import Positions
from swift.tuners.settings import Settings
from swift.tuners.vision import NO_VISION
from swift.utils.errors import PlanError
from swift.utils.lazy import load

__all__ = [
    "PLACES",
    "changes_weights",
    "fit_batches",
    "fit_loop",
    "fit_samples",
    "num_rounds",
    "refuse_merge",
    "resolve_tuner",
]

PLACES = ("target_modules", "target_regex", "layers_to_transform", "modules_to_save", "freeze_vit")
"""Arguments that say where an adapter goes."""

RESTARTS = ("adamw_torch", "adamw_torch_fused", "adagrad", "rmsprop", "sgd")
"""Optimizers whose averages have the shape of what they are of, in full precision: a restart of ReLoRA can prune them."""


def resolve_tuner(
    args: Any, row: ModelRow, tuners: Mapping[str, TunerRow], reasons: Reasons, problems: Problems
) -> TunerPlan:
    """The method as it will be attached; what was given but is another method's is refused."""
    name = reasons.take("tuner.sft_type", "sft_type", args.sft_type)
    method = tuners[name]
    if method.tuner is None:
        ready = ", ".join(sorted(key for key, tuner in tuners.items() if tuner.tuner))
        why = (
            f"is not in this version: {method.help} Use another method:"
            if method.help
            else "is not in this version; it has"
        )
        problems.add(f"--sft_type {name}: {method.title} {why} {ready}.")
    if args.tuner_backend == "swift" and not reasons.sources.get("tuner_backend", "").startswith("checkpoint"):
        problems.add(
            "--tuner_backend swift: adapters are written as peft has them; those of the older own layout are read without it, and"
            " `swift export --to_peft_format true` converts them. Leave it out."
        )
    _refuse_foreign(method, tuners, reasons, problems)
    options = {flag: getattr(args, flag) for flag in method.arguments}
    options = {flag: tuple(value) if isinstance(value, list) else value for flag, value in options.items()}
    for flag, value in options.items():
        reasons.take(f"tuner.{flag}", flag, value)
    if options.get("freeze_vit") and not reads_images(row):
        reasons.note("tuner.freeze_vit", f"{row.model_type} reads no images: it has no vision part to freeze")
        options["freeze_vit"] = False
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
    start = str(options.get("init_lora_weights")).lower()
    if start in FROM_DATA and args.streaming:
        problems.add(f"--init_lora_weights {start}: looks at the training set before it begins, and --streaming true reads it"
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


def fit_batches(
    args: Any, tuner: TunerPlan, tuners: Mapping[str, TunerRow], data: DataPlan, reasons: Reasons, problems: Problems
) -> DataPlan:
    """Rows of one sample each where the method puts something before every sample, which a flat batch has no place for."""
    method = tuners[tuner.sft_type]
    if not method.padded:
        return data
    why = f"--sft_type {method.name} puts learned tokens before each sample"
    if data.packing:
        problems.add(f"--packing true: {why}, and a pack has only one beginning. Leave it out.")
    if args.padding_free:
        problems.add(f"--padding_free true: {why}, and a flat batch has only one beginning. Leave it out.")
    if args.attn_impl == "varlen":
        problems.add(f"--attn_impl varlen: is for flat batches, and {why}. Leave it out.")
    reasons.note("data.padding_free", f"{why}, so batches are padded")
    return replace(data, padding_free=False)


def fit_loop(
    args: Any,
    tuner: TunerPlan,
    tuners: Mapping[str, TunerRow],
    model: ModelPlan,
    trainer: TrainerConfig,
    reasons: Reasons,
    problems: Problems,
) -> TrainerConfig:
    """What a method and the loop want of each other: no activations computed twice, or a rate that rises after each restart."""
    if not tuners[tuner.sft_type].recomputes:
        why = f"it would lose the keys and values that --sft_type {tuner.sft_type} learns"
        if args.gradient_checkpointing:
            problems.add(f"--gradient_checkpointing true: {why}. Leave it out.")
        reasons.note("trainer.gradient_checkpointing", why)
        trainer = replace(trainer, gradient_checkpointing=False)
    every = tuner.options.get("relora_steps")
    if not every:
        for flag in ("relora_warmup_steps", "relora_anneal_steps", "relora_prune_ratio"):
            if flag in reasons.sources and not reasons.sources[flag].startswith("checkpoint"):
                problems.add(f"--{flag}: has an effect only with --relora_steps. Leave it out, or add that.")
        return trainer
    if model.quantization is not None:
        problems.add(
            f"--relora_steps {every}: the factors go into the weights, and these are packed. Leave one of them out."
        )
    if trainer.optim not in RESTARTS:
        problems.add(
            f"--relora_steps {every}: does not know what --optim {trainer.optim} keeps. Use one of {', '.join(RESTARTS)}."
        )
    if 0 < trainer.max_steps <= every:
        problems.add(
            f"--relora_steps {every}: a run of {trainer.max_steps} steps ends before the first restart. Lower it."
        )
    reasons.note("trainer.restart_steps", "the rate rises again after each restart of the factors")
    reasons.note(
        "tuner.relora_steps",
        f"{reasons.by_field['tuner.relora_steps']}; each restart adds the factors of one round to a checkpoint",
    )
    return replace(
        trainer,
        restart_steps=every,
        restart_warmup=tuner.options["relora_warmup_steps"],
        restart_anneal=tuner.options["relora_anneal_steps"],
    )


def changes_weights(tuner: TunerPlan) -> bool:
    """Whether the weights themselves move while training, by steps that half precision would lose."""
    return tuner.sft_type == "full" or bool(tuner.options.get("relora_steps"))


def num_rounds(tuner: TunerPlan, num_steps: int) -> int:
    """How many adapters' worth of factors the last checkpoint of so many steps holds; one without restarts."""
    every = tuner.options.get("relora_steps")
    return 1 + (max(num_steps, 1) - 1) // every if every else 1


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


def reads_images(row: ModelRow) -> bool:
    """Whether the model has a vision part."""
    return bool({"image", "video"} & set(row.modality))


def _targets(args: Any, row: ModelRow, reasons: Reasons) -> tuple[str, ...]:
    targets = _named_targets(args, row, reasons)
    if not args.freeze_vit:
        return targets
    if not reads_images(row):
        reasons.by_field["tuner.target_modules"] += (
            f"; freeze_vit: {row.model_type} reads no images, nothing to leave out"
        )
        return targets
    reasons.by_field["tuner.target_modules"] += "; nothing inside the vision part (freeze_vit)"
    return (*(targets or ("ALL",)), NO_VISION)


def _named_targets(args: Any, row: ModelRow, reasons: Reasons) -> tuple[str, ...]:
    targets: tuple[str, ...] = tuple(args.target_modules)
    for flag, field in (("layers_to_transform", "layers"), ("modules_to_save", "modules_to_save")):
        reasons.take(f"tuner.{field}", flag, getattr(args, flag))
    if args.target_regex is not None:
        reasons.take("tuner.target_regex", "target_regex", args.target_regex)
        reasons.note("tuner.target_modules", "target_regex stands for them")
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
