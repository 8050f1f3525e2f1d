"""Which adapters can be folded in together, and how."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swift.llm.arguments.commands import MergeLoraArguments
from swift.llm.plan.checkpoint import InferFacts
from swift.llm.plan.facts import CheckpointFacts
from swift.llm.plan.merge import resolve_merge
from swift.llm.plan.plans import CombinePlan, MergePlan, TunerPlan
from swift.llm.plan.store import from_json, to_json
from swift.utils.errors import PlanError

spec = importlib.util.spec_from_file_location("world", Path(__file__).with_name("world.py"))
assert spec is not None
assert spec.loader is not None
world = importlib.util.module_from_spec(spec)
spec.loader.exec_module(world)


def adapter(number: int, **config: Any) -> CheckpointFacts:
    told = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": "/models/base", **config}
    return CheckpointFacts(path=f"/runs/v{number}/checkpoint-9", kind="adapter", adapter_config=told)


LORA = TunerPlan(sft_type="lora", code="swift.tuners.lora.tuner:LoraTuner")
SVD = {"combination": "svd"}


def merge(*more: CheckpointFacts, first: CheckpointFacts | None = None, **given: Any) -> MergePlan:
    first = first or adapter(0)
    facts = InferFacts(machine=world.CPU, model=world.MODEL, checkpoint=first, more=more)
    given = {"ckpt_dir": first.path, **given}
    if more:
        given["more_ckpt_dirs"] = tuple(one.path for one in more)
    where = {name: f"flag --{name}" for name in given}
    return resolve_merge(
        MergeLoraArguments(**given), where, facts, world.ROW, "named", templates=world.TEMPLATES, tuners=world.TUNERS
    )


def test_shares_are_equal_and_the_target_is_another() -> None:
    plan = merge(adapter(1, r=4))
    assert plan.combine == CombinePlan(
        combination="linear", checkpoints=("/runs/v0/checkpoint-9", "/runs/v1/checkpoint-9"), weights=(0.5, 0.5),
        tuners=(LORA, LORA),
    )  # fmt: skip
    assert plan.target == "/runs/v0/checkpoint-9-combined"
    assert plan.reasons["combine.weights"] == "equal shares"
    assert merge().combine is None
    assert from_json(to_json(plan), MergePlan, "plan.json") == plan


def test_given_weights_density_and_seed() -> None:
    combine = merge(
        adapter(1), adapter_weights=(1.0, -1.0), combination="dare_ties", combination_density=0.5, seed=7
    ).combine
    assert combine is not None
    assert (combine.weights, combine.density, combine.seed) == ((1.0, -1.0), 0.5, 7)
    plan = merge(adapter(1), combination="ties")
    assert plan.combine is not None
    assert (plan.combine.density, plan.reasons["combine.density"]) == (0.2, "what the authors of TIES keep")


@pytest.mark.parametrize(
    ("more", "given", "told"),
    [
        ((), {"combination": "svd"}, "--combination: has an effect only with --more_ckpt_dirs"),
        ((), {"adapter_weights": (1.0,)}, "--adapter_weights: has an effect only with --more_ckpt_dirs"),
        ((adapter(1),), {"adapter_weights": (1.0,)}, "--adapter_weights: 1 given for 2 adapters"),
        ((adapter(1),), {"combination_density": 0.5}, "--combination linear keeps everything"),
        ((adapter(1),), {"combination": "ties", "combination_density": 2.0}, "Give a number above 0, up to 1"),
        ((adapter(1, r=4),), {"combination": "ties_factors"}, "factors of one rank, and these have 8, 4. Use ties."),
        ((adapter(1),), {"seed": 1}, "--seed: merging answers nothing"),
        ((adapter(1, use_dora=True),), SVD, "v1/checkpoint-9: has magnitudes of DoRA"),
        ((adapter(1, bias="all"),), SVD, "has trained biases"),
        ((adapter(1, modules_to_save=["lm_head"]),), SVD, r"has modules trained in full \(lm_head\)"),
        ((adapter(1, init_lora_weights="pissa"),), SVD, "belongs to weights that pissa has moved"),
        ((adapter(1, peft_type="IA3"),), SVD, "is an adapter of kind IA3"),
        (
            (adapter(1, peft_type="REFT"),),
            {},
            "ReFT: interventions on hidden states cannot be folded into plain weights",
        ),
        ((adapter(1, peft_type="NOVEL"),), {}, "an adapter of kind novel, which is not in this version"),
        (
            (adapter(1, base_model_name_or_path="/else"),),
            {},
            "was trained on /else, that of --ckpt_dir on /models/base",
        ),
        ((replace(adapter(1), kind="full"),), {}, "holds whole weights"),
    ],
)
def test_refusals(more: tuple[CheckpointFacts, ...], given: dict[str, Any], told: str) -> None:
    with pytest.raises(PlanError, match=told):
        merge(*more, **given)


def test_ways_on_factors_are_for_lora() -> None:
    with pytest.raises(
        PlanError, match=r"works on the factors of LoRA, and --ckpt_dir is of ia3. Use one of linear, ties"
    ):
        merge(adapter(1), first=adapter(0, peft_type="IA3"), **SVD)
    assert merge(adapter(1), **SVD).combine == CombinePlan(
        combination="svd", checkpoints=("/runs/v0/checkpoint-9", "/runs/v1/checkpoint-9"), weights=(0.5, 0.5)
    )


def test_ways_on_changes_are_for_all_methods_together() -> None:
    plan = merge(adapter(1), adapter(2, use_dora=True), first=adapter(0, peft_type="IA3"), combination="ties").combine
    assert plan is not None
    assert [tuner.sft_type for tuner in plan.tuners] == ["ia3", "lora", "lora"]


def test_other_paths_of_one_base_are_taken_at_the_users_word() -> None:
    assert merge(adapter(1, base_model_name_or_path="/else"), model_id_or_path="/models/base").combine is not None
