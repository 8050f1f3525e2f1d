"""Each optimizer against its formula, on a memorisation task, and over a resume; rates by part; LISA's layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from swift.trainers.config import GaloreConfig
from swift.trainers.lisa import active_layers
from swift.trainers.optimizers.adam_mini import AdamMini
from swift.trainers.optimizers.apollo import Apollo
from swift.trainers.optimizers.context import OptimizerContext
from swift.trainers.optimizers.galore import GaLore
from swift.trainers.optimizers.groups import parameter_groups
from swift.trainers.optimizers.lomo import adalomo
from swift.trainers.optimizers.projection import Projection, dequantize, quantize
from swift.trainers.optimizers.table import OPTIMIZERS
from swift.trainers.sft import build_trainer
from swift.utils.errors import ArgumentError, MissingPackageError, PlanError
from swift.utils.lazy import require

QUIET = {"evaluation_strategy": "no", "save_strategy": "no", "logging_steps": 100}
SMALL = GaloreConfig(rank=4, gap=2)
Q_GALORE = GaloreConfig(rank=4, gap=2, bits=4, group_size=32, cos_threshold=0.1, queue_size=2)


def adamw(groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
    # a large eps: a gradient projected on both sides has zeros off the diagonal, and rounding must not be what is compared
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-3)


def gradients(shape: tuple[int, int], num: int) -> list[torch.Tensor]:
    return list(torch.randn(num, *shape, generator=torch.Generator().manual_seed(3)))


def moved(optimizer: torch.optim.Optimizer, weight: nn.Parameter, grads: list[torch.Tensor]) -> torch.Tensor:
    for gradient in grads:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


def weight_of(shape: tuple[int, int]) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape, generator=torch.Generator().manual_seed(5)))


@pytest.mark.parametrize("shape", [(6, 9), (9, 6)])
def test_galore_at_full_rank_is_adamw(shape: tuple[int, int]) -> None:
    ours, theirs = weight_of(shape), weight_of(shape)
    group = {"lr": 0.01, "weight_decay": 0.1}
    galore = GaLore([{"params": [ours], **group}], adamw, GaloreConfig(rank=6), [ours])
    plain = adamw([{"params": [theirs], **group}])
    assert torch.equal(moved(galore, ours, gradients(shape, 7)), moved(plain, theirs, gradients(shape, 7)))


@pytest.mark.parametrize("shape", [(6, 9), (9, 6)])
@pytest.mark.parametrize("kind", ["std", "reverse_std", "left", "right", "full"])
def test_galore_is_the_papers_formula(shape: tuple[int, int], kind: str) -> None:
    """Algorithm 2 of the paper, written out in float64."""
    rank, gap, scale, rate, decay = 3, 2, 0.25, 0.01, 0.1
    grads = gradients(shape, 5)
    weight = weight_of(shape)
    optimizer = GaLore(
        [{"params": [weight], "lr": rate, "weight_decay": decay}], adamw,
        GaloreConfig(rank=rank, gap=gap, scale=scale, proj_type=kind), [weight],
    )  # fmt: skip
    result = moved(optimizer, weight, grads)

    expected = weight_of(shape).detach().double()
    first = second = left = right = None
    for step, gradient in enumerate(grads):
        gradient = gradient.double()
        if step % gap == 0:
            u, _, v = torch.linalg.svd(gradient, full_matrices=False)
            wide = shape[0] < shape[1]
            takes_left = kind in ("left", "full") or (kind == "std" and wide) or (kind == "reverse_std" and not wide)
            left = u[:, :rank] if takes_left else None
            right = v[:rank].T if not takes_left or kind == "full" else None
        low = gradient if left is None else left.T @ gradient
        low = low if right is None else low @ right
        first = 0.1 * low if first is None else 0.9 * first + 0.1 * low
        second = 0.05 * low**2 if second is None else 0.95 * second + 0.05 * low**2
        towards = (first / (1 - 0.9 ** (step + 1))) / ((second / (1 - 0.95 ** (step + 1))).sqrt() + 1e-3)
        towards = towards if left is None else left @ towards
        towards = towards if right is None else towards @ right.T
        expected = expected * (1 - rate * decay) - rate * scale * towards
    assert torch.allclose(result.double(), expected, atol=2e-5)


@pytest.mark.parametrize(("bits", "group"), [(4, 32), (8, 256), (4, 5), (4, 7)])
def test_quantised_values_are_within_half_a_step(bits: int, group: int) -> None:
    values = torch.randn(7, 13, generator=torch.Generator().manual_seed(1))
    packed = quantize(values, bits, group)
    back = dequantize(packed)
    steps = packed["step"].repeat_interleave(group)[: values.numel()].view_as(values)
    assert ((values - back).abs() <= steps / 2 + 1e-6).all()
    padded = math.ceil(values.numel() / group) * group
    assert packed["codes"].numel() == math.ceil(padded * bits / 8)


def test_the_gap_grows_where_projections_stay_alike() -> None:
    config = GaloreConfig(rank=2, gap=1, cos_threshold=0.9, gamma=2, queue_size=2)
    same, other = Projection(config, torch.Size((6, 9))), Projection(config, torch.Size((6, 9)))
    gradient = gradients((6, 9), 1)[0]
    for one in gradients((6, 9), 8):
        same.down(gradient)
        other.down(one)
    assert same.gap > 1
    assert other.gap == 1
    assert same.renewals < other.renewals == 8


def test_apollo_is_the_papers_formula() -> None:
    rate, decay, rank, scale = 0.01, 0.1, 2, 0.5
    weight, grads = weight_of((5, 8)), gradients((5, 8), 4)
    optimizer = Apollo([{"params": [weight], "lr": rate, "weight_decay": decay}], rank=rank, gap=2, scale=scale, seed=9)
    drawn = [optimizer.random(5, rank, 0, renewal, weight).double() for renewal in range(2)]
    result = moved(optimizer, weight, grads)
    expected = weight_of((5, 8)).detach().double()
    first = second = torch.zeros(rank, 8, dtype=torch.float64)
    before = None
    for step, gradient in enumerate(grads):
        gradient = gradient.double()
        low = drawn[step // 2] @ gradient
        first, second = 0.9 * first + 0.1 * low, 0.999 * second + 0.001 * low**2
        adapted = (first / (1 - 0.9 ** (step + 1))) / ((second / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
        scaled = gradient * (adapted.norm(dim=0) / low.norm(dim=0))
        if before is not None and scaled.norm() > 1.01 * before:
            scaled = scaled * (1.01 * before / scaled.norm())
        before = scaled.norm()
        expected = expected * (1 - rate * decay) - rate * scale * scaled
    assert torch.allclose(result.double(), expected, atol=1e-5)
    assert not torch.equal(drawn[0], drawn[1])


def test_adalomo_is_the_papers_formula() -> None:
    """Algorithm 1 of the paper in float64."""
    rate, decay = 0.01, 0.1
    weight, grads = weight_of((5, 8)), gradients((5, 8), 4)
    group = {"params": [weight], "lr": rate, "weight_decay": decay}
    optimizer: Any = adalomo([group], OptimizerContext(model=None))
    row, column = torch.zeros(5, dtype=torch.float64), torch.zeros(8, dtype=torch.float64)
    expected = weight_of((5, 8)).detach().double()
    for step, gradient in enumerate(grads):
        (weight * gradient).sum().backward()  # moves the weight
        assert weight.grad is None
        optimizer.step()
        gradient, keep = gradient.double(), 1 - (step + 1) ** -0.8
        row = keep * row + (1 - keep) * gradient.square().mean(1)
        column = keep * column + (1 - keep) * gradient.square().mean(0)
        update = gradient / (torch.outer(row, column) / row.mean()).sqrt()
        update = update / max(1.0, float(update.square().mean().sqrt()))
        update = update * max(1e-3, float(expected.square().mean().sqrt()))
        expected = expected * (1 - rate * decay) - rate * update
    assert torch.allclose(weight.detach().double(), expected, atol=1e-5)


def test_adam_mini_keeps_one_second_moment_a_block() -> None:
    weight, grads = weight_of((6, 4)), gradients((6, 4), 3)
    optimizer = AdamMini([{"params": [weight], "lr": 0.01, "block": 2}], betas=(0.9, 0.95))
    result = moved(optimizer, weight, grads)
    expected = weight_of((6, 4)).detach()
    first, second = torch.zeros(6, 4), torch.zeros(3)
    for step, gradient in enumerate(grads):
        first = 0.9 * first + 0.1 * gradient
        second = 0.95 * second + 0.05 * gradient.view(3, -1).square().mean(1)
        root = (second / (1 - 0.95 ** (step + 1))).sqrt().repeat_interleave(2)[:, None] + 1e-8
        expected = expected - 0.01 * first / (1 - 0.9 ** (step + 1)) / root
    assert torch.allclose(result, expected, atol=1e-6)
    assert optimizer.state[weight]["second"].numel() == 3


SETTINGS: dict[str, dict[str, Any]] = {
    "galore": {"galore": SMALL, "batch_size": 6, "gradient_accumulation_steps": 1},
    "galore-layerwise": {"galore": GaloreConfig(rank=4, gap=2, per_parameter=True), "max_grad_norm": 0.0, "batch_size": 6,
                         "gradient_accumulation_steps": 1},
    "q-galore": {"galore": Q_GALORE},
    "q-galore-in-8-bits": {"galore": replace(Q_GALORE, weight_bits=8)},
    "q-galore-in-8-bits-layerwise": {"galore": replace(Q_GALORE, weight_bits=8, per_parameter=True), "max_grad_norm": 0.0,
                                     "batch_size": 6, "gradient_accumulation_steps": 1},
    "galore-adafactor": {"galore": SMALL, "optim": "adafactor"},
    "lisa": {"lisa_layers": 1, "lisa_interval": 2},
    "muon": {"optim": "muon"},
    "apollo": {"optim": "apollo_adamw", "optim_args": {"rank": 4, "update_proj_gap": 2}},
    "apollo-mini": {"optim": "apollo_mini"},
    "adam-mini": {"optim": "adam_mini"},
    "adalomo": {"optim": "adalomo", "max_grad_norm": 0.0, "batch_size": 6, "gradient_accumulation_steps": 1},
    "parts": {"embedding_learning_rate": 3e-3, "lr_scheduler_type": "rex"},
    "schedule-free": {"optim": "schedule_free_adamw", "lr_scheduler_type": "constant_with_warmup"},
    "adamw-8bit": {"optim": "adamw_8bit"},
    "stable-adamw": {"optim": "stable_adamw"},
}  # fmt: skip


def is_installed(name: str) -> bool:
    required = OPTIMIZERS[name].requires
    try:
        require(*([required] if required else []))
    except MissingPackageError:
        return False
    return True


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_a_resumed_run_is_the_run_that_was_never_stopped(
    tiny: ModuleType, tmp_path: Path, changes: dict[str, Any]
) -> None:
    if not is_installed(changes.get("optim", "adamw_torch")):
        pytest.skip("the package of this optimizer is not installed")
    common = {
        "max_steps": 7,
        "save_steps": 3,
        "save_total_limit": None,
        "evaluation_strategy": "no",
        "logging_steps": 1,
    }
    _, whole = tiny.run(tmp_path / "whole", **common, **changes)
    start = whole.last_checkpoint.parent / "checkpoint-3"
    _, again = tiny.run(tmp_path / "again", resume_from=start, **common, **changes)
    assert tiny.losses(tmp_path / "again") == tiny.losses(tmp_path / "whole")
    expected, reached = tiny.weights(whole.last_checkpoint), tiny.weights(again.last_checkpoint)
    assert all(torch.equal(expected[name], reached[name]) for name in expected)


RATES = {"sgd": 0.3, "adagrad": 0.05, "schedule_free_sgd": 3.0, "lion_32bit": 3e-3, "lion_8bit": 3e-3, "paged_lion_32bit": 3e-3,
         "paged_lion_8bit": 3e-3, "rmsprop": 3e-3, "lomo": 0.3, "adalomo": 0.05}  # fmt: skip


@pytest.mark.parametrize("name", [name for name, row in OPTIMIZERS.items() if "cpu" in row.devices])
@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
@pytest.mark.filterwarnings("ignore:.*does not implement _stable_hash_for_caching")
@pytest.mark.filterwarnings("ignore:`torch.cuda.amp.autocast")
@pytest.mark.filterwarnings("ignore:CUDA is not available or torch_xla")
def test_every_optimizer_memorises_or_says_what_is_missing(tiny: ModuleType, tmp_path: Path, name: str) -> None:
    options = {"rank": 4} if name == "apollo_adamw" else {}
    config = tiny.tiny_config(
        tmp_path, **QUIET, optim=name, optim_args=options, learning_rate=RATES.get(name, 1e-2), weight_decay=0.0
    )
    trainer = build_trainer(config, tiny.tiny_model(), tiny.Samples(8), None, tiny.flat)
    if not is_installed(name):
        with pytest.raises(MissingPackageError, match="pip install"):
            trainer.create_optimizer()
        return
    optimizer: Any = trainer.create_optimizer()
    batch = tiny.flat([trainer.rows[number] for number in range(8)])
    losses = []
    for _ in range(30):
        if name.startswith("schedule_free"):
            optimizer.train()
        found = trainer.token_losses(trainer.model, batch)
        losses.append(float(found.total.detach()) / found.num_tokens)
        (found.total / found.num_tokens).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.75 * losses[0], (name, losses[::5])


def test_lisa_trains_the_stated_layers_at_the_stated_steps(tiny: ModuleType, tmp_path: Path) -> None:
    from transformers import TrainerCallback

    seen: dict[int, set[int]] = {}

    class Watch(TrainerCallback):
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            layers = kwargs["model"].model.layers
            seen[state.global_step] = {
                number for number, layer in enumerate(layers) if any(one.grad is not None for one in layer.parameters())
            }
            assert kwargs["model"].model.embed_tokens.weight.grad is not None

    config = tiny.tiny_config(tmp_path, **QUIET, lisa_layers=1, lisa_interval=3, max_steps=12, seed=4)
    build_trainer(config, tiny.tiny_model(), tiny.Samples(40), None, tiny.flat, callbacks=[Watch()]).train()
    assert seen == {step: set(active_layers(2, 1, 4, step // 3)) for step in range(12)}
    assert len({tuple(one) for one in seen.values()}) == 2


def test_lisa_draws_by_seed_and_interval_alone() -> None:
    drawn = [active_layers(12, 3, seed=1, interval=number) for number in range(50)]
    assert drawn == [active_layers(12, 3, seed=1, interval=number) for number in range(50)]
    assert {len(set(one)) for one in drawn} == {3}
    assert {layer for one in drawn for layer in one} == set(range(12))


def test_parts_have_their_own_rates(tiny: ModuleType) -> None:
    model = tiny.tiny_model(tie=False)
    groups = parameter_groups(model, 1e-3, 0.1, decayed=[name for name, one in model.named_parameters() if one.ndim > 1],
                              embedding_rate=1e-4, head_rate=1e-5)  # fmt: skip
    rate = {id(one): group["lr"] for group in groups for one in group["params"]}
    assert rate[id(model.model.embed_tokens.weight)] == 1e-4
    assert rate[id(model.lm_head.weight)] == 1e-5
    assert set(rate.values()) == {1e-3, 1e-4, 1e-5}
    assert len(rate) == len(list(model.parameters()))
    with pytest.raises(PlanError, match="--head_learning_rate: the head of this model is its embedding matrix"):
        parameter_groups(tiny.tiny_model(), 1e-3, 0.1, decayed=[], head_rate=1e-5)
    with pytest.raises(PlanError, match="--embedding_learning_rate: none of these parameters is trained"):
        parameter_groups(tiny.with_lora(tiny.tiny_model()), 1e-3, 0.1, decayed=[], embedding_rate=1e-5)


def test_the_groups_of_a_tuner_keep_their_rates(tiny: ModuleType, tmp_path: Path) -> None:
    """As LoRA+ asks for: factor B learns faster."""
    model = tiny.with_lora(tiny.tiny_model())
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    groups = [{"params": [one for name, one in trained.items() if "lora_A" in name], "lr": 1e-3},
              {"params": [one for name, one in trained.items() if "lora_B" in name], "lr": 1.6e-2}]  # fmt: skip
    config = tiny.tiny_config(tmp_path, **QUIET, max_steps=1)
    trainer = build_trainer(config, model, tiny.Samples(8), None, tiny.flat, parameter_groups=groups)
    made = trainer.create_optimizer().param_groups
    assert [group["lr"] for group in made] == [1e-3, 1.6e-2]
    assert [len(group["params"]) for group in made] == [6, 6]


def test_settings_that_an_optimizer_does_not_have_are_told(tiny: ModuleType, tmp_path: Path) -> None:
    config = tiny.tiny_config(tmp_path, **QUIET, optim="muon", optim_args={"momentun": 0.9})
    trainer = build_trainer(config, tiny.tiny_model(), tiny.Samples(8), None, tiny.flat)
    with pytest.raises(ArgumentError, match="--optim_args: unknown setting of this optimizer 'momentun'; did you mean"):
        trainer.create_optimizer()


@pytest.mark.parametrize(("changes", "text"), [
    ({"galore": GaloreConfig(rank=4, targets=("q_prj",))}, "--galore_target_modules q_prj: matches no trained linear layer. Did you mean q_proj"),
    ({"galore": GaloreConfig(rank=64)}, "--galore_rank 64: no matrix has both sides longer"),
])  # fmt: skip
def test_galore_with_nothing_to_project(tiny: ModuleType, tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    trainer = build_trainer(
        tiny.tiny_config(tmp_path, **QUIET, **changes), tiny.tiny_model(), tiny.Samples(8), None, tiny.flat
    )
    with pytest.raises(PlanError, match=text):
        trainer.create_optimizer()
