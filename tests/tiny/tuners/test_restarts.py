"""ReLoRA: the factors go into the weights and begin anew; the file holds all of them, and a run goes on exactly."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import swift.tuners
from swift.llm.plan.plans import TunerPlan
from swift.llm.sft import sft_main
from swift.trainers.schedules import jagged
from swift.tuners.base import Restarts
from swift.tuners.lora.restarts import prune
from swift.utils.errors import CheckpointError, PlanError

sys.path.insert(0, str(Path(__file__).parent))
from methods import IDS, logits
from test_resume import arguments, losses, rows  # noqa: F401 - a fixture

OPTIONS = {"lora_rank": 2, "lora_alpha": 16, "lora_dropout": 0.0, "relora_steps": 10, "relora_warmup_steps": 3}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices of this size are slower on several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lively(model: Any) -> Any:
    """With larger weights: the head can tell tokens apart, and every layer matters."""
    with torch.no_grad():
        for parameter in {model.lm_head.weight, model.model.embed_tokens.weight}:
            parameter *= 20
        for parameter in model.model.layers.parameters():
            parameter *= 4 if parameter.ndim > 1 else 1
    return model


def train(plan: TunerPlan, model: Any, steps: int, rate: float = 1e-2) -> tuple[torch.optim.Optimizer, list[float]]:
    """As the loop does: step, then perhaps a restart."""
    tuner = swift.tuners.open_tuner(plan)
    assert isinstance(tuner, Restarts)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.0)
    course = jagged(10, steps, 3, 2)
    found = []
    for step in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = rate * course(step - 1)
        optimizer.zero_grad()
        predicted = model(IDS).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(predicted.flatten(0, 1), IDS[:, 1:].flatten())
        found.append(loss.item())
        loss.backward()
        optimizer.step()
        before = logits(model)
        tuner.restart(model, optimizer, step, steps)
        assert torch.allclose(logits(model), before, atol=1e-3)  # a restart changes nothing that the model says
        model.train()
    return optimizer, found


@pytest.mark.parametrize("rslora", [False, True])
def test_the_update_outgrows_the_rank(
    rslora: bool, make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    plan = lora("ALL", **OPTIONS, use_rslora=rslora)
    model = swift.tuners.attach(plan, lively(make_model()))
    num = sum(p.numel() for p in model.parameters() if p.requires_grad)
    _, found = train(plan, model, 30)
    assert found[-1] < 0.1 * found[0]
    assert num == sum(p.numel() for p in model.parameters() if p.requires_grad)
    wanted, original = logits(model), lively(make_model())
    swift.tuners.save_model(plan, model)(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["init_lora_weights"]) == (6, True)  # restarts at 10 and 20, none at the end
    loaded = swift.tuners.load(plan, lively(make_model()), tmp_path)
    plain = PeftModel.from_pretrained(lively(make_model()), str(tmp_path))
    bound = 1e-5 * wanted.abs().max()
    assert (logits(loaded) - wanted).abs().max() < bound
    assert torch.equal(logits(plain), logits(loaded))
    merged = swift.tuners.open_tuner(plan).merge(loaded)
    assert (logits(merged) - wanted).abs().max() < bound
    change = merged.model.layers[0].mlp.up_proj.weight - original.model.layers[0].mlp.up_proj.weight
    sizes = torch.linalg.svdvals(change.double())
    assert sizes[5] > 1e-3 * sizes[0] > 1e3 * sizes[6]  # rank six, of factors of rank two


def test_it_goes_on_bit_for_bit(make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path) -> None:
    plan = lora("ALL", **OPTIONS, saved=("LN",))
    model = swift.tuners.attach(plan, make_model())
    train(plan, model, 22)
    swift.tuners.save_model(plan, model)(tmp_path)
    again = swift.tuners.load(plan, make_model(), tmp_path, trainable=True)
    assert all(torch.equal(p, q) for p, q in zip(again.parameters(), model.parameters(), strict=True))
    assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in model.parameters()]
    (tmp_path / "two").mkdir()
    swift.tuners.save_model(plan, again)(tmp_path / "two")
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / name).read_bytes()
    for changed in ({"lora_rank": 4}, {"lora_alpha": 4}):
        with pytest.raises(CheckpointError, match="its factors have rank 6 and scale 8"):
            swift.tuners.load(lora("ALL", **{**OPTIONS, **changed}), make_model(), tmp_path, trainable=True)


def test_the_optimizer_forgets_the_smallest(make_model: Callable[..., Any], lora: Callable[..., TunerPlan]) -> None:
    plan = lora("q_proj", **{**OPTIONS, "relora_prune_ratio": 0.75})
    model = swift.tuners.attach(plan, make_model())
    optimizer, _ = train(plan, model, 4)
    factor = model.base_model.model.model.layers[0].self_attn.q_proj.lora_B["default"].weight
    state = optimizer.state[factor]
    before = {name: tensor.clone() for name, tensor in state.items()}
    prune(optimizer.state, [factor], 0.75)
    assert torch.equal(state["step"], before["step"])
    kept = state["exp_avg"] != 0
    assert kept.sum() == factor.numel() // 4
    assert before["exp_avg"][kept].abs().min() >= before["exp_avg"][~kept].abs().max()
    for name in ("exp_avg", "exp_avg_sq"):  # the same entries: a mean without its square would be divided by nothing
        assert torch.equal(state[name], before[name] * kept)


def test_the_rate_falls_before_a_restart_and_rises_after_it() -> None:
    course = jagged(10, 30, 2, 4)
    expected = [1.0] * 7 + [0.75, 0.5, 0.25] + [0.0, 0.5] + [1.0] * 5 + [0.75, 0.5, 0.25] + [0.0, 0.5] + [1.0] * 8
    assert [course(step) for step in range(30)] == expected  # not at the ends of the run
    assert {jagged(10, 30, 0, 0)(step) for step in range(30)} == {1.0}


def test_where_factors_cannot_go(make_model: Callable[..., Any], lora: Callable[..., TunerPlan]) -> None:
    with pytest.raises(PlanError, match=r"--relora_steps: model.embed_tokens is no plain linear layer"):
        swift.tuners.attach(lora("EMBEDDING", **OPTIONS), make_model())
    with pytest.raises(PlanError, match="--relora_steps: lm_head is no plain linear layer"):
        swift.tuners.attach(lora("HEAD", **OPTIONS), make_model(tied=True))
    swift.tuners.attach(lora("HEAD", **OPTIONS), make_model())


def test_a_run_with_restarts_goes_on_exactly(model_folder: Path, rows: Path, tmp_path: Path) -> None:  # noqa: F811
    import shutil

    options = {"relora_steps": 2, "relora_warmup_steps": 1, "lora_rank": 4, "dtype": "bf16"}
    straight = Path(sft_main(arguments(model_folder, rows, tmp_path / "out", **options)).last_checkpoint)
    plan = json.loads((straight / "plan.json").read_text())
    assert (plan["model"]["dtype"], plan["trainer"]["autocast"]) == ("fp32", "bf16")
    rates = [
        line["learning_rate"]
        for line in map(json.loads, (straight.parent / "logging.jsonl").read_text().splitlines())
        if "learning_rate" in line
    ]
    assert rates[2] == rates[4] == 0  # of the first steps after the restarts at 2 and 4
    assert min(rates[1], rates[3], rates[5]) > 0
    cut = tmp_path / "cut" / straight.parent.name
    shutil.copytree(straight.parent, cut)
    shutil.rmtree(cut / "checkpoint-6")  # on with the state right after the second restart
    again = arguments(model_folder, rows, tmp_path / "out", **options, resume_from_checkpoint=str(cut / "checkpoint-4"))
    resumed = Path(sft_main(again).last_checkpoint)
    assert losses(resumed.parent) == losses(straight.parent)
    for name in ("adapter_model.safetensors", "adapter_config.json", "optimizer.pt"):
        assert (straight / name).read_bytes() == (resumed / name).read_bytes()
    ranks = [
        json.loads((straight.parent / f"checkpoint-{step}" / "adapter_config.json").read_text())["r"]
        for step in (2, 4, 6)
    ]
    assert ranks == [8, 12, 12]
    tensors = load_file(straight / "adapter_model.safetensors")
    assert {tensor.shape[0 if "lora_A" in name else 1] for name, tensor in tensors.items()} == {12}
    base = AutoModelForCausalLM.from_pretrained(str(model_folder))
    PeftModel.from_pretrained(base, str(straight))
