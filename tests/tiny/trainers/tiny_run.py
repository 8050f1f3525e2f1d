"""A tiny run with everything on that could break an exact resume; imported by the tests, and run as a program of its own.

As a program it is a small launcher: it forks one child for each attempt, lets a child be killed as told, and resumes
until one ends by itself: `tiny_run.py RUN_DIR '{"kill_at_fsync": [3, 17], "kill_after_s": [0.2]}' '{config fields}'`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from swift.kernels.attention import register
from swift.llm.core import Encoded
from swift.trainers.config import TrainerConfig
from swift.trainers.sft import build_trainer
from swift.utils.manifest import newest_valid_checkpoint

VOCABULARY = 97


class Samples:
    """Random rows whose next token depends on the last one, so that there is something to learn."""

    def __init__(self, num: int, seed: int = 0, scaled: bool = False) -> None:
        random = np.random.RandomState(seed)
        self.samples = []
        for _ in range(num):
            length = random.randint(4, 24)
            ids = (random.randint(0, VOCABULARY) + np.arange(length) * 7) % VOCABULARY
            trained = random.rand(length) < 0.6
            trained[0], trained[-1] = False, True
            scale = random.rand(length).astype(np.float32) if scaled else None
            self.samples.append(Encoded(ids.astype(np.int32), trained, scale))
        self.lengths = np.array([len(sample) for sample in self.samples], dtype=np.int32)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Encoded:
        return self.samples[index]


def _labels(sample: Encoded) -> torch.Tensor:
    return torch.where(torch.from_numpy(sample.trained), torch.from_numpy(sample.input_ids.astype(np.int64)), -100)


def flat(rows: list[Any]) -> dict[str, Any]:
    samples = [sample for row in rows for sample in (row if isinstance(row, list) else [row])]
    lengths = [len(sample) for sample in samples]
    batch = {
        "input_ids": torch.cat([torch.from_numpy(sample.input_ids.astype(np.int64)) for sample in samples])[None],
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
        "labels": torch.cat([_labels(sample) for sample in samples])[None],
        "cu_seqlens": torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32),
        "max_seqlen": max(lengths),
    }
    if samples[0].loss_scale is not None:
        batch["loss_scale"] = torch.cat([torch.from_numpy(sample.loss_scale) for sample in samples])[None]
    return batch


def padded(samples: list[Encoded]) -> dict[str, Any]:
    width = max(len(sample) for sample in samples)
    batch = {
        "input_ids": torch.zeros(len(samples), width, dtype=torch.int64),
        "attention_mask": torch.zeros(len(samples), width, dtype=torch.int64),
        "labels": torch.full((len(samples), width), -100),
    }
    if samples[0].loss_scale is not None:
        batch["loss_scale"] = torch.zeros(len(samples), width)
    for row, sample in enumerate(samples):
        length = len(sample)
        batch["input_ids"][row, :length] = torch.from_numpy(sample.input_ids.astype(np.int64))
        batch["attention_mask"][row, :length] = 1
        batch["labels"][row, :length] = _labels(sample)
        if sample.loss_scale is not None:
            batch["loss_scale"][row, :length] = torch.from_numpy(sample.loss_scale)
    return batch


def tiny_model(dropout: float = 0.0, tie: bool = True) -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=tie,
        attention_dropout=dropout,
        attn_implementation=register(),
    )
    return Qwen2ForCausalLM(config)


def with_lora(model: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    return get_peft_model(model, LoraConfig(r=4, lora_dropout=0.1, target_modules=["q_proj", "v_proj", "down_proj"]))


def tiny_config(run_dir: Path, **changes: Any) -> TrainerConfig:
    values: dict[str, Any] = {
        "output_dir": str(run_dir),
        "learning_rate": 1e-2,
        "batch_size": 3,
        "eval_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "num_train_epochs": 3,
        "eval_steps": 4,
        "save_steps": 3,
        "logging_steps": 5,
        "report_to": (),
        "disable_tqdm": True,
    }
    return TrainerConfig(**{**values, **changes})


def run(run_dir: Path, resume_from: Path | None = None, lora: bool = False, **changes: Any) -> Any:
    """One attempt; returns the trainer and its result. 40 rows, 7 steps an epoch with the default settings."""
    model = tiny_model(dropout=0.1)
    trainer = build_trainer(
        tiny_config(run_dir, **changes), with_lora(model) if lora else model, Samples(40), Samples(9, seed=1), flat
    )
    return trainer, trainer.train(resume_from)


def losses(run_dir: Path) -> list[tuple[Any, ...]]:
    """What the log says, without times and speeds."""
    names = (
        "global_step",
        "loss",
        "token_acc",
        "grad_norm",
        "learning_rate",
        "eval_loss",
        "eval_token_acc",
        "train_loss",
    )
    rows = [json.loads(line) for line in (run_dir / "logging.jsonl").read_text().splitlines()]
    return [tuple(row.get(name) for name in names) for row in rows]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    # copies: the loaded tensors are views of the file, and would change with it
    return {name: tensor.clone() for name, tensor in load_file(next(folder.glob("*model.safetensors"))).items()}


def _die_at_fsync(number: int) -> None:
    real, calls = os.fsync, [0]

    def fsync(handle: int) -> None:
        calls[0] += 1
        if calls[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        real(handle)

    os.fsync = fsync


def _attempt(run_dir: Path, fsync: int | None, after_s: float | None, changes: dict[str, Any]) -> int:
    """Fork, train in the child, and return its exit status (negative: the signal that ended it)."""
    child = os.fork()
    if child == 0:
        try:
            if fsync is not None:
                _die_at_fsync(fsync)
            run(run_dir, newest_valid_checkpoint(run_dir), **changes)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if after_s is not None:
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> int:
    run_dir, kills, changes = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
    statuses = [_attempt(run_dir, number, None, changes) for number in kills.get("kill_at_fsync", [])]
    statuses += [_attempt(run_dir, None, after_s, changes) for after_s in kills.get("kill_after_s", [])]
    statuses.append(_attempt(run_dir, None, None, changes))
    print(json.dumps(statuses))
    return 0 if set(statuses) <= {0, -signal.SIGKILL} and statuses[-1] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
