"""Arguments to a training plan: look at the world, lay the checkpoint's settings under what was given, resolve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swift.llm.catalog.registries import TEMPLATE_MAPPING, TUNER_MAPPING
from swift.llm.plan.facts import gather_machine
from swift.llm.plan.find import find_model, inherit, register_rows
from swift.llm.plan.plans import TrainPlan
from swift.llm.plan.train import TrainFacts, resolve_train
from swift.llm.training.checkpoints import choose_run_folder, find_checkpoint


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
