"""The course of a training verb: plan; with ``--dry_run`` show it and stop; else train and say what came out."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swift.llm.plan.explain import explain
from swift.llm.plan.plans import TrainPlan
from swift.llm.plan.train import predict_checkpoint_bytes
from swift.llm.training.planning import arguments_as_json, make_plan

if TYPE_CHECKING:
    from swift.trainers.base import TrainResult

SAMPLES_SHOWN = 3


def train(command: str, args: Any, sources: Mapping[str, str]) -> TrainResult | TrainPlan:
    """Plan and train; with ``args.dry_run`` print the plan and return it. Raises SwiftError."""
    plan, args = make_plan(command, args, sources)
    if args.dry_run:
        print_plan(plan, debug=args.debug)
        return plan
    from swift.llm.training.run import run

    return run(plan, arguments_as_json(args), debug=args.debug)


def print_plan(plan: TrainPlan, *, debug: bool = False) -> None:
    """Everything known before a weight is loaded: decisions with reasons, rows, steps, needs, the first samples."""
    print(explain(plan), flush=True)
    from swift.llm.training.run import open_data

    tokenizer, _, prepared = open_data(plan, ledger=None)
    print("\n" + "\n".join(describe(plan, tokenizer, prepared)))


def describe(plan: TrainPlan, tokenizer: Any, prepared: Any) -> list[str]:
    """Rows, steps, trained parameters, memory, disk and the first samples, as lines."""
    from swift.llm.training.preview import count_steps, show_data, show_needs, show_sample
    from swift.llm.training.run import count_parameters, predicted_memory

    total, trainable, matched = count_parameters(plan)
    steps, _ = count_steps(plan, len(prepared.train))
    where = Path(plan.run_dir)
    while not where.exists():
        where = where.parent
    lines = show_data(prepared, plan)
    lines += ["parameters", f"  {trainable:,} of {total:,} are trained ({trainable / total:.2%}){matched}"]
    lines += show_needs(
        predicted_memory(plan, prepared, total, trainable),
        float(plan.facts["memory_gib"]),
        predict_checkpoint_bytes(plan, total, trainable),
        shutil.disk_usage(where).free / 2**30,
        plan.trainer.save_total_limit,
        steps,
        plan.trainer.save_steps if plan.trainer.save_strategy == "steps" else None,
    )
    colour = sys.stdout.isatty()
    mark = "trained tokens are green" if colour else "trained tokens stand in [[ ]]"
    lines.append(f"first samples ({mark})")
    for sample in prepared.report.first_rows[:SAMPLES_SHOWN]:
        lines.append("  " + show_sample(sample, tokenizer, colour=colour))
    return lines
