"""Arguments to a training plan: look at the world, lay the checkpoint's settings under what was given, resolve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from swift.llm.catalog.registries import TEMPLATE_MAPPING, TUNER_MAPPING
from swift.llm.plan.explain import shown
from swift.llm.plan.facts import gather_machine
from swift.llm.plan.find import find_model, inherit, register_rows
from swift.llm.plan.loss_scale import read_loss_scale
from swift.llm.plan.plans import TrainPlan, TunerPlan
from swift.llm.plan.quant import read_hqq_layers
from swift.llm.plan.store import read_plan
from swift.llm.plan.train import TrainFacts, resolve_train
from swift.llm.plan.tuner import PLACES
from swift.llm.training.checkpoints import choose_run_folder, find_checkpoint
from swift.tuners.lora.older import find_older, older_config
from swift.utils.environ import NNODES, NPROC_PER_NODE
from swift.utils.errors import PlanError

FREE_FOR_A_NEW_RUN = (
    "lora_lr_ratio",
    "freeze_parameters",
    "freeze_parameters_ratio",
    "additional_trainable_parameters",
    "group_size",
)
"""Settings of a tuner that say how to go on, not what its weights are."""


def refuse_ranks() -> None:
    """Raise PlanError where the environment asks for several processes, which would be ignored."""
    asked = [variable for variable in (NPROC_PER_NODE, NNODES) if (variable.read() or 1) > 1]
    if asked:
        raise PlanError(
            [
                f"{one.name}={one.read()}: training in several processes is not in this version. Unset it."
                for one in asked
            ]
        )


def make_plan(command: str, args: Any, sources: Mapping[str, str]) -> tuple[TrainPlan, Any]:
    """The plan of one run, and the arguments it was made from (with a checkpoint's settings laid under them).

    Reads small files only (``config.json``, the tokenizer's configuration, safetensors headers); no weight is loaded.
    Raises PlanError with every conflict at once, ModelError, CheckpointError.
    """
    refuse_ranks()
    if args.resume_from_checkpoint:
        checkpoint = find_checkpoint(Path(args.resume_from_checkpoint))
        args, sources = inherit(
            args, sources, checkpoint, only_model=args.resume_only_model, also=settings_of_the_weights()
        )
        if find_older(checkpoint) is not None:
            args, sources = take_older_settings(args, sources, checkpoint)
    register_rows(args)
    model, row, why = find_model(args, sources)
    folder = choose_run_folder(args, sources, row.model_type)
    if folder.resume_from is not None and not args.resume_from_checkpoint:
        args, sources = inherit(args, sources, folder.resume_from, only_model=False)
    facts = TrainFacts(
        machine=gather_machine(),
        model=model,
        run_dir=str(folder.path.absolute()),
        run_dir_reason=folder.reason,
        resume_from=str(folder.resume_from.absolute()) if folder.resume_from else None,
        loss_scale=read_loss_scale(args.loss_scale_config_path) if args.use_loss_scale else None,
        hqq_layers=read_hqq_layers(args.hqq_dynamic_config_path) if args.hqq_dynamic_config_path else None,
    )
    plan = resolve_train(command, args, sources, facts, row, why, templates=TEMPLATE_MAPPING, tuners=TUNER_MAPPING)
    if plan.resume_from is not None:
        refuse_another_tuner(plan, Path(plan.resume_from))
    return plan, args


def settings_of_the_weights() -> set[str]:
    """Arguments that say which shape an adapter has and where it goes: a run that starts from its weights takes them over."""
    own = {name for row in TUNER_MAPPING.values() for name in row.arguments}
    return (own | set(PLACES)) - set(FREE_FOR_A_NEW_RUN)


def take_older_settings(args: Any, sources: Mapping[str, str], checkpoint: Path) -> tuple[Any, Mapping[str, str]]:
    """The arguments with the settings of an adapter in the older own layout (see `tuners.lora.older`), which its files state.

    Raises PlanError where others were given, and where the run is to go on exactly: the older state is not read.
    """
    if not args.resume_only_model:
        raise PlanError(
            [f"--resume_from_checkpoint {checkpoint}: is in the older layout, whose optimiser and place in the data are not read."
             " To start a new run from its weights: --resume_only_model true."]
        )  # fmt: skip
    own = find_older(checkpoint)
    assert own is not None
    config = older_config(own)
    targets = config.get("target_modules") or ()
    stated: dict[str, Any] = {
        "sft_type": "lora", "tuner_backend": "peft", "lora_rank": config["r"], "lora_alpha": config["lora_alpha"],
        "use_dora": bool(config.get("use_dora")), "use_rslora": bool(config.get("use_rslora")),
        "target_modules": () if isinstance(targets, str) else tuple(targets),
        "target_regex": targets if isinstance(targets, str) else None,
        "modules_to_save": tuple(config.get("modules_to_save") or ()),
    }  # fmt: skip
    changed = [
        f"--{name}: is {shown(getattr(args, name))}, and {checkpoint.name} was trained with {shown(value)}. Leave it out."
        for name, value in stated.items()
        if not sources.get(name, "checkpoint").startswith("checkpoint") and getattr(args, name) != value
    ]
    if changed:
        raise PlanError(changed)
    told = {name: f"checkpoint {checkpoint.name}" for name, value in stated.items() if value != getattr(args, name)}
    return replace(args, **stated), {**sources, **told}


def refuse_another_tuner(plan: TrainPlan, checkpoint: Path) -> None:
    """What was trained has the shape it was trained with: settings of the tuner that differ would be ignored.

    Raises PlanError that names each of them.
    """
    if not (checkpoint / "plan.json").is_file():
        return
    before, now = _settings(read_plan(checkpoint / "plan.json", TrainPlan).tuner), _settings(plan.tuner)
    if before["sft_type"] != now["sft_type"]:
        before, now = {"sft_type": before["sft_type"]}, {"sft_type": now["sft_type"]}
    may_change = FREE_FOR_A_NEW_RUN if plan.resume_only_model else ()
    changed = [name for name in now if name not in may_change and before.get(name) != now[name]]
    if changed:
        raise PlanError(
            [f"--{name}: is {shown(now[name])}, and {checkpoint.name} was trained with {shown(before.get(name))}. Leave it out,"
             " or start a run of its own without the checkpoint." for name in changed]
        )  # fmt: skip


def _settings(tuner: TunerPlan) -> dict[str, Any]:
    """The tuner's settings by the names of their arguments, as JSON has them."""
    fields = {"sft_type": tuner.sft_type, "target_modules": tuner.target_modules, "target_regex": tuner.target_regex,
              "modules_to_save": tuner.modules_to_save, **tuner.options}  # fmt: skip
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
