"""Which optimizer, schedule and watcher a run gets, and what is told about those that cannot be."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from world import CPU, GPU, resolve

from swift.llm.plan.plans import TrainPlan
from swift.llm.plan.store import from_json, to_json
from swift.trainers.config import GaloreConfig
from swift.trainers.optimizers.table import OPTIMIZERS, find_optimizer, names
from swift.utils.errors import PlanError


def test_every_name_leads_to_a_row() -> None:
    for name in names():
        found = find_optimizer(
            name.removesuffix("_layerwise").replace("galore_adafactor", "adafactor").replace("galore_", "")
        )
        assert not isinstance(found, str), name
    assert find_optimizer("adam-mini") is OPTIMIZERS["adam_mini"]


def test_galore_takes_its_settings() -> None:
    plan = resolve(
        sft_type="full", use_galore=True, galore_rank=16, galore_target_modules=("q_proj",), galore_scale=0.25
    )
    assert plan.trainer.galore == GaloreConfig(rank=16, scale=0.25, targets=("q_proj",))
    assert plan.trainer.optim == "adamw_torch"
    assert from_json(to_json(plan), TrainPlan, "plan.json").trainer.galore == plan.trainer.galore
    assert resolve().trainer.galore is None


def test_q_galore_quantises_only_when_told() -> None:
    plain = resolve(sft_type="full", use_galore=True, galore_quantization=True, galore_cos_threshold=0.5).trainer.galore
    assert plain is not None
    assert (plain.cos_threshold, plain.bits) == (0.5, None)
    packed = resolve(
        sft_type="full",
        use_galore=True,
        galore_quantization=True,
        galore_proj_quant=True,
        galore_proj_bits=8,
        galore_weight_quant=True,
    )
    assert packed.trainer.galore is not None
    assert (packed.trainer.galore.bits, packed.trainer.galore.weight_bits) == (8, 8)
    assert plain.weight_bits is None


def test_lomo_takes_a_step_after_each_batch() -> None:
    plan = resolve(sft_type="full", optim="adalomo")
    assert (plan.trainer.gradient_accumulation_steps, plan.trainer.max_grad_norm) == (1, 0.0)


def test_the_names_of_transformers_switch_galore_on() -> None:
    plan = resolve(sft_type="full", optim="galore_adafactor_layerwise", galore_rank=8)
    assert plan.trainer.galore == GaloreConfig(rank=8, per_parameter=True)
    assert plan.trainer.optim == "adafactor"
    assert (plan.trainer.gradient_accumulation_steps, plan.trainer.max_grad_norm) == (1, 0.0)
    assert "not clipped" in plan.reasons["trainer.max_grad_norm"]


def test_a_schedule_free_optimizer_gets_no_cosine() -> None:
    machine = replace(CPU, versions={**CPU.versions, "schedulefree": "1.4.1"})
    plan = resolve(machine=machine, optim="schedule_free_adamw")
    assert plan.trainer.lr_scheduler_type == "constant_with_warmup"
    assert "schedule_free_adamw" in plan.reasons["trainer.lr_scheduler_type"]
    given = resolve(machine=machine, optim="schedule_free_adamw", lr_scheduler_type="linear")
    assert given.trainer.lr_scheduler_type == "linear"


def test_a_cosine_with_a_floor_and_a_tail() -> None:
    trainer = resolve(cosine_min_lr_ratio=0.1, cosine_constant_lr_ratio=0.8, lr_quadratic_warmup=True).trainer
    assert (trainer.lr_scheduler_type, dict(trainer.lr_scheduler_kwargs)) == (
        "cosine_with_min_lr",
        {"min_lr_rate": 0.1},
    )
    assert (trainer.cosine_constant_lr_ratio, trainer.lr_quadratic_warmup) == (0.8, True)
    cycle = resolve(lr_scheduler_type="one_cycle", lr_div_factor=6).trainer
    assert dict(cycle.lr_scheduler_kwargs) == {"div_factor": 6}


def test_extras_arrive() -> None:
    machine = replace(GPU, versions={**GPU.versions, "liger-kernel": "0.6", "wandb": "0.20"})
    trainer = resolve(machine=machine, use_liger=True, torch_compile=True, auto_find_batch_size=True, loss_watchdog_threshold=5.0,
                      report_to=("wandb",), embedding_learning_rate=1e-5).trainer  # fmt: skip
    assert (trainer.use_liger, trainer.torch_compile, trainer.auto_find_batch_size) == (True, "inductor", True)
    assert (trainer.loss_watchdog_threshold, trainer.report_to, trainer.embedding_learning_rate) == (
        5.0,
        ("wandb",),
        1e-5,
    )


FULL = {"sft_type": "full"}
GALORE = {**FULL, "use_galore": True}


@pytest.mark.parametrize(("given", "text"), [
    ({"optim": "adamwtorch"}, "--optim adamwtorch: there is no such optimizer. Did you mean adamw_torch"),
    ({"optim": "apollo_adamw_layerwise"}, "--optim apollo_adamw_layerwise: is not supported"),
    ({"optim": "lomo", "gradient_accumulation_steps": 4}, "--optim lomo: takes a step after each batch"),
    ({"optim": "adalomo", "max_grad_norm": 1.0}, "with --optim adalomo gradients are never all there to be clipped"),
    ({"optim": "lomo", "auto_find_batch_size": True}, "--auto_find_batch_size true: accumulates where the batch is too large"),
    ({**GALORE, "galore_quantization": True, "galore_weight_quant": True, "torch_compile": True}, "weights are in 8 bits"),
    ({**GALORE, "galore_weight_quant": True}, "--galore_weight_quant: has an effect only with --galore_quantization true"),
    ({"optim": "stable_adamw"}, "needs the package torch-optimi. Install it with: pip install 'torch-optimi>=0.3'"),
    ({"optim": "adamw_torch_npu_fused"}, "this machine trains on a CPU"),
    ({"use_galore": True}, "--sft_type lora trains small ones"),
    ({**GALORE, "optim": "muon"}, "does not work over --optim muon"),
    ({**GALORE, "galore_proj_type": "sideways"}, "--galore_proj_type sideways: is none of std"),
    ({**GALORE, "galore_rank": 0}, "--galore_rank 0: is a count from 1 up"),
    ({**GALORE, "galore_cos_threshold": 0.3}, "--galore_cos_threshold: has an effect only with --galore_quantization true"),
    ({**GALORE, "galore_optim_per_parameter": True, "gradient_accumulation_steps": 4}, "takes a step after each batch"),
    ({**GALORE, "galore_optim_per_parameter": True, "max_grad_norm": 0.5}, "--max_grad_norm: with --galore_optim_per_parameter"),
    ({**GALORE, "lisa_activated_layers": 2}, "exclude each other"),
    ({"galore_rank": 4}, "--galore_rank: has an effect only with --use_galore"),
    ({"lisa_activated_layers": 2}, "--lisa_activated_layers 2: chooses among whole layers; --sft_type is lora"),
    ({"lisa_step_interval": 2}, "--lisa_step_interval: has an effect only with --lisa_activated_layers"),
    ({"head_learning_rate": 0.0}, "--head_learning_rate 0.0: must be above 0"),
    ({"lr_scheduler_type": "cosin"}, "--lr_scheduler_type cosin: unknown schedule 'cosin'; did you mean 'cosine'"),
    ({"lr_scheduler_type": "greedy"}, "follows the loss"),
    ({"lr_scheduler_type": "one_cycle", "warmup_ratio": 0.1}, "--warmup_ratio: --lr_scheduler_type one_cycle has its own rise"),
    ({"cosine_min_lr_ratio": 2.0}, "--cosine_min_lr_ratio 2.0: is a share"),
    ({"cosine_constant_lr_ratio": 0.5}, "the rate that stays is --cosine_min_lr_ratio"),
    ({"cosine_min_lr_ratio": 0.1, "lr_scheduler_type": "linear"}, "is about the cosine; --lr_scheduler_type is linear"),
    ({"lr_div_factor": 6.0}, "--lr_div_factor: has an effect only with --lr_scheduler_type one_cycle"),
    ({"lr_quadratic_warmup": True, "lr_scheduler_type": "constant"}, "--lr_scheduler_type constant has no warm-up"),
    ({"loss_watchdog_patience": 2}, "--loss_watchdog_patience: has an effect only with --loss_watchdog_threshold"),
    ({"torch_compile_backend": "eager"}, "--torch_compile_backend: has an effect only with --torch_compile true"),
    ({"neftune_backend": "swift"}, "--neftune_backend: has an effect only with --neftune_noise_alpha"),
    ({"use_liger": True}, "--use_liger true: its kernels run on a GPU"),
    ({"report_to": ("swanlab",)}, "--report_to swanlab: needs the package swanlab. Install it with: pip install swanlab"),
    ({"auto_find_batch_size": True, "streaming": True, "max_steps": 3}, "--streaming true does not know them"),
])  # fmt: skip
def test_what_cannot_be_is_told(given: dict[str, Any], text: str) -> None:
    with pytest.raises(PlanError) as refused:
        resolve(**given)
    assert any(text in problem for problem in refused.value.problems), refused.value.problems
