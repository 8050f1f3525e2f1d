"""Several LoRA adapters as one by peft's ways: what each says, on the weights themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parent))
from methods import logits
from proof import saved

import swift.tuners
from swift.llm.plan.plans import TunerPlan
from swift.utils.errors import PlanError

Make = Callable[..., Any]
PREFIX = "base_model.model."


def train(make_model: Make, plan: TunerPlan, folder: Path, seed: int) -> Path:
    """As if it had been trained, differently for each seed."""
    model = swift.tuners.attach(plan, make_model())
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return saved(plan, model, folder)


def update(folder: Path, module: str, scale: float) -> torch.Tensor | float:
    """``scale · B A`` of a layer, from the file; 0 where the adapter does not go."""
    tensors = load_file(folder / "adapter_model.safetensors")
    a, b = (tensors.get(f"{PREFIX}{module}.lora_{part}.weight") for part in "AB")
    return 0.0 if a is None or b is None else scale * (b.double() @ a.double())


def combined(
    make_model: Make, plan: TunerPlan, folders: list[Path], weights: list[float], way: str, **more: Any
) -> Any:
    tuner: Any = swift.tuners.open_tuner(plan)
    settings = {"density": None, "seed": 42, **more}
    return tuner.load_combined(make_model(), folders, weights, way, **settings)


@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.parametrize("way", ["cat", "svd"])
def test_the_sum_is_the_weighted_sum_of_the_updates(
    way: str, rslora: bool, make_model: Make, lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    options = {"lora_alpha": 8, "use_rslora": rslora, "lora_dropout": 0.0}
    plans = [
        lora("q_proj", "v_proj", lora_rank=2, **options),
        lora("q_proj", "down_proj", lora_rank=(6 if way == "cat" else 2), **options),
        lora("o_proj", lora_rank=2, **options),
    ]
    folders = [train(make_model, plan, tmp_path / str(n), n) for n, plan in enumerate(plans)]
    scales = [8 / (rank**0.5 if rslora else rank) for rank in (2, 6 if way == "cat" else 2, 2)]
    weights = [0.7, -0.4, 1.5]
    model = combined(make_model, plans[0], folders, weights, way)
    unmerged = logits(model)
    merged = swift.tuners.open_tuner(plans[0]).merge(model)
    assert torch.allclose(logits(merged), unmerged, atol=1e-5)
    base = make_model().state_dict()
    for name, weight in merged.state_dict().items():
        module = name.removesuffix(".weight")
        change: Any = sum(
            w * update(folder, module, scale) for w, folder, scale in zip(weights, folders, scales, strict=True)
        )
        if way == "svd" and isinstance(change, torch.Tensor):
            u, s, v = torch.linalg.svd(change, full_matrices=False)
            change = (u[:, :2] * s[:2]) @ v[:2]
        assert torch.allclose(weight.double(), base[name].double() + change, atol=1e-5), name


def test_embeddings_add_up_too(make_model: Make, lora: Callable[..., TunerPlan], tmp_path: Path) -> None:
    plan = lora("EMBEDDING", "q_proj", lora_rank=2, lora_dropout=0.0)
    folders = [train(make_model, plan, tmp_path / str(n), n) for n in range(2)]
    once = [logits(swift.tuners.load(plan, make_model(), folder)) for folder in folders]
    assert torch.allclose(logits(combined(make_model, plan, folders, [1.0, 0.0], "cat")), once[0], atol=1e-5)
    assert torch.allclose(logits(combined(make_model, plan, folders, [0.0, 1.0], "cat")), once[1], atol=1e-5)


@pytest.mark.parametrize("way", ["ties_factors", "dare_linear_factors", "dare_ties_factors", "magnitude_prune_factors"])
def test_sparse_ways_keep_a_share_of_the_factors(
    way: str, make_model: Make, lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    plan = lora("q_proj", lora_rank=4, lora_dropout=0.0)
    folders = [train(make_model, plan, tmp_path / str(n), n) for n in range(2)]
    model = combined(make_model, plan, folders, [0.5, 0.5], way, density=0.25)
    factor = model.get_submodule(f"{PREFIX}model.layers.0.self_attn.q_proj").lora_A["combined"].weight
    share = float((factor != 0).float().mean())
    assert 0.3 < share <= 0.5  # of two quarters, some of them in the same places
    state = torch.get_rng_state()
    again = combined(make_model, plan, folders, [0.5, 0.5], way, density=0.25)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(logits(model), logits(again))
    other = combined(make_model, plan, folders, [0.5, 0.5], way, density=0.25, seed=1)
    assert torch.equal(logits(model), logits(other)) == (not way.startswith("dare"))


def test_what_peft_refuses_is_a_plan_error(make_model: Make, lora: Callable[..., TunerPlan], tmp_path: Path) -> None:
    plans = [lora("q_proj", lora_rank=rank) for rank in (2, 4)]
    folders = [train(make_model, plan, tmp_path / str(n), n) for n, plan in enumerate(plans)]
    with pytest.raises(PlanError, match=r"--combination ties_factors: .*same r"):
        combined(make_model, plans[0], folders, [0.5, 0.5], "ties_factors", density=0.5)
