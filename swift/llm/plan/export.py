"""What an export makes of a checkpoint: peft's layout, merged weights. Pure decisions with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from swift.llm.arguments.commands.answering import AnsweringArguments
from swift.llm.arguments.merge import ConvertArguments
from swift.llm.arguments.train import PushArguments
from swift.llm.plan.facts import CheckpointFacts
from swift.llm.plan.plans import ConvertPlan, ExportPlan, MergePlan
from swift.llm.plan.problems import Problems, Reasons

__all__ = ["OF_EXPORT", "refuse_what_is_missing", "resolve_export"]

NOT_YET: Mapping[str, str] = {
    "quant_bits": "quantising",
    "to_ollama": "writing a Modelfile",
    "push_to_hub": "uploading",
    "to_megatron": "Megatron",
    "to_hf": "Megatron",
}
"""What export is asked for that this version does not make."""

EFFECT_ONLY_WITH: Mapping[str, tuple[str, ...]] = {
    "--quant_bits": ("quant_method", "quant_n_samples", "quant_seqlen", "quant_batch_size", "quant_device_map", "quant_output_dir",
                     "dataset"),
    "--to_ollama true": ("ollama_output_dir", "gguf_file"),
    "--to_megatron true or --to_hf true": ("megatron_output_dir", "hf_output_dir", "pp"),
    "--push_to_hub true": ("hub_model_id", "hub_private_repo", "commit_message"),
}  # fmt: skip
"""Settings of those."""

OF_EXPORT = {field.name for group in (ConvertArguments, PushArguments) for field in fields(group)} | {
    "quant_method",
    "dataset",
}
"""Arguments that a merge does not have, or that mean something else here."""

ALONE = ("ckpt_dir", "to_peft_format", "merge_lora", "load_args_from_ckpt_dir", "dry_run", "debug", "custom_register_path",
         "custom_dataset_info", "ignore_args_error")  # fmt: skip
"""What has a meaning where nothing but the layout changes."""


def refuse_what_is_missing(args: Any, sources: Mapping[str, str]) -> None:
    """Raise PlanError for everything that was asked for and is not made, and where nothing was asked for."""
    problems = Problems()
    for name, what in NOT_YET.items():
        if getattr(args, name):
            problems.add(f"--{name}: {what} is not in this version. Leave it out.")
    for needed, names in EFFECT_ONLY_WITH.items():
        for name in names:
            if name in sources:
                problems.add(f"--{name}: has an effect only with {needed}, which is not in this version. Leave it out.")
    problems.stop_if_any()
    if not args.merge_lora and not args.to_peft_format:
        problems.add(
            "nothing to make: add --merge_lora true (the adapter folded into its base), or --to_peft_format true (an adapter of"
            " the older own layout in PEFT's)."
        )
    if args.ckpt_dir is None:
        problems.add("--ckpt_dir: what to export was not given. Give the checkpoint-<step> folder of a run.")
    if not args.merge_lora:
        for field in fields(AnsweringArguments):
            if field.name in sources and field.name not in ALONE:
                problems.add(f"--{field.name}: has no effect on the layout of an adapter. Leave it out.")
    problems.stop_if_any()


def resolve_export(
    args: Any, sources: Mapping[str, str], checkpoint: CheckpointFacts, merge: MergePlan | None
) -> ExportPlan:
    """The plan of ``swift export``; ``merge`` is that of its merge, where it was asked for. Raises PlanError."""
    problems, reasons = Problems(), Reasons(sources)
    convert = None
    if args.to_peft_format:
        if checkpoint.kind != "adapter":
            problems.add(f"--ckpt_dir {checkpoint.path}: holds whole weights, which have one layout only.")
        target = checkpoint.path + "-peft" if checkpoint.older else None
        told = "beside the checkpoint" if target else "the checkpoint is in PEFT's layout already"
        reasons.note("convert.target", told)
        base = (checkpoint.sft_args or {}).get("model_id_or_path")
        convert = ConvertPlan(checkpoint=checkpoint.path, target=target, base=str(base) if base else None)
    problems.stop_if_any()
    return ExportPlan(
        command="export",
        checkpoint=str(Path(checkpoint.path)),
        convert=convert,
        merge=merge,
        reasons=dict(reasons.by_field),
    )
