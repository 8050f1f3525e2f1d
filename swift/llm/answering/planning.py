"""Arguments to the plans of infer and merge-lora: read the checkpoint, lay its settings under what was given, resolve."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from swift.environments.locate import Located, env_root, locate
from swift.environments.rows import ENVIRONMENTS
from swift.llm.arguments.commands import MergeLoraArguments
from swift.llm.arguments.commands.answering import AnsweringArguments
from swift.llm.catalog.registries import ENGINE_MAPPING, MODEL_MAPPING, TEMPLATE_MAPPING, TUNER_MAPPING
from swift.llm.catalog.rows import ModelRow
from swift.llm.plan.checkpoint import InferFacts
from swift.llm.plan.engine import CKPT_NAME
from swift.llm.plan.export import OF_EXPORT, refuse_what_is_missing, resolve_export
from swift.llm.plan.facts import CheckpointFacts, gather_checkpoint, gather_machine, holds_adapter
from swift.llm.plan.find import find_model, inherit, register_rows
from swift.llm.plan.infer import resolve_infer
from swift.llm.plan.merge import resolve_merge
from swift.llm.plan.plans import ExportPlan, InferPlan, MergePlan
from swift.llm.plan.quant import read_hqq_layers
from swift.utils.errors import CheckpointError, ModelError, PlanError
from swift.utils.files import read_json
from swift.utils.log import logger
from swift.utils.manifest import newest_valid_checkpoint

__all__ = ["make_export_plan", "make_infer_plan", "make_merge_plan"]


def make_infer_plan(
    args: Any, sources: Mapping[str, str], *, located: Mapping[str, Located] | None = None
) -> InferPlan:
    """The plan of one inference run; loads no weights. Raises PlanError with every conflict at once, CheckpointError.

    ``located`` says where the packages of engines are, for one that has not taken its place yet (by environment).
    """
    args, sources, facts, row, why = _gather(args, sources)
    facts = replace(facts, environments={**_environments(args), **(located or {})}, modules=_modules(args.lora_modules))
    return resolve_infer(
        args, sources, facts, row, why, templates=TEMPLATE_MAPPING, tuners=TUNER_MAPPING, engines=ENGINE_MAPPING
    )


def make_merge_plan(args: Any, sources: Mapping[str, str]) -> MergePlan:
    """The plan of one merge; loads no weights. Raises PlanError with every conflict at once, CheckpointError."""
    if args.ckpt_dir is None:
        raise PlanError(
            ["--ckpt_dir: which adapter to merge was not given. Give the checkpoint-<step> folder of an adapter's run."]
        )
    more = tuple(_whole(folder, "--more_ckpt_dirs") for folder in args.more_ckpt_dirs)
    args, sources, facts, row, why = _gather(args, sources)
    facts = replace(facts, more=more)
    return resolve_merge(args, sources, facts, row, why, templates=TEMPLATE_MAPPING, tuners=TUNER_MAPPING)


def make_export_plan(args: Any, sources: Mapping[str, str]) -> ExportPlan:
    """The plan of one export; loads no weights. Raises PlanError with every conflict at once, CheckpointError."""
    refuse_what_is_missing(args, sources)
    merge = None
    if args.merge_lora:
        kept = {
            field.name: getattr(args, field.name) for field in fields(AnsweringArguments) if field.name not in OF_EXPORT
        }
        given = {name: where for name, where in sources.items() if name not in OF_EXPORT}
        merge = make_merge_plan(MergeLoraArguments(**kept), given)
    return resolve_export(args, sources, _whole(args.ckpt_dir, "--ckpt_dir"), merge)


def _gather(args: Any, sources: Mapping[str, str]) -> tuple[Any, Mapping[str, str], InferFacts, ModelRow, str]:
    """Look at the world; returns the arguments with the checkpoint's settings laid under them, too."""
    checkpoint = _find_checkpoint(args)
    base_was_given = "model_id_or_path" in sources or "model_type" in sources
    if checkpoint is not None:
        args, sources = _take_over(args, sources, checkpoint)
    register_rows(args)
    try:
        model, row, why = find_model(args, sources)
    except ModelError as error:
        if checkpoint is None or checkpoint.kind == "full" or base_was_given:
            raise
        raise ModelError(
            f"the base of {checkpoint.path} is not where it was: {error} Give --model_id_or_path."
        ) from None
    config = Path(checkpoint.path) / "generation_config.json" if checkpoint is not None else None
    facts = InferFacts(
        machine=gather_machine(),
        model=model,
        checkpoint=checkpoint,
        checkpoint_generation_config=read_json(config) if config is not None and config.is_file() else None,
        hqq_layers=_hqq_layers(args, sources),
        stamp=time.strftime("%Y%m%d-%H%M%S"),
    )
    return args, sources, facts, row, why


def _environments(args: Any) -> dict[str, Located]:
    """Where the packages of each engine are, by the name of its environment."""
    root = env_root(args.env_dir)
    names = {row.environment for row in ENGINE_MAPPING.values() if row.environment is not None}
    return {name: locate(ENVIRONMENTS.find(name), root) for name in sorted(names)}


def _modules(given: Sequence[str]) -> tuple[tuple[str, CheckpointFacts], ...]:
    """The adapters of --lora_modules by name. Raises PlanError, CheckpointError."""
    found: dict[str, CheckpointFacts] = {}
    for item in given:
        name, sign, path = item.partition("=")
        if not sign or not re.fullmatch(r"[\w.-]{1,100}", name):
            raise PlanError(
                [f"--lora_modules {item}: name=path is expected, the name of letters, digits, '-', '_' and '.'."]
            )
        if name in found or name == CKPT_NAME:
            raise PlanError([f"--lora_modules {item}: the name {name!r} is taken. Choose another."])
        facts = _whole(path, "--lora_modules")
        if facts.kind != "adapter":
            raise PlanError([f"--lora_modules {item}: holds a whole model, not an adapter. Give it as --ckpt_dir."])
        found[name] = facts
    return tuple(found.items())


def _hqq_layers(args: Any, sources: Mapping[str, str]) -> dict[str, Any] | None:
    """What the file given now says; that of a checkpoint is in its plan, wherever its file has gone."""
    given = not sources.get("hqq_dynamic_config_path", "checkpoint").startswith("checkpoint")
    return read_hqq_layers(args.hqq_dynamic_config_path) if given and args.hqq_dynamic_config_path else None


def _find_checkpoint(args: Any) -> CheckpointFacts | None:
    """The checkpoint of --ckpt_dir, or whole weights of ours given as --model_id_or_path: they know their template."""
    folder = args.ckpt_dir
    if folder is None and args.model_id_or_path is not None:
        given = Path(args.model_id_or_path).expanduser()
        if holds_adapter(given):
            raise PlanError(
                [f"--model_id_or_path {given}: holds an adapter, not a model. Give it as --ckpt_dir {given}; its base is found"
                 " from what it records."]
            )  # fmt: skip
        if (given / "sft_args.json").is_file() and (given / "config.json").is_file():
            folder = given
    return None if folder is None else _whole(folder, "--ckpt_dir")


def _whole(folder: Any, flag: str) -> CheckpointFacts:
    """What is in the checkpoint that a flag names. Raises CheckpointError where it is none, or damaged."""
    facts = gather_checkpoint(_of_run(Path(folder).expanduser(), flag))
    if facts.problems:
        other = newest_valid_checkpoint(Path(facts.path).parent)
        hint = f" {other} is whole." if other is not None else ""
        raise CheckpointError(f"{flag} {facts.path}: is damaged: {'; '.join(facts.problems[:3])}.{hint}")
    return facts


def _of_run(folder: Path, flag: str) -> Path:
    """A run's folder stands for its newest whole checkpoint."""
    if holds_adapter(folder) or (folder / "config.json").is_file():
        return folder
    newest = newest_valid_checkpoint(folder)
    if newest is None:
        return folder
    logger.info("%s %s: the folder of a run; %s is its newest whole checkpoint", flag, folder, newest.name)
    return newest


def _take_over(args: Any, sources: Mapping[str, str], checkpoint: CheckpointFacts) -> tuple[Any, Mapping[str, str]]:
    """Model, template and tuner settings of the checkpoint, under those that were given."""
    name = f"checkpoint {Path(checkpoint.path).name}"
    told = dict(sources)
    if args.load_args_from_ckpt_dir and checkpoint.sft_args is not None:
        args, told = inherit(args, sources, Path(checkpoint.path), only_model=True)
        recorded = (checkpoint.plan or {}).get("model", {}).get("model_type")
        # What the run decided on, where it was not said: matching anew could find several rows.
        if args.model_type is None and recorded in MODEL_MAPPING:
            args, told["model_type"] = replace(args, model_type=recorded), name
    if checkpoint.kind == "full":
        given = args.model_id_or_path if "model_id_or_path" in sources else None
        if given is not None and Path(given).expanduser().resolve() != Path(checkpoint.path).resolve():
            raise PlanError(
                [f"--model_id_or_path {given}: --ckpt_dir holds whole weights and needs no base. Leave one out."]
            )
        return replace(args, model_id_or_path=checkpoint.path), {
            **told,
            "model_id_or_path": told.get("model_id_or_path", name),
        }
    base = (checkpoint.adapter_config or {}).get("base_model_name_or_path")
    if args.model_type is None and args.model_id_or_path is None and base:
        args, told["model_id_or_path"] = replace(args, model_id_or_path=base), f"adapter_config.json of {name}"
    return args, told
