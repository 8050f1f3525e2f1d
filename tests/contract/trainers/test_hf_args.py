from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainingArguments

from swift.trainers.config import TrainerConfig
from swift.trainers.hf_args import REFUSED, build_args, own_trackers, uses_tensorboard
from swift.trainers.optimizers.table import REFUSED as OPTIMIZER_REFUSED
from swift.trainers.optimizers.table import names
from swift.utils.errors import ArgumentError, PlanError


def config(tmp_path: Path, **changes: Any) -> TrainerConfig:
    values: dict[str, Any] = {"output_dir": str(tmp_path), "learning_rate": 1e-4, "evaluation_strategy": "no"}
    return TrainerConfig(**{**values, **changes})


def test_every_refused_name_exists() -> None:
    assert set(REFUSED) <= {field.name for field in fields(TrainingArguments)}


def test_what_is_said_arrives(tmp_path: Path) -> None:
    args = build_args(config(tmp_path, batch_size=3, adam_beta2=0.9, max_grad_norm=0.5, seed=7, save_steps=11))
    assert (args.per_device_train_batch_size, args.adam_beta2, args.max_grad_norm) == (3, 0.9, 0.5)
    assert (args.seed, args.save_steps, args.logging_steps, args.report_to) == (7, 11, 5, [])
    assert args.get_warmup_steps(200) == 10


@pytest.mark.parametrize(
    ("changes", "steps"), [({"warmup_steps": 3}, 3), ({"warmup_ratio": 0.0}, 0), ({"warmup_ratio": 0.1}, 20)]
)
def test_warmup(tmp_path: Path, changes: dict[str, Any], steps: int) -> None:
    assert build_args(config(tmp_path, **changes)).get_warmup_steps(200) == steps


def test_hf_args_win(tmp_path: Path) -> None:
    args = build_args(config(tmp_path, logging_steps=9, hf_args={"logging_steps": 2, "torch_empty_cache_steps": 4}))
    assert (args.logging_steps, args.torch_empty_cache_steps) == (2, 4)


def test_an_unknown_name_is_told_its_neighbour(tmp_path: Path) -> None:
    with pytest.raises(
        ArgumentError, match="--hf_args: unknown TrainingArguments field 'waight_decay'; did you mean 'weight_decay'"
    ):
        build_args(config(tmp_path, hf_args={"waight_decay": 0.1}))


def test_what_the_loop_cannot_keep_is_refused_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as refused:
        build_args(config(tmp_path, hf_args={"label_smoothing_factor": 0.1, "load_best_model_at_end": True}))
    assert len(refused.value.problems) == 2


def test_every_optimizer_of_transformers_is_in_the_table() -> None:
    from transformers.training_args import OptimizerNames

    ours = {*names(), *OPTIMIZER_REFUSED}
    assert {one.value for one in OptimizerNames} <= ours


def test_an_unknown_optimizer_is_told_its_neighbour(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"--optim adamm: there is no such optimizer. Did you mean adamw"):
        build_args(config(tmp_path, optim="adamm"))


@pytest.mark.parametrize("changes", [{"save_strategy": "never"}])
def test_a_value_that_transformers_does_not_know(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(
        ArgumentError, match="transformers refuses these training arguments: .*" + next(iter(changes.values()))
    ):
        build_args(config(tmp_path, **changes))


def test_warmup_share_out_of_range(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"--warmup_ratio 1\.5"):
        build_args(config(tmp_path, warmup_ratio=1.5))


def test_trackers(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="--report_to 'wandbb' is not a tracker; did you mean 'wandb'"):
        build_args(config(tmp_path, report_to=("wandbb",)))
    # driven by callbacks of our own; transformers drives the others
    assert build_args(config(tmp_path, report_to=("tensorboard", "wandb"))).report_to == []
    assert own_trackers(config(tmp_path, report_to=("tensorboard", "wandb", "mlflow"))) == ("mlflow", "wandb")
    assert build_args(config(tmp_path, report_to=("trackio", "wandb"))).report_to == ["trackio"]
    base = config(tmp_path)
    assert uses_tensorboard(base)
    assert not uses_tensorboard(replace(base, report_to=("none",)))
    assert not uses_tensorboard(replace(base, report_to=()))


def test_adamw_is_the_fused_one(tmp_path: Path) -> None:
    """The same algorithm; transformers names its implementations apart."""
    assert build_args(config(tmp_path, optim="adamw_torch")).optim == "adamw_torch_fused"
    assert build_args(config(tmp_path, optim="sgd")).optim == "sgd"
