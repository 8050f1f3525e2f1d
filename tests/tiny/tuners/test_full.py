"""Full tuning: what is frozen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

import swift.tuners
from swift.llm.plan.plans import TunerPlan
from swift.utils.errors import PlanError


def full(**options: Any) -> TunerPlan:
    return TunerPlan(sft_type="full", code="swift.tuners.full.tuner:FullTuner", options=options)


def trained(model: Any) -> list[str]:
    return [name for name, p in model.named_parameters() if p.requires_grad]


def test_everything_by_default(make_model: Callable[..., Any]) -> None:
    model = swift.tuners.attach(full(), make_model())
    assert len(trained(model)) == len(list(model.parameters()))


def test_by_name_and_back_again(make_model: Callable[..., Any]) -> None:
    plan = full(
        freeze_parameters=("model.layers", "model.embed"), additional_trainable_parameters=("model.layers.1.mlp",)
    )
    names = trained(swift.tuners.attach(plan, make_model()))
    assert names == [f"model.layers.1.mlp.{n}_proj.weight" for n in ("gate", "up", "down")] + [
        "model.norm.weight",
        "lm_head.weight",
    ]


@pytest.mark.parametrize("given", [{"freeze_parameters_ratio": 0.5}, {"freeze_parameters": ("0.5",)}])
def test_share_from_the_bottom(given: dict[str, Any], make_model: Callable[..., Any]) -> None:
    model = swift.tuners.attach(full(**given), make_model())
    flags = [p.requires_grad for p in model.parameters()]
    sizes = [p.numel() for p in model.parameters()]
    first = flags.index(True)
    assert all(flags[first:])
    assert sum(sizes[:first]) <= 0.5 * sum(sizes) < sum(sizes[: first + 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freeze_parameters_ratio": 1.0}, "nothing is left to train"),
        ({"freeze_parameters_ratio": 1.5}, "a share from 0 to 1"),
        (
            {"freeze_parameters": ("model.layer.0",)},
            r"--freeze_parameters model.layer.0: no parameter's name begins so. Did you mean model.layers.0",
        ),
        (
            {"additional_trainable_parameters": ("nothing_like_it",)},
            "--additional_trainable_parameters nothing_like_it",
        ),
    ],
)
def test_what_cannot_be(options: dict[str, Any], message: str, make_model: Callable[..., Any]) -> None:
    with pytest.raises(PlanError, match=message):
        swift.tuners.attach(full(**options), make_model())


def test_saved_model_is_the_model(make_model: Callable[..., Any], tmp_path: Path) -> None:
    model = swift.tuners.attach(full(), make_model(tied=True))
    swift.tuners.save_model(full(), model)(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.arange(3, 13)[None]
    assert torch.equal(again.eval()(ids).logits, model(ids).logits)
