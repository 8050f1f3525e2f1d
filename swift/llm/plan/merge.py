"""What a merge does: which adapter into which base, in which dtype, where to. Pure decisions with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from swift.llm.arguments.answer import AnswerArguments, EngineArguments
from swift.llm.arguments.data import DataArguments
from swift.llm.arguments.generate import GenerationArguments, StopArguments
from swift.llm.catalog.rows import ModelRow, TunerRow
from swift.llm.plan.checkpoint import (
    InferFacts,
    recorded_run,
    resolve_weights,
    stored_dtype,
    unquantized,
    was_given,
)
from swift.llm.plan.combine import DRAWN, resolve_combination
from swift.llm.plan.plans import MergePlan, ModelPlan, TemplatePlan, TunerPlan
from swift.llm.plan.problems import Problems, Reasons
from swift.llm.plan.quant import QUANT_ARGUMENTS, check_stored, describe
from swift.llm.plan.tuner import refuse_merge

__all__ = ["merge_of", "resolve_merge"]

USED = {
    "ckpt_dir",
    "load_args_from_ckpt_dir",
    "merge_device_map",
    "save_safetensors",
    "custom_dataset_info",
    "merge_lora",
}


def resolve_merge(
    args: Any,
    sources: Mapping[str, str],
    facts: InferFacts,
    row: ModelRow,
    row_reason: str,
    *,
    templates: Mapping[str, Any],
    tuners: Mapping[str, TunerRow],
) -> MergePlan:
    """The plan of ``swift merge-lora``. Raises PlanError with every conflict at once."""
    problems, reasons = Problems(), Reasons(sources)
    reasons.note("model.model_type", row_reason)
    used = USED | {"seed"} if args.more_ckpt_dirs and args.combination in DRAWN else USED
    for group in (AnswerArguments, EngineArguments, DataArguments, GenerationArguments, StopArguments):
        for field in fields(group):
            if field.name not in used and was_given(field.name, reasons):
                problems.add(f"--{field.name}: merging answers nothing, so it has no effect here. Leave it out.")
    if facts.checkpoint is None:
        problems.add("--ckpt_dir is not given: give the checkpoint-<step> folder of an adapter's run.")
    elif facts.checkpoint.kind != "adapter":
        problems.add(f"--ckpt_dir {facts.checkpoint.path}: holds whole weights, so there is nothing to fold in: use it as it is, or"
                     " give the checkpoint-<step> folder of an adapter's run.")  # fmt: skip
    # fp16 is a storage format here: whether the machine computes well in it does not matter.
    asked = args if args.dtype != "fp16" else replace(args, dtype="AUTO")
    for name in QUANT_ARGUMENTS:
        if was_given(name, reasons):
            problems.add(f"--{name}: an adapter is folded into plain weights. Leave it out.")
    asked = unquantized(asked)
    model, template, tuner = resolve_weights(asked, facts, row, templates, tuners, reasons, problems)
    device = reasons.decide(
        "model.device_map", "merge_device_map", args.merge_device_map, "auto" if facts.machine.gpus else "cpu",
        "merging is the whole job" if facts.machine.gpus else "no GPU on this machine",
    )  # fmt: skip
    if tuner is not None:
        refuse_merge(tuner, tuners, problems)
    combine = resolve_combination(args, facts, tuner, tuners, reasons, problems)
    check_stored(model.quantization, row, model.path, problems)
    problems.stop_if_any()
    assert tuner is not None  # an adapter's checkpoint has one, or there was a problem
    plan = merge_of(args, facts, model, template, tuner, device=device, replaces=True)
    if was_given("dtype", reasons) and args.dtype != "AUTO":
        plan = replace(plan, model=replace(plan.model, dtype=reasons.take("model.dtype", "dtype", args.dtype)))
    else:
        reasons.note("model.dtype", "the dtype that the base is stored in")
    if combine is not None:
        plan = replace(plan, combine=combine, target=plan.checkpoint + "-combined")
    reasons.note("target", "beside the checkpoint")
    if plan.trained_over is not None:
        reasons.note("trained_over", "while training; it is folded into the plain weights")
    reasons.take("safetensors", "save_safetensors", args.save_safetensors)
    return replace(plan, reasons=dict(reasons.by_field))


def merge_of(
    args: Any,
    facts: InferFacts,
    model: ModelPlan,
    template: TemplatePlan,
    tuner: TunerPlan,
    *,
    device: str,
    replaces: bool,
) -> MergePlan:
    """The merge of the checkpoint's adapter into its base, beside the checkpoint, on ``device`` (``auto``: all there are)."""
    assert facts.checkpoint is not None
    checkpoint = Path(facts.checkpoint.path)
    recorded = recorded_run(facts.checkpoint)
    return MergePlan(
        command="merge-lora",
        model=replace(
            model,
            dtype=stored_dtype(facts),
            device="cpu",
            quantization=model.quantization if model.quantization and model.quantization.get("stored") else None,
            device_map=None if device == "cpu" else device,
            max_memory=(),
        ),
        template=template,
        checkpoint=str(checkpoint),
        tuner=tuner,
        target=str(checkpoint.with_name(checkpoint.name + "-merged")),
        trained_over=describe(recorded.model.quantization) if recorded is not None else None,
        safetensors=args.save_safetensors,
        replace=replaces,
        use_hf=bool(args.use_hf),
        register_path=args.custom_register_path,
    )
