"""What ``tuner_backend unsloth`` needs, and what it changes in a plan. Pure decisions with reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from swift.llm.catalog.rows import ModelRow
from swift.llm.plan.facts import MachineFacts
from swift.llm.plan.plans import DataPlan, ModelPlan, TemplatePlan, TunerPlan
from swift.llm.plan.problems import Problems, Reasons

__all__ = ["pad_for_unsloth", "through_unsloth"]

FLAG = "--tuner_backend unsloth"
LOADERS = {"lora": "swift.llm.model.loaders:unsloth", "full": "swift.llm.model.loaders:unsloth_full"}
TUNERS = {"lora": "swift.tuners.unsloth:UnslothLora"}


def pad_for_unsloth(args: Any, data: DataPlan, reasons: Reasons, problems: Problems) -> DataPlan:
    """Rows of one sample each: its attention does not know where samples of a flat batch end."""
    if args.tuner_backend != "unsloth":
        return data
    for name, asked in (("packing", data.packing), ("padding_free", args.padding_free)):
        if asked:
            problems.add(
                f"--{name} true: unsloth's attention does not keep samples of one row apart. Leave one of them out."
            )
    reasons.note(
        "data.padding_free", "unsloth's attention does not keep samples of one row apart, so batches are padded"
    )
    return replace(data, padding_free=False)


def through_unsloth(
    args: Any,
    model: ModelPlan,
    tuner: TunerPlan,
    template: TemplatePlan,
    row: ModelRow,
    machine: MachineFacts,
    reasons: Reasons,
    problems: Problems,
) -> tuple[ModelPlan, TunerPlan]:
    """Model and tuner as unsloth loads and attaches them, where it was asked for."""
    if args.tuner_backend != "unsloth":
        return model, tuner
    if not machine.gpus:
        problems.add(
            f"{FLAG}: its kernels need a CUDA GPU, and this machine has none. Leave it out: peft trains the same adapter."
        )
    elif "unsloth" not in machine.versions:
        problems.add(
            f"{FLAG}: the package unsloth is not installed. In an environment of its own: pip install unsloth. Or leave the flag out:"
            " peft trains the same adapter."
        )
    if tuner.sft_type not in LOADERS:
        problems.add(f"{FLAG}: trains lora and full; --sft_type is {tuner.sft_type}. Leave one of them out.")
        return model, tuner
    if row.modality != ("text",) or not row.loader.endswith(":causal_lm"):
        problems.add(
            f"{FLAG}: {row.model_type} is no plain language model, and only those go through it here. Leave it out."
        )
    bits = model.quantization
    if bits is not None and (bits.get("quant_method"), bits.get("quantization_bit")) != ("bnb", 4):
        problems.add(
            f"{FLAG}: holds weights plain or in 4 bits of bitsandbytes. Add --quantization_bit 4, or leave it out."
        )
    start = str(tuner.options.get("init_lora_weights", "true")).lower()
    beside = {
        f"--init_lora_weights {start}": start != "true",
        "--use_dora true": tuner.options.get("use_dora"),
        "--relora_steps": tuner.options.get("relora_steps"),
        "--target_regex": tuner.target_regex,
        "--layers_to_transform": tuner.layers,
    }
    for what, asked in beside.items():
        if asked:
            problems.add(f"{what}: is not what unsloth attaches. Leave it out, or {FLAG}.")
    reasons.note(
        "model.loader", f"{reasons.sources.get('tuner_backend', 'default')}: loaded and attached through unsloth"
    )
    longest = template.max_length or model.max_model_len
    model = replace(model, loader=LOADERS[tuner.sft_type], max_model_len=longest, attention="sdpa")
    return model, replace(tuner, code=TUNERS.get(tuner.sft_type, tuner.code))
