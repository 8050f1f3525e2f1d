"""Several adapters as one by what they change: the formulas of the papers, on every weight, whatever the methods."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.utils import merge_utils
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(Path(__file__).parents[1] / "tuners"))
from methods import CASES
from proof import saved

import swift.tuners
from swift.cli.main import main
from swift.llm.arguments.commands import MergeLoraArguments
from swift.llm.merge.formulas import combine, drop, trim
from swift.llm.merge_lora import make_plan, merge_lora_main
from swift.llm.plan.plans import TunerPlan
from swift.utils.errors import SwiftError
from swift.utils.manifest import check_manifest

WAYS = ("linear", "ties", "dare_linear", "dare_ties", "magnitude_prune")


def changes(num: int, *shape: int) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(shape) for _ in range(num)]


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def naive_ties(kept: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """TIES, value by value, in float64."""
    flat = [one.double().flatten().tolist() for one in kept]
    out = []
    for values in zip(*flat, strict=True):
        weighted = [w * v for w, v in zip(weights, values, strict=True)]
        sign = 1 if sum(weighted) > 0 else -1
        agreeing = [(abs(w), v) for w, v in zip(weights, weighted, strict=True) if v * sign > 0]
        mass = sum(w for w, _ in agreeing)
        out.append(sum(abs(w) for w in weights) * sum(v for _, v in agreeing) / mass if mass else 0.0)
    return torch.tensor(out, dtype=torch.float64).view(kept[0].shape)


def naive(way: str, given: Sequence[torch.Tensor], weights: Sequence[float], density: float) -> torch.Tensor:
    """What a way says, from the definitions; chance as the code draws it, one change after the other."""
    kept = [one.double() for one in given]
    generator = chance()
    if way.startswith("dare"):
        kept = [torch.where(torch.rand(one.shape, generator=generator) < density, one / density, 0.0) for one in kept]
    elif way != "linear":
        least = [sorted(one.abs().flatten().tolist())[-int(density * one.numel())] for one in kept]
        kept = [torch.where(one.abs() >= edge, one, 0.0) for one, edge in zip(kept, least, strict=True)]
    if way.endswith("ties"):
        return naive_ties(kept, weights)
    return sum((w * one for w, one in zip(weights, kept, strict=True)), torch.zeros_like(kept[0]))


@pytest.mark.parametrize("weights", [(0.5, 0.3, 0.2), (1.0, -0.7, 2.0)])
@pytest.mark.parametrize("way", WAYS)
def test_formulas_are_the_papers(way: str, weights: tuple[float, ...]) -> None:
    given = changes(3, 7, 9)
    found = combine(given, weights, way, density=0.4, generator=chance())
    assert torch.allclose(found.double(), naive(way, given, weights, 0.4), atol=1e-5)


def test_formulas_are_pefts_where_both_say_the_same() -> None:
    given, weights = changes(3, 11, 5), torch.full((3,), 1 / 3)
    ones = torch.ones(3)  # its mean is not weighted: the number of those that agree divides
    ties = combine(given, weights.tolist(), "ties", density=0.4, generator=chance())
    assert torch.allclose(ties, merge_utils.ties(given, ones, 0.4), atol=1e-6)
    pruned = combine(given, [1.0, -1.0, 0.5], "magnitude_prune", density=0.4, generator=chance())
    assert torch.allclose(pruned, merge_utils.magnitude_prune(given, torch.tensor([1.0, -1.0, 0.5]), 0.4), atol=1e-6)
    added = combine(given, [1.0, -1.0, 0.5], "linear", density=None, generator=chance())
    assert torch.allclose(added, merge_utils.task_arithmetic(given, torch.tensor([1.0, -1.0, 0.5])), atol=1e-6)


def test_what_keeps_all_is_linear_and_what_is_dropped_is_expected() -> None:
    given = changes(1, 100, 100)
    for way in ("ties", "dare_linear", "magnitude_prune"):
        assert torch.allclose(combine(given, [0.7], way, density=1.0, generator=chance()), 0.7 * given[0], atol=1e-6)
    dropped = drop(given[0], 0.25, chance())
    assert float((dropped != 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert torch.equal(dropped[dropped != 0], (given[0] / 0.25)[dropped != 0])
    trimmed = trim(given[0], 0.25)
    assert int((trimmed != 0).sum()) == 2500
    assert float(trimmed[trimmed != 0].abs().min()) >= float(given[0][trimmed == 0].abs().max())
    assert torch.equal(trim(torch.tensor([3.0, -1.0]), 0.1), torch.tensor([3.0, 0.0]))


KINDS = ("ia3", "boft", "lokr", "vblora", "pissa", "adalora")
"""Sums, products, shared parts, and ranks that vary: what the others do is one of these."""


def train(base: Path, plan: TunerPlan, folder: Path, seed: int) -> Path:
    """As if it had been trained, differently for each seed."""
    model = swift.tuners.attach(plan, AutoModelForCausalLM.from_pretrained(str(base)))
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return saved(plan, model, folder)


def weights_of(model: Any) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def alone(base: Path, plan: TunerPlan, folder: Path) -> dict[str, torch.Tensor]:
    """What one adapter changes, by the method's own merge."""
    plain: Any = AutoModelForCausalLM.from_pretrained(str(base))
    before = weights_of(plain)
    tuner = swift.tuners.open_tuner(plan)
    after = weights_of(
        tuner.merge(tuner.load(AutoModelForCausalLM.from_pretrained(str(base)), folder, trainable=False))
    )
    return {name: after[name] - before[name] for name in before}


def combined(base: Path, folders: Sequence[Path], **given: Any) -> dict[str, torch.Tensor]:
    result: Any = merge_lora_main(
        MergeLoraArguments(
            model_id_or_path=str(base), ckpt_dir=str(folders[0]), more_ckpt_dirs=tuple(map(str, folders[1:])), **given
        )
    )
    assert check_manifest(result.target) == []
    return weights_of(AutoModelForCausalLM.from_pretrained(str(result.target)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_that_merges_combines(kind: str, model_folder: Path, tmp_path: Path) -> None:
    plan = CASES[kind].plan("q_proj", "v_proj") if kind != "ia3" else CASES[kind].plan("q_proj", "down_proj")
    folders = [train(model_folder, plan, tmp_path / f"{number}", number) for number in (1, 2)]
    found = combined(model_folder, folders, adapter_weights=(0.75, -0.25))
    base = weights_of(AutoModelForCausalLM.from_pretrained(str(model_folder)))
    first, second = (alone(model_folder, plan, folder) for folder in folders)
    for name, weight in base.items():
        assert torch.allclose(found[name], weight + 0.75 * first[name] - 0.25 * second[name], atol=1e-5), name
    assert any(not torch.equal(found[name], base[name]) for name in base)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_methods_may_differ_and_what_is_trained_in_full_counts(model_folder: Path, tmp_path: Path) -> None:
    plans = [
        CASES["lora"].plan("q_proj", "EMBEDDING"),
        replace(CASES["dora"].plan("q_proj", "o_proj"), modules_to_save=("LN",)),
        CASES["oft"].plan("o_proj"),
    ]
    folders = [train(model_folder, plan, tmp_path / f"{number}", number) for number, plan in enumerate(plans)]
    found = combined(
        model_folder, folders, combination="ties", combination_density=0.5, adapter_weights=(0.5, 0.3, 0.2)
    )
    base = weights_of(AutoModelForCausalLM.from_pretrained(str(model_folder)))
    deltas = [alone(model_folder, plan, folder) for plan, folder in zip(plans, folders, strict=True)]
    for name, weight in base.items():
        given = [delta[name] for delta in deltas]
        wanted = weight.double()
        if any(one.any() for one in given):
            kept = [trim(one, 0.5) if one.any() else one for one in given]
            wanted = wanted + naive_ties(kept, (0.5, 0.3, 0.2))
        assert torch.allclose(found[name].double(), wanted, atol=1e-5), name
    assert not torch.equal(found["model.norm.weight"], base["model.norm.weight"])
    assert torch.equal(found["model.layers.0.mlp.up_proj.weight"], base["model.layers.0.mlp.up_proj.weight"])


def test_lora_is_added_as_peft_stacks_it(model_folder: Path, tmp_path: Path) -> None:
    plan = CASES["lora"].plan("q_proj", "v_proj")
    folders = [train(model_folder, plan, tmp_path / f"{number}", number) for number in (1, 2)]
    found = combined(model_folder, folders, adapter_weights=(0.75, -0.25))
    tuner: Any = swift.tuners.open_tuner(plan)
    model = AutoModelForCausalLM.from_pretrained(str(model_folder))
    stacked = tuner.load_combined(model, folders, [0.75, -0.25], "cat", density=None, seed=42)
    for name, weight in weights_of(tuner.merge(stacked)).items():
        assert torch.allclose(found[name], weight, atol=1e-5), name


def test_chance_is_the_seeds(model_folder: Path, tmp_path: Path) -> None:
    plan = CASES["lora"].plan("q_proj")
    folders = [train(model_folder, plan, tmp_path / f"{number}", number) for number in (1, 2)]
    name = "model.layers.1.self_attn.q_proj.weight"
    given = {"combination": "dare_ties", "combination_density": 0.5}
    once, again, other = (combined(model_folder, folders, **given, seed=seed)[name] for seed in (7, 7, 8))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    record = json.loads((tmp_path / "1-combined" / "merge.json").read_text())
    assert (record["combination"], record["density"], record["seed"]) == ("dare_ties", 0.5, 8)


def test_the_command_tells_and_leaves_nothing_after_a_failure(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [train(model_folder, CASES[kind].plan("q_proj"), tmp_path / kind, 1) for kind in ("lora", "oft")]
    words = ["merge-lora", "--model_id_or_path", str(model_folder), "--ckpt_dir", str(folders[0]), "--more_ckpt_dirs"]
    assert main([*words, str(folders[1]), "--combination", "magnitude_prune", "--dtype", "bf16"]) == 0
    assert "(2 adapters move them by up to" in capsys.readouterr().out
    merged = AutoModelForCausalLM.from_pretrained(str(tmp_path / "lora-combined"))
    assert merged.dtype == torch.bfloat16
    (folders[1] / "adapter_model.safetensors").write_bytes(b"cut")
    with pytest.raises(SwiftError, match=r"does not fit|is damaged"):
        merge_lora_main(
            MergeLoraArguments(
                model_id_or_path=str(model_folder), ckpt_dir=str(folders[1]), more_ckpt_dirs=(str(folders[0]),)
            )
        )
    assert {path.name for path in tmp_path.iterdir()} == {"lora", "oft", "lora-combined"}
    plan = make_plan(MergeLoraArguments(model_id_or_path=str(model_folder), ckpt_dir=str(folders[0]), more_ckpt_dirs=(str(folders[0]),)))  # fmt: skip
    assert plan.combine is not None
    assert len(plan.combine.tuners) == 2
