"""Arguments to a training plan: look at the world, lay the checkpoint's settings under what was given, resolve."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swift.llm.arguments.fields import specs
from swift.llm.catalog.registries import (
    DATASET_MAPPING,
    MODEL_MAPPING,
    TEMPLATE_MAPPING,
    TUNER_MAPPING,
    load_custom_register,
    load_dataset_info,
)
from swift.llm.catalog.rows import ModelRow
from swift.llm.plan.facts import ModelFacts, gather_machine, gather_model
from swift.llm.plan.match import match_model
from swift.llm.plan.plans import TrainPlan
from swift.llm.plan.train import TrainFacts, resolve_train
from swift.llm.training.checkpoints import RunFolder, choose_run_folder, find_checkpoint, inherit
from swift.utils.errors import PlanError
from swift.utils.hub import resolve

SECRETS = ("hub_token", "api_key", "eval_token")
"""Arguments that are never written to a file."""


def make_plan(command: str, args: Any, sources: Mapping[str, str]) -> tuple[TrainPlan, Any]:
    """The plan of one run, and the arguments it was made from (with a checkpoint's settings laid under them).

    Reads small files only (``config.json``, the tokenizer's configuration, safetensors headers); no weight is loaded.
    Raises PlanError with every conflict at once, ModelError, CheckpointError.
    """
    if args.resume_from_checkpoint:
        checkpoint = find_checkpoint(Path(args.resume_from_checkpoint))
        args, sources = inherit(args, sources, checkpoint, only_model=args.resume_only_model)
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
    )
    plan = resolve_train(command, args, sources, facts, row, why, templates=TEMPLATE_MAPPING, tuners=TUNER_MAPPING)
    return plan, args


def register_rows(args: Any) -> None:
    """Add the user's own rows, then fix the catalog for this run."""
    if args.custom_register_path:
        load_custom_register(args.custom_register_path)
    if args.custom_dataset_info:
        load_dataset_info(args.custom_dataset_info)


def find_model(args: Any, sources: Mapping[str, str]) -> tuple[ModelFacts, ModelRow, str]:
    """The model's facts, its row (derived where no row knows it), and why it is that row.

    Raises PlanError where neither a name nor a folder was given, or where several rows fit.
    """
    if args.model_type is None and args.model_id_or_path is None:
        raise PlanError(
            ["no model: give --model_type NAME (`swift list models`) or --model_id_or_path ID_OR_FOLDER."
             " --model_type demo-chat is a small model that comes with this package."]
        )  # fmt: skip
    named = MODEL_MAPPING.find(args.model_type) if args.model_type is not None else None
    name = args.model_id_or_path or (
        named.path or (named.hf if args.use_hf else named.ms) or named.hf or named.ms if named else None
    )
    folder = resolve(
        name,
        use_hf=args.use_hf,
        revision=args.model_revision or (named.revision if named else None),
        token=args.hub_token,
        only_config=True,
        check_latest=args.check_model_is_latest,
    )
    facts = gather_model(folder, hub_id=None if Path(str(name)).exists() else name)
    match = match_model(facts.model_config, facts.chat_template, args.model_type, facts.hub_id)
    if match.row is None:
        several = ", ".join(match.candidates)
        raise PlanError(
            [f"--model_id_or_path {name}: several rows fit ({several}); say which: --model_type {match.candidates[0]}"]
        )
    return facts, match.row, match.why


def arguments_as_json(args: Any) -> dict[str, Any]:
    """The arguments as said, for ``sft_args.json``; secrets stay out."""
    values = dataclasses.asdict(args)
    kinds = specs(type(args))
    return {
        name: list(value) if kinds[name].kind.startswith("list") else value
        for name, value in values.items()
        if name not in SECRETS
    }


__all__ = ["DATASET_MAPPING", "RunFolder", "arguments_as_json", "find_model", "make_plan", "register_rows"]
