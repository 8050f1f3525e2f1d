from __future__ import annotations

import os
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from swift.trainers.sft import build_trainer
from swift.utils.errors import StoppedError
from swift.utils.manifest import check_manifest


class Interrupter(TrainerCallback):
    """Sends a signal to this process at one moment of one step."""

    def __init__(self, number: signal.Signals, event: str, step: int) -> None:
        self.number, self.step = number, step
        setattr(self, event, self.fire)

    def fire(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            self.step = -1  # once: the second signal would end the tests
            os.kill(os.getpid(), self.number)


def trainer(tiny: ModuleType, run_dir: Path, callback: TrainerCallback | None = None, **changes: Any) -> Any:
    config = tiny.tiny_config(run_dir, **changes)
    model = tiny.tiny_model(dropout=0.1)
    callbacks = [callback] if callback else []
    return build_trainer(config, model, tiny.Samples(40), tiny.Samples(9, seed=1), tiny.flat, callbacks=callbacks)


@pytest.mark.parametrize(
    ("number", "event", "step", "changes"),
    [
        (signal.SIGINT, "on_step_begin", 4, {"save_strategy": "no"}),
        (signal.SIGTERM, "on_substep_end", 6, {"evaluation_strategy": "epoch", "save_strategy": "epoch"}),
        (signal.SIGTERM, "on_prediction_step", 4, {"save_only_model": True}),
        (signal.SIGINT, "on_save", 6, {}),
        (signal.SIGTERM, "on_epoch_end", 7, {"evaluation_strategy": "epoch"}),
    ],
)
def test_a_signal_saves_what_it_stops_and_the_run_goes_on_exactly(
    tiny: ModuleType, tmp_path: Path, number: signal.Signals, event: str, step: int, changes: dict[str, Any]
) -> None:
    listeners = [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)]
    whole = trainer(tiny, tmp_path / "whole", **changes).train()
    with pytest.raises(StoppedError) as stopped:
        trainer(tiny, tmp_path / "part", Interrupter(number, event, step), **changes).train()
    assert stopped.value.exit_code == 128 + number
    checkpoint = Path(str(stopped.value).split("--resume_from_checkpoint ")[1])
    assert check_manifest(checkpoint) == []
    assert f"stopped by {number.name} after step {checkpoint.name.removeprefix('checkpoint-')} of 21" in str(
        stopped.value
    )
    again = trainer(tiny, tmp_path / "part", **changes).train(checkpoint)
    assert tiny.losses(tmp_path / "part") == tiny.losses(tmp_path / "whole")
    assert again.train_loss == whole.train_loss
    assert [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)] == listeners


def test_the_second_signal_ends_the_process(tiny: ModuleType, tmp_path: Path) -> None:
    class Twice(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # the parent's threads do not exist here
        trainer(tiny, tmp_path, Twice()).train()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
    assert not list(tmp_path.glob("checkpoint-*"))
