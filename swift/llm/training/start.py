"""The course of a training verb: plan; with ``--dry_run`` show it and stop; else train and say what came out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from swift.llm.arguments.coerce import checked
from swift.llm.arguments.given import given_in_python
from swift.llm.plan.explain import explain
from swift.llm.plan.facts import free_gib
from swift.llm.plan.find import arguments_as_json
from swift.llm.plan.memory import estimate
from swift.llm.plan.plans import TrainPlan
from swift.llm.plan.quant import held_bytes
from swift.llm.plan.train import predict_checkpoint_bytes
from swift.llm.training.planning import make_plan

if TYPE_CHECKING:
    from swift.trainers.result import TrainResult


def train(command: str, args: Any, sources: Mapping[str, str]) -> TrainResult | TrainPlan:
    """Plan and train; with ``args.dry_run`` print the plan and return it. Raises SwiftError."""
    plan, args = make_plan(command, args, sources)
    if args.dry_run:
        print_plan(plan)
        return plan
    from swift.llm.training.run import run

    return run(plan, arguments_as_json(args), debug=args.debug)


def plan_in_python(command: str, args: Any, sources: Mapping[str, str] | None = None) -> TrainPlan:
    """The plan of a verb with arguments built in Python; what differs from its default counts as given. Raises PlanError."""
    return make_plan(command, args, given_in_python(args) if sources is None else sources)[0]


def train_in_python(command: str, args: Any) -> TrainResult | TrainPlan:
    """A training verb with arguments built in Python, checked as words of the command line are. Raises SwiftError."""
    args = checked(args)
    return train(command, args, given_in_python(args))


def print_plan(plan: TrainPlan) -> None:
    """Everything known before a weight is loaded: decisions with reasons, rows, steps, needs, the first samples."""
    print(explain(plan), flush=True)
    from swift.llm.training.run import open_data

    tokenizer, _, prepared, _ = open_data(plan)
    print("\n" + "\n".join(describe(plan, tokenizer, prepared)))


def describe(plan: TrainPlan, tokenizer: Any, prepared: Any) -> list[str]:
    """Rows, steps, trained parameters, memory, disk and the first samples, as lines."""
    from swift.llm.training.preview import (
        count_parameters,
        count_steps,
        largest_batch,
        show_data,
        show_needs,
        show_samples,
    )

    counted = count_parameters(plan)
    steps = plan.trainer.max_steps if plan.data.streaming else count_steps(plan, len(prepared.train))[0]
    tokens, trained = largest_batch(plan, prepared)
    memory = estimate(
        plan.facts["model_config"],
        num_parameters=counted.num_parameters,
        num_trainable=counted.num_trainable,
        num_added=counted.num_added,
        weight_dtype=plan.model.dtype,
        compute_dtype=plan.trainer.autocast or plan.model.dtype,
        tokens=tokens,
        trained_tokens=trained,
        tokens_per_chunk=plan.trainer.tokens_per_chunk,
        optim=plan.trainer.optim,
        galore=plan.trainer.galore,
        lisa_layers=plan.trainer.lisa_layers,
        weight_bytes=held_bytes(
            plan.facts["model_config"], counted.num_parameters, plan.model.dtype, plan.model.quantization
        )
        if plan.model.quantization is not None
        else None,
    )
    needs = show_needs(
        memory.total(checkpointing=plan.trainer.gradient_checkpointing),
        float(plan.facts["memory_gib"]),
        predict_checkpoint_bytes(
            plan, counted.num_parameters, counted.num_trainable, steps, num_saved=counted.num_saved
        ),
        free_gib(plan.run_dir),
        plan.trainer.save_total_limit,
        steps,
        plan.trainer.save_steps if plan.trainer.save_strategy == "steps" else None,
    )
    return [
        *show_data(prepared, plan),
        f"parameters\n  {counted.line}",
        *needs,
        *show_samples(prepared, tokenizer),
    ]
