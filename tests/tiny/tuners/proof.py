"""What is asked of every method of our own, written once: fit, save, load, go on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

import swift.tuners
from swift.llm.arguments.commands import SftArguments
from swift.llm.plan.plans import TunerPlan
from swift.llm.sft import sft_main

IDS = torch.arange(3, 23).reshape(2, 10)
LABELS = torch.cat([torch.full((2, 4), -100), IDS[:, 4:]], dim=1)
ROWS = (
    '{"query": "What is one?", "response": "The sum is one."}\n' * 4
    + '{"query": "The cat?", "response": "It sat."}\n' * 4
)


def num_trained(model: Any) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def logits(model: Any, ids: torch.Tensor = IDS, **given: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(ids, **given).logits


def move(model: Any) -> Any:
    """As if it had been trained: every trained weight a little elsewhere."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
    return model.eval()


def loud(model: Any) -> Any:
    """With larger random weights: a fresh model's layers and head say so little that no frozen part of it is of use."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 10 if parameter.ndim > 1 else 1
    return model


def memorise(model: Any, *, rate: float, steps: int = 60) -> tuple[float, float, set[str]]:
    """The loss before and after learning two rows by heart, and the names of the parameters that changed."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(IDS, labels=LABELS).loss
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    changed = {name for name, p in model.named_parameters() if not torch.equal(before[name], p)}
    return losses[0], losses[-1], changed


def saved(plan: TunerPlan, model: Any, folder: Path) -> Path:
    folder.mkdir()
    swift.tuners.save_model(plan, model)(folder)
    return folder


def run_twice(model_folder: Path, folder: Path, **options: Any) -> tuple[Path, Path]:
    """The last checkpoint of a run, and that of the same run stopped after two of four steps and gone on with."""
    rows = folder / "rows.jsonl"
    rows.write_text(ROWS, encoding="utf-8")
    straight = sft_main(
        SftArguments(
            model_id_or_path=str(model_folder), dataset=(str(rows),), max_steps=4, save_steps=2, learning_rate=0.01,
            batch_size=2, gradient_accumulation_steps=1, dataset_test_ratio=0.0, max_length=64, report_to=("none",),
            output_dir=str(folder / "output"), **options,
        )
    ).last_checkpoint  # fmt: skip
    again = folder / "again"
    shutil.copytree(straight.parent, again)
    shutil.rmtree(again / straight.name)
    sft_main(SftArguments(resume_from_checkpoint=str(again)))
    return straight, again / straight.name


def check_the_same(one: Path, other: Path) -> None:
    """Weights and optimiser byte by byte."""
    names = [path.name for path in one.iterdir() if path.name.endswith("model.safetensors")]
    assert names
    for name in (*names, "optimizer.pt"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
