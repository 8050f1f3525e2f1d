from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from swift.trainers.sft import build_trainer
from swift.utils.errors import TrainingError

ROOT = Path(__file__).resolve().parents[3]


def train(tiny: ModuleType, run_dir: Path, rows: Any, collate: Any = None, **changes: Any) -> list[dict[str, Any]]:
    """The log of a run without dropout, and the weights it came to under "weights" of the last row."""
    values = {
        "logging_steps": 1,
        "learning_rate": 1e-2,
        "gradient_accumulation_steps": 1,
        "num_train_epochs": 2,
        **changes,
    }
    trainer = build_trainer(
        tiny.tiny_config(run_dir, **values), tiny.tiny_model(), rows, tiny.Samples(9, seed=1), collate or tiny.flat
    )
    trainer.train()
    log = [json.loads(line) for line in (run_dir / "logging.jsonl").read_text().splitlines()]
    log[-1]["weights"] = trainer.model.state_dict()
    return log


def assert_same_course(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    for key in ("loss", "grad_norm", "eval_loss", "token_acc", "eval_token_acc"):
        values = [row[key] for row in one if key in row]
        assert values
        assert [row[key] for row in other if key in row] == pytest.approx(values, rel=2e-4), key
    # the first step's loss and gradient come from equal weights: they agree far better
    for key in ("loss", "grad_norm"):
        assert other[0][key] == pytest.approx(one[0][key], rel=1e-5)


CUTS = {
    "accumulated": {"batch_size": 2, "gradient_accumulation_steps": 3},
    "one by one": {"batch_size": 1, "gradient_accumulation_steps": 6},
    "padded": {"collate": "padded", "batch_size": 6},
    "padded, accumulated": {"collate": "padded", "batch_size": 3, "gradient_accumulation_steps": 2},
    "small chunks": {"batch_size": 6, "tokens_per_chunk": 3},
    "workers": {"batch_size": 6, "dataloader_num_workers": 1},
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
def test_the_course_does_not_depend_on_how_a_step_is_cut(
    tiny: ModuleType, tmp_path: Path, cut: dict[str, Any], scaled: bool
) -> None:
    """40 rows in steps of 6: the last step of an epoch has 4, cut unevenly."""
    rows = tiny.Samples(40, scaled=scaled)
    changes = dict(cut)
    collate = tiny.padded if changes.pop("collate", None) else tiny.flat
    assert_same_course(
        train(tiny, tmp_path / "whole", rows, batch_size=6), train(tiny, tmp_path / "cut", rows, collate, **changes)
    )


def test_evaluation_weights_tokens_not_batches(tiny: ModuleType, tmp_path: Path) -> None:
    logs = [
        train(tiny, tmp_path / str(size), tiny.Samples(12), eval_batch_size=size, eval_steps=1, max_steps=1)
        for size in (1, 4, 9)
    ]
    losses = [row["eval_loss"] for log in logs for row in log if "eval_loss" in row]
    assert losses == pytest.approx(losses[:1] * len(losses), rel=1e-6)


def test_the_loss_is_that_of_the_trained_tokens(tiny: ModuleType, tmp_path: Path) -> None:
    """By hand: cross entropy of each trained token, each sample alone through the model."""
    rows = tiny.Samples(6)
    model, nll, right = tiny.tiny_model().eval(), [], []
    for sample in (rows[index] for index in range(6)):
        ids = torch.from_numpy(sample.input_ids).long()[None]
        with torch.no_grad():
            logits = model(ids).logits[0, :-1]
        trained = torch.from_numpy(sample.trained)[1:]
        nll.append(torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")[trained])
        right.append((logits.argmax(-1) == ids[0, 1:])[trained])
    log = train(tiny, tmp_path, rows, batch_size=3, gradient_accumulation_steps=2, max_steps=1)
    assert log[0]["loss"] == pytest.approx(float(torch.cat(nll).mean()), rel=1e-6)
    assert log[0]["token_acc"] == pytest.approx(float(torch.cat(right).float().mean()))


def test_sentence_accuracy_counts_samples(tiny: ModuleType, tmp_path: Path) -> None:
    changes = {"learning_rate": 3e-2, "num_train_epochs": 40, "acc_strategy": "sentence", "evaluation_strategy": "no"}
    flat = train(tiny, tmp_path / "flat", tiny.Samples(8), batch_size=8, **changes)
    padded = train(tiny, tmp_path / "padded", tiny.Samples(8), tiny.padded, batch_size=8, **changes)
    accuracies = [row["token_acc"] for row in flat if "token_acc" in row]
    assert {round(8 * value, 6) % 1 for value in accuracies} == {0.0}
    assert max(accuracies) > 0
    assert [row["token_acc"] for row in padded if "token_acc" in row][:4] == accuracies[:4]


def test_a_pack_is_a_row_of_several_samples(tiny: ModuleType, tmp_path: Path) -> None:
    class Packs:
        def __init__(self, samples: Any, size: int) -> None:
            self.packs = [[samples[i] for i in range(start, start + size)] for start in range(0, len(samples), size)]
            self.lengths = samples.lengths.reshape(-1, size).sum(1)

        def __len__(self) -> int:
            return len(self.packs)

        def __getitem__(self, index: int) -> Any:
            return self.packs[index]

    rows = tiny.Samples(36)
    whole = train(tiny, tmp_path / "whole", rows, batch_size=6, shuffle=False)
    packed = train(tiny, tmp_path / "packed", Packs(rows, 3), batch_size=2, shuffle=False, eval_batch_size=9)
    assert_same_course(whole, packed)


def test_bf16_autocast_trains_on_a_cpu(tiny: ModuleType, tmp_path: Path) -> None:
    exact = train(tiny, tmp_path / "fp32", tiny.Samples(40), batch_size=6)
    mixed = train(tiny, tmp_path / "bf16", tiny.Samples(40), batch_size=6, autocast="bf16")
    losses = [[row["loss"] for row in log if "loss" in row] for log in (exact, mixed)]
    assert losses[1] == pytest.approx(losses[0], rel=3e-2)
    assert losses[1] != losses[0]
    assert all(tensor.dtype == torch.float32 for tensor in mixed[-1]["weights"].values())


def test_gradient_checkpointing_changes_no_number(tiny: ModuleType, tmp_path: Path) -> None:
    plain = train(tiny, tmp_path / "a", tiny.Samples(20), batch_size=4, max_steps=4)
    again = train(tiny, tmp_path / "b", tiny.Samples(20), batch_size=4, max_steps=4, gradient_checkpointing=True)
    assert_same_course(plain, again)


def test_a_loss_that_is_no_number_stops_the_run(tiny: ModuleType, tmp_path: Path) -> None:
    model = tiny.tiny_model()
    trainer = build_trainer(tiny.tiny_config(tmp_path), model, tiny.Samples(40), None, tiny.flat)
    with torch.no_grad():
        model.model.norm.weight[0] = math.nan
    with pytest.raises(TrainingError, match=r"the loss is nan at step 1\. .*--learning_rate"):
        trainer.train()
    assert not list(tmp_path.glob("checkpoint-*"))


def test_ranks_learn_what_one_process_learns(tiny: ModuleType, tmp_path: Path) -> None:
    """Two processes over gloo, 41 rows: the last step has 5 rows, and one rank has no sample of its last batch."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    changes = {
        "batch_size": 2,
        "gradient_accumulation_steps": 2,
        "num_train_epochs": 1,
        "logging_steps": 1,
        "use_cpu": True,
    }
    program = (
        "import importlib.util, json, sys, pathlib\n"
        "spec = importlib.util.spec_from_file_location('tiny_run', sys.argv[1]); tiny = importlib.util.module_from_spec(spec)\n"
        "sys.modules['tiny_run'] = tiny; spec.loader.exec_module(tiny)\n"
        "from swift.trainers.sft import build_trainer\n"
        "config = tiny.tiny_config(pathlib.Path(sys.argv[2]), **json.loads(sys.argv[3]))\n"
        "build_trainer(config, tiny.tiny_model(), tiny.Samples(41), tiny.Samples(9, seed=1), tiny.flat).train()\n"
    )

    def start(rank: int) -> subprocess.Popen[str]:
        ranks = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        with (tmp_path / f"rank-{rank}.txt").open("w") as said:
            return subprocess.Popen(
                [sys.executable, "-c", program, tiny.__file__, str(tmp_path / "two"), json.dumps({**changes, "ddp_backend": "gloo"})],
                env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **ranks}, stdout=said, stderr=said,
            )  # fmt: skip

    processes = [start(rank) for rank in range(2)]
    try:
        deadline = time.monotonic() + 300
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
            if any(process.poll() for process in processes):
                break  # a rank that failed leaves the other waiting for it
            time.sleep(0.1)
        returned = [process.poll() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert returned == [0, 0], [(tmp_path / f"rank-{rank}.txt").read_text() for rank in range(2)]
    two = [json.loads(line) for line in (tmp_path / "two" / "logging.jsonl").read_text().splitlines()]
    one = train(
        tiny, tmp_path / "one", tiny.Samples(41), batch_size=4, gradient_accumulation_steps=2, num_train_epochs=1
    )
    assert_same_course(one, two)
