"""Several adapters that are folded in as one: which can, with which weights, in which way. Pure decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swift.llm.catalog.rows import TunerRow
from swift.llm.plan.checkpoint import InferFacts, was_given
from swift.llm.plan.facts import CheckpointFacts
from swift.llm.plan.plans import CombinePlan, TunerPlan
from swift.llm.plan.problems import Problems, Reasons

__all__ = ["DRAWN", "resolve_combination"]

SPARSE = ("ties", "dare_linear", "dare_ties")
"""Ways that keep a share of the values, of factors of one rank."""

DRAWN = ("dare_linear", "dare_ties")
"""Ways in which chance says what is kept."""

DENSITY = 0.2
"""What the authors of TIES keep (Yadav et al., 2023)."""


def resolve_combination(
    args: Any,
    facts: InferFacts,
    tuner: TunerPlan | None,
    tuners: Mapping[str, TunerRow],
    reasons: Reasons,
    problems: Problems,
) -> CombinePlan | None:
    """How the checkpoint's adapter and ``facts.more`` become one; None where there is only one."""
    if not facts.more:
        for name in ("adapter_weights", "combination", "combination_density"):
            if was_given(name, reasons):
                problems.add(
                    f"--{name}: has an effect only with --more_ckpt_dirs. Leave it out, or name further adapters."
                )
        return None
    if facts.checkpoint is None or tuner is None:
        return None  # told already
    adapters = (facts.checkpoint, *facts.more)
    if not tuners[tuner.sft_type].combines:
        able = " or ".join(sorted(name for name, row in tuners.items() if row.combines))
        problems.add(
            f"--more_ckpt_dirs: adapters of {tuner.sft_type} have no sum; those of --sft_type {able} have. Merge one only."
        )
        return None
    for adapter in adapters:
        if adapter is not facts.checkpoint and adapter.kind != "adapter":
            problems.add(
                f"--more_ckpt_dirs {adapter.path}: holds whole weights. Give the checkpoint-<step> folder of a LoRA run."
            )
            return None
        for obstacle in _obstacles(adapter.adapter_config or {}):
            problems.add(f"{adapter.path}: {obstacle}, which cannot be added to another adapter. Merge this one alone.")
    if not (was_given("model_id_or_path", reasons) or was_given("model_type", reasons)):
        _refuse_other_bases(adapters, problems)
    sparse = args.combination in SPARSE
    ranks = [_rank(adapter.adapter_config or {}) for adapter in adapters]
    if sparse and len(set(ranks)) > 1:
        problems.add(
            f"--combination {args.combination}: works on factors of one rank, and these have {', '.join(map(str, ranks))}."
            " Use linear or svd."
        )
    weights = tuple(float(weight) for weight in args.adapter_weights)
    if weights and len(weights) != len(adapters):
        problems.add(
            f"--adapter_weights: {len(weights)} given for {len(adapters)} adapters. Give one for --ckpt_dir and one for each of"
            " --more_ckpt_dirs."
        )
    density = args.combination_density
    if density is not None and not sparse:
        problems.add(
            f"--combination_density: --combination {args.combination} keeps everything. Leave it out, or use one of"
            f" {', '.join(SPARSE)}."
        )
    elif density is not None and not 0 < density < 1:
        problems.add(f"--combination_density {density}: is a share. Give a number between 0 and 1.")
    if sparse:
        density = reasons.decide(
            "combine.density", "combination_density", density, DENSITY, "what the authors of TIES keep"
        )
    reasons.take("combine.combination", "combination", args.combination)
    reasons.note("combine.weights", reasons.sources.get("adapter_weights", "equal shares"))
    return CombinePlan(
        combination=args.combination,
        checkpoints=tuple(adapter.path for adapter in adapters),
        weights=weights or (1 / len(adapters),) * len(adapters),
        density=density,
        seed=args.seed,
    )


def _obstacles(config: Mapping[str, Any]) -> list[str]:
    """What an adapter has besides the products of factors, which alone can be added."""
    start, full = str(config.get("init_lora_weights", True)).lower(), config.get("modules_to_save") or ()
    found = {
        f"is an adapter of kind {config.get('peft_type')}": config.get("peft_type") != "LORA",
        "has magnitudes of DoRA": config.get("use_dora"),
        "has trained biases": config.get("bias", "none") != "none",
        f"has modules trained in full ({', '.join(full)})": full,
        "adapts experts that are one tensor": config.get("target_parameters"),
        "has trained tokens": config.get("trainable_token_indices"),
        f"belongs to weights that {start} has moved": start.startswith(("pissa", "olora", "loftq", "corda")),
    }
    return [obstacle for obstacle, there in found.items() if there]


def _rank(config: Mapping[str, Any]) -> int:
    patterns: Mapping[str, int] = config.get("rank_pattern") or {}
    return max(int(config.get("r", 0)), *patterns.values(), 0)


def _refuse_other_bases(adapters: tuple[CheckpointFacts, ...], problems: Problems) -> None:
    bases = [str((adapter.adapter_config or {}).get("base_model_name_or_path")) for adapter in adapters]
    for adapter, base in zip(adapters, bases, strict=True):
        if base != bases[0]:
            problems.add(
                f"--more_ckpt_dirs {adapter.path}: was trained on {base}, that of --ckpt_dir on {bases[0]}. If these are the same"
                " weights, say so with --model_id_or_path."
            )
