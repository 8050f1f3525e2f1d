"""Several adapters that are folded in as one: which can, with which weights, in which way. Pure decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swift.llm.catalog.rows import TunerRow
from swift.llm.plan.checkpoint import InferFacts, recorded_run, tuner_of, was_given
from swift.llm.plan.facts import CheckpointFacts
from swift.llm.plan.plans import CombinePlan, TunerPlan
from swift.llm.plan.problems import Problems, Reasons
from swift.llm.plan.tuner import refuse_merge

__all__ = ["DRAWN", "ON_CHANGES", "resolve_combination"]

ON_CHANGES = ("linear", "ties", "dare_linear", "dare_ties", "magnitude_prune")
"""Ways that work on what each adapter changes in the base's weights, whatever its method."""

OF_PEFT = ("svd", "ties_svd", "dare_linear_svd", "dare_ties_svd", "magnitude_prune_svd", "ties_factors", "dare_linear_factors",
           "dare_ties_factors", "magnitude_prune_factors")  # fmt: skip
"""peft's ways with LoRA: on the updates, cut to the largest rank (``svd``), or on the factors of one rank."""

DENSE = ("linear", "svd")
"""Ways that keep every value."""

DRAWN = tuple(way for way in (*ON_CHANGES, *OF_PEFT) if way.startswith("dare_"))
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
    by_changes = args.combination in ON_CHANGES
    if not by_changes and not tuners[tuner.sft_type].combines:
        problems.add(
            f"--combination {args.combination}: works on the factors of LoRA, and --ckpt_dir is of {tuner.sft_type}. Use one of"
            f" {', '.join(ON_CHANGES)}."
        )
        return None
    methods = [tuner]
    for adapter in facts.more:
        if adapter.kind != "adapter":
            problems.add(
                f"--more_ckpt_dirs {adapter.path}: holds whole weights. Give the checkpoint-<step> folder of an adapter."
            )
            return None
        found = tuner_of(adapter, recorded_run(adapter), tuners, problems)
        if found is None:
            return None
        if by_changes:
            refuse_merge(found, tuners, problems)
        methods.append(found)
    for adapter in adapters if not by_changes else ():
        for obstacle in _obstacles(adapter.adapter_config or {}):
            problems.add(f"{adapter.path}: {obstacle}, which --combination {args.combination} has no form for. Use one of"
                         f" {', '.join(ON_CHANGES)}.")  # fmt: skip
    if not (was_given("model_id_or_path", reasons) or was_given("model_type", reasons)):
        _refuse_other_bases(adapters, problems)
    sparse = args.combination not in DENSE
    ranks = [_rank(adapter.adapter_config or {}) for adapter in adapters]
    if args.combination.endswith("_factors") and len(set(ranks)) > 1:
        problems.add(
            f"--combination {args.combination}: works on factors of one rank, and these have {', '.join(map(str, ranks))}."
            f" Use {args.combination.removesuffix('_factors')}."
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
            f" {', '.join(ON_CHANGES[1:])}."
        )
    elif density is not None and not 0 < density <= 1:
        problems.add(f"--combination_density {density}: is a share. Give a number above 0, up to 1.")
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
        tuners=tuple(methods) if by_changes else (),
        density=density,
        seed=args.seed,
    )


def _obstacles(config: Mapping[str, Any]) -> list[str]:
    """What an adapter has besides the products of factors, which is all that peft combines."""
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
