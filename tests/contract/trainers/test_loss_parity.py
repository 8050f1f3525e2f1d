"""Our loss against transformers' own, on the same rows: by batch, and over a whole run of its Trainer."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from transformers import Trainer, TrainingArguments

from swift.kernels.head import SelectedLoss
from swift.trainers.losses import step_share
from swift.trainers.sft import build_trainer


@pytest.fixture(scope="module")
def tiny() -> ModuleType:
    path = Path(__file__).parents[2] / "tiny" / "trainers" / "tiny_run.py"
    spec = importlib.util.spec_from_file_location("tiny_run", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tiny_run"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("form", ["flat", "padded"])
def test_loss_and_gradients_of_a_batch(tiny: ModuleType, form: str, tie: bool) -> None:
    samples = [tiny.Samples(8)[index] for index in range(8)]
    reference = tiny.tiny_model(tie=tie)
    expected = reference(**tiny.padded(samples)).loss
    expected.backward()
    model = tiny.tiny_model(tie=tie)
    losses = SelectedLoss(model)(model, getattr(tiny, form)(samples))
    loss = step_share(losses.total, losses.num_tokens)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for (name, ours), theirs in zip(model.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-7, msg=name)


def test_a_run_of_transformers_trainer(tiny: ModuleType, tmp_path: Path) -> None:
    """Without shuffling both see the same batches: the same losses, norms, rates and weights."""
    rows, ours = tiny.Samples(24), tiny.tiny_model()
    config = tiny.tiny_config(tmp_path / "ours", num_train_epochs=2, shuffle=False, logging_steps=1, weight_decay=0.1)
    trainer = build_trainer(config, ours, rows, None, tiny.flat)
    trainer.train()

    class InOrder(Trainer):
        def _get_train_sampler(self, *args: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    theirs = tiny.tiny_model()
    args = TrainingArguments(
        output_dir=str(tmp_path / "theirs"), per_device_train_batch_size=3, gradient_accumulation_steps=2, num_train_epochs=2,
        learning_rate=1e-2, adam_beta2=0.95, weight_decay=0.1, lr_scheduler_type="cosine", warmup_steps=0.05, logging_steps=1,
        report_to="none", disable_tqdm=True, use_cpu=True, save_strategy="no", remove_unused_columns=False,
        dataloader_pin_memory=False,
    )  # fmt: skip
    other = InOrder(theirs, args, data_collator=tiny.padded, train_dataset=rows)
    other.train()
    log = [json.loads(line) for line in (tmp_path / "ours" / "logging.jsonl").read_text().splitlines()]
    for key in ("loss", "grad_norm", "learning_rate"):
        expected = [row[key] for row in other.state.log_history if key in row]
        assert [row[key] for row in log if key in row] == pytest.approx(expected, rel=1e-3), key
    for (name, mine), reference in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-2, atol=1e-3, msg=name)
