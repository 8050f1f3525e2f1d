"""The largest batch is tried first and leaves no trace; the watchdog; layers compiled in place."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from swift.trainers import bounded
from swift.trainers.config import GaloreConfig
from swift.trainers.fit import _fits, largest_batches, next_batch_size
from swift.trainers.optimizers.layerwise import Layerwise
from swift.trainers.optimizers.table import OPTIMIZERS
from swift.trainers.sft import build_trainer
from swift.utils.errors import ArgumentError, TrainingError
from swift.utils.memory import free_bytes

PLAIN = {"evaluation_strategy": "no", "logging_steps": 1, "max_steps": 6, "save_steps": 6, "batch_size": 4,
         "gradient_accumulation_steps": 2}  # fmt: skip


def limited(tiny: ModuleType, most: int) -> Any:
    """Collates as usual, and is out of memory for more than ``most`` tokens."""

    def collate(rows: list[Any]) -> dict[str, Any]:
        batch = tiny.flat(rows)
        if batch["input_ids"].numel() > most:
            raise torch.OutOfMemoryError(f"{batch['input_ids'].numel()} tokens do not fit")
        return batch

    return collate


def trained(tiny: ModuleType, folder: Path, collate: Any, **changes: Any) -> Any:
    settings = {**PLAIN, **changes}
    trainer = build_trainer(
        tiny.tiny_config(folder, **settings), tiny.tiny_model(dropout=0.1), tiny.Samples(40), None, collate
    )
    return trainer, trainer.train()


@pytest.mark.parametrize("changes", [
    {}, {"galore": GaloreConfig(rank=4, per_parameter=True), "gradient_accumulation_steps": 1, "max_grad_norm": 0.0},
    {"galore": GaloreConfig(rank=4, weight_bits=8)},
], ids=["adamw", "layerwise", "in-8-bits"])  # fmt: skip
def test_a_batch_that_fits_leaves_no_trace(tiny: ModuleType, tmp_path: Path, changes: dict[str, Any]) -> None:
    _, plain = trained(tiny, tmp_path / "plain", tiny.flat, **changes)
    trainer, tried = trained(tiny, tmp_path / "tried", tiny.flat, auto_find_batch_size=True, **changes)
    assert tiny.losses(tmp_path / "tried") == tiny.losses(tmp_path / "plain")
    expected, reached = tiny.weights(plain.last_checkpoint), tiny.weights(tried.last_checkpoint)
    assert all(torch.equal(expected[name], reached[name]) for name in expected)
    if "max_grad_norm" in changes:
        assert isinstance(trainer.optimizer.optimizer, Layerwise)


def test_a_batch_that_does_not_fit_is_halved_and_the_update_stays(
    tiny: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = tiny.Samples(40)
    longest = sorted(rows.lengths, reverse=True)
    with caplog.at_level(logging.INFO, logger="swift"):
        trainer, _ = trained(tiny, tmp_path / "small", limited(tiny, sum(longest[:2])), auto_find_batch_size=True)
    assert (trainer.args.per_device_train_batch_size, trainer.args.gradient_accumulation_steps) == (2, 4)
    trained(tiny, tmp_path / "by-hand", tiny.flat, batch_size=2, gradient_accumulation_steps=4)
    assert tiny.losses(tmp_path / "small") == tiny.losses(tmp_path / "by-hand")


def test_a_row_that_never_fits(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"not even a batch of 1 fits the memory\. Use a smaller --batch_size"):
        trained(tiny, tmp_path, limited(tiny, 3), auto_find_batch_size=True)


def test_a_lack_of_memory_says_what_to_change(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"the memory is full at step 1 .*tokens do not fit.*--auto_find_batch_size"
    ):
        trained(tiny, tmp_path, limited(tiny, 3))


@pytest.mark.parametrize("changes", [
    {"max_steps": 3}, {"max_steps": -1, "num_train_epochs": 1.5}, {"group_by_length": True, "batch_size": 3},
    {"dataloader_drop_last": True, "batch_size": 7, "max_steps": 9}, {"dataloader_drop_last": True, "batch_size": 41},
], ids=["steps", "epochs", "grouped", "drop-last", "no-batch"])  # fmt: skip
def test_the_largest_batches_are_those_of_the_run(tiny: ModuleType, tmp_path: Path, changes: dict[str, Any]) -> None:
    trainer = build_trainer(
        tiny.tiny_config(tmp_path, **{**PLAIN, **changes}), tiny.tiny_model(), tiny.Samples(40), None, tiny.flat
    )
    loader, batches = trainer.get_train_dataloader(), []
    for epoch in range(4):
        loader.set_epoch(epoch)
        batches += list(loader.batch_sampler)
    an_epoch = trainer._steps_per_epoch()
    steps = trainer.args.max_steps if trainer.args.max_steps > 0 else round(1.5 * an_epoch)
    whole, rest = divmod(steps, an_epoch)
    met = batches[: whole * len(loader) + rest * trainer.args.gradient_accumulation_steps]
    lengths = trainer.rows.lengths

    def flat(batch: list[int]) -> int:
        return int(lengths[batch].sum())

    def padded(batch: list[int]) -> int:
        return int(lengths[batch].max()) * len(batch)

    tried = largest_batches(trainer, trainer.rows)
    assert all(batch in met for batch in tried)
    for of in (flat, padded):
        assert max(map(of, tried), default=0) == max(map(of, met), default=0)


def test_the_largest_batch_is_tried_first_and_leaves_no_trace(tiny: ModuleType, tmp_path: Path) -> None:
    changes = {"lisa_layers": 1, "lisa_interval": 2, "max_steps": 4, "save_steps": 4}
    seen: list[tuple[int, int]] = []

    def collate(rows: list[Any]) -> dict[str, Any]:
        seen.append((sum(map(len, rows)), max(map(len, rows)) * len(rows)))
        return tiny.flat(rows)

    trained(tiny, tmp_path / "plain", collate, **changes)
    met = list(seen)
    seen.clear()
    trained(tiny, tmp_path / "tried", collate, try_largest_batch=True, **changes)
    tries = seen[: len(seen) - len(met)]
    assert seen[len(tries) :] == met  # then the same run
    assert max(tries) == max(met)
    assert tiny.losses(tmp_path / "tried") == tiny.losses(tmp_path / "plain")


def test_a_largest_batch_that_does_not_fit_ends_before_the_run_begins(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"the largest batch of the run \(4 rows, \d+ tokens\) does not fit.*--batch_size"
    ):
        trained(tiny, tmp_path / "run", limited(tiny, 30), try_largest_batch=True)
    assert not list((tmp_path / "run").glob("*"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells and bounds a process's memory")
def test_a_lack_of_memory_in_the_trial_does_not_end_the_process(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = free_bytes()
    assert free is not None
    assert 2**26 < free < 2**50
    monkeypatch.setattr(bounded, "free_bytes", lambda: 2**27)

    def collate(rows: list[Any]) -> dict[str, Any]:
        torch.empty(2**28, dtype=torch.uint8)
        return tiny.flat(rows)

    with pytest.raises(TrainingError, match=r"the largest batch of the run .* does not fit the memory"):
        trained(tiny, tmp_path / "bounded", collate, try_largest_batch=True)
    torch.empty(2**28, dtype=torch.uint8)  # the bound is gone


@pytest.mark.parametrize(("size", "samples", "smaller"), [(8, 16, 4), (3, 6, 1), (6, 12, 3), (5, 10, 2), (1, 4, None)])
def test_smaller_sizes_divide_the_update(size: int, samples: int, smaller: int | None) -> None:
    assert next_batch_size(size, samples) == smaller


def test_the_watchdog_stops_a_run_and_counts_on_after_a_resume(tiny: ModuleType, tmp_path: Path) -> None:
    watched = {**PLAIN, "loss_watchdog_threshold": 0.1, "save_steps": 2}
    with pytest.raises(
        TrainingError, match=r"above --loss_watchdog_threshold 0\.1 for 3 steps in a row; it is .* at step 3"
    ):
        trained(tiny, tmp_path / "a", tiny.flat, **watched)
    trainer = build_trainer(
        tiny.tiny_config(tmp_path / "b", **watched), tiny.tiny_model(dropout=0.1), tiny.Samples(40), None, tiny.flat
    )
    with pytest.raises(TrainingError, match=r"3 steps in a row; it is .* at step 3"):
        trainer.train(tmp_path / "a" / "checkpoint-2")
    _, calm = trained(tiny, tmp_path / "c", tiny.flat, loss_watchdog_threshold=50.0)
    assert calm.global_step == 6


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute")
def test_compiled_layers_give_the_same_loss_and_the_same_names(tiny: ModuleType, tmp_path: Path) -> None:
    settings = {"max_steps": 2, "save_steps": 2}
    _, plain = trained(tiny, tmp_path / "plain", tiny.flat, **settings)
    _, compiled = trained(tiny, tmp_path / "compiled", tiny.flat, torch_compile="eager", **settings)
    assert tiny.weights(plain.last_checkpoint).keys() == tiny.weights(compiled.last_checkpoint).keys()
    assert compiled.train_loss == pytest.approx(plain.train_loss, rel=1e-4)
    with pytest.raises(
        ArgumentError, match="--torch_compile_backend: unknown backend 'inducter'; did you mean 'inductor'"
    ):
        trained(tiny, tmp_path / "wrong", tiny.flat, torch_compile="inducter")


class Packs:
    """Rows of several samples each."""

    def __init__(self, rows: Any, size: int) -> None:
        self.rows, self.size = rows, size
        self.lengths = rows.lengths[: len(rows) // size * size].reshape(-1, size).sum(1)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> list[Any]:
        return [self.rows[number] for number in range(index * self.size, (index + 1) * self.size)]


def test_the_largest_packs_are_tried_forward_and_backward_beside_the_states(tiny: ModuleType, tmp_path: Path) -> None:
    rows, seen = Packs(tiny.Samples(40), 4), []

    def collate(batch: list[Any]) -> dict[str, Any]:
        seen.append(sum(len(sample) for pack in batch for sample in pack))
        return tiny.flat(batch)

    def run(folder: Path, **changes: Any) -> Any:
        settings = {**PLAIN, "batch_size": 2, "max_steps": 3, "save_steps": 3, **changes}
        trainer = build_trainer(tiny.tiny_config(folder, **settings), tiny.tiny_model(dropout=0.1), rows, None, collate)
        return trainer, trainer.train()

    run(tmp_path / "plain")
    seen.clear()
    trainer, _ = run(tmp_path / "tried", auto_find_batch_size=True)
    assert seen[0] == sum(sorted(rows.lengths)[-2:]) == max(seen)
    assert tiny.losses(tmp_path / "tried") == tiny.losses(tmp_path / "plain")
    states: list[int] = []
    hook = trainer.model.register_forward_hook(lambda *_: states.append(len(trainer.optimizer.state)))
    trainer.optimizer = None
    assert _fits(trainer, rows, [0, 1])
    hook.remove()
    assert states[0] == 0 < states[1]  # once before the optimizer's states exist, once beside them
    assert trainer.optimizer is None
    assert all(one.grad is None for one in trainer.model.parameters())


@pytest.mark.parametrize(
    "name", [name for name, row in OPTIMIZERS.items() if "cpu" in row.devices and row.requires is None]
)
def test_the_trial_moves_nothing_whatever_the_optimizer(tiny: ModuleType, tmp_path: Path, name: str) -> None:
    settings = {**PLAIN, "optim": name, "optim_args": {"rank": 4} if name == "apollo_adamw" else {}}
    trainer = build_trainer(
        tiny.tiny_config(tmp_path, **settings), tiny.tiny_model(dropout=0.1), tiny.Samples(8), None, tiny.flat
    )
    before, random = {name: one.clone() for name, one in trainer.model.state_dict().items()}, torch.get_rng_state()
    assert _fits(trainer, trainer.rows, range(8))
    assert all(torch.equal(one, before[name]) for name, one in trainer.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_full_determinism_asks_torch_for_deterministic_kernels(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG", "ASCEND_LAUNCH_BLOCKING", "HCCL_DETERMINISTIC",
                 "FLASH_ATTENTION_DETERMINISTIC"):  # fmt: skip
        monkeypatch.setenv(name, "")  # transformers sets them; taken back after the test
    try:
        trained(tiny, tmp_path / "a", tiny.flat, full_determinism=True)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = True
    trained(tiny, tmp_path / "b", tiny.flat)
    assert tiny.losses(tmp_path / "a") == tiny.losses(tmp_path / "b")
