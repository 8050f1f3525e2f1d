"""How many useful tokens a second supervised fine-tuning does, beside trl on the same rows: ratios, side by side.

    python benchmarks/sft_speed.py                       all: LoRA and full, fp32 and bf16 (about 20 minutes on two cores)
    python benchmarks/sft_speed.py --tuner lora --dtype bf16 --rounds 1

A randomly initialised Qwen2 of about 30 M parameters, batch size 8, max_length 1024, rows of ``alpaca_en_demo.json``. Each
variant runs in its own process, one after the other in every round, so that a busy machine slows all of them. Useful
tokens are those that are not padding. Every variant sees the same tokens and trains on the same ones (the answers).

Variants: ``flat`` (ours, the default), ``packed``, ``padded`` (ours too); ``trl`` (SFTTrainer as it comes, which recomputes
activations), ``trl_fast`` (the same without recomputation), ``trl_packing`` (its packing, without recomputation).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
OURS, THEIRS = ("flat", "packed", "padded"), ("trl", "trl_fast", "trl_packing")
BATCH, MAX_LENGTH, WARM_UP = 8, 1024, 3
LORA = {"lora_rank": 8, "lora_alpha": 32, "lora_dropout": 0.05}
TARGETS = ("q_proj", "k_proj", "v_proj")


def read_rows(tokenizer_folder: Path, data: Path) -> list[tuple[list[int], list[int]]]:
    """(input_ids, trained) of every row, as plain text: question, answer, end; no longer than the limit."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    rows = []
    for row in json.loads(data.read_text(encoding="utf-8")):
        question = "\n".join(part for part in (row["instruction"], row.get("input")) if part)
        prompt = tokenizer.encode(f"### Instruction:\n{question}\n### Response:\n").ids
        answer = [*tokenizer.encode(row["output"], add_special_tokens=False).ids, 2]
        ids = (prompt + answer)[:MAX_LENGTH]
        rows.append((ids, [0] * min(len(prompt), len(ids)) + [1] * (len(ids) - len(prompt))))
    return rows


def make_model(vocabulary: int, attention: str) -> Any:
    """A Qwen2 of about 30 M parameters: 12 layers of width 384, tied embeddings. The same weights each time."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=vocabulary, hidden_size=384, intermediate_size=1024, num_hidden_layers=12, num_attention_heads=6,
        num_key_value_heads=2, max_position_embeddings=4096, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
        pad_token_id=2, attn_implementation=attention,
    )  # fmt: skip
    torch.manual_seed(0)
    return Qwen2ForCausalLM(config)


class Clock:
    """Wall and CPU seconds and useful tokens of the steps after the warm-up."""

    def __init__(self) -> None:
        self.start: tuple[float, float, int] | None = None
        self.tokens = self.steps = 0
        self.losses: list[float] = []

    def step_ends(self, tokens_so_far: int) -> None:
        """Called after each step with all useful tokens until now."""
        self.steps += 1
        now = (time.perf_counter(), time.process_time(), tokens_so_far)
        if self.steps == WARM_UP:
            self.start = now
        self.end = now

    def result(self) -> dict[str, float]:
        """Tokens a second and peak memory."""
        assert self.start is not None
        wall, cpu, tokens = (end - start for end, start in zip(self.end, self.start, strict=True))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return {
            "per_wall": tokens / wall,
            "per_cpu": tokens / cpu,
            "peak_gib": peak,
            "tokens": tokens,
            "steps": self.steps - WARM_UP,
        }


class Rows:
    """Rows or packs as the trainer reads them."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items
        self.lengths = np.array(
            [len(item) if not isinstance(item, list) else sum(map(len, item)) for item in items], np.int32
        )

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


def run_ours(variant: str, tuner: str, dtype: str, steps: int, rows: list[Any], vocabulary: int, folder: Path) -> Clock:
    """Our trainer with our tuner, as `swift sft` puts them together."""
    from transformers import TrainerCallback

    import swift.tuners
    from swift.kernels.attention import register
    from swift.llm.core import Encoded
    from swift.llm.dataset.collate import Collator
    from swift.llm.dataset.packing import pack
    from swift.llm.plan.plans import TunerPlan
    from swift.trainers.config import TrainerConfig
    from swift.trainers.sft import build_trainer

    encoded = [Encoded(np.array(ids, np.int32), np.array(trained, bool)) for ids, trained in rows]
    items: list[Any] = encoded
    if variant == "packed":
        items = [[encoded[i] for i in group] for group in pack([len(e) for e in encoded], MAX_LENGTH, seed=0)]
    model = make_model(vocabulary, register() if variant != "padded" else "sdpa")
    if tuner == "lora":
        if dtype == "bf16":
            import torch

            model = model.to(torch.bfloat16)
        code, options, targets = "swift.tuners.lora.tuner:LoraTuner", LORA, TARGETS
    else:
        code, options, targets = "swift.tuners.full.tuner:FullTuner", {}, ()
    model = swift.tuners.attach(TunerPlan(sft_type=tuner, code=code, target_modules=targets, options=options), model)
    config = TrainerConfig(
        output_dir=str(folder), learning_rate=1e-4, batch_size=BATCH, max_steps=steps, num_train_epochs=100,
        autocast="bf16" if dtype == "bf16" else None, evaluation_strategy="no", save_strategy="no", eval_steps=None,
        save_steps=None, report_to=(), disable_tqdm=True, logging_steps=5,
    )  # fmt: skip
    clock = Clock()

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.step_ends(trainer._tokens_seen)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if "loss" in logs:
                clock.losses.append(logs["loss"])

    trainer = build_trainer(
        config,
        model,
        Rows(items),
        None,
        Collator(padding_free=variant != "padded", pad_token_id=2),
        callbacks=[Watch()],
    )
    trainer.train()
    return clock


def run_trl(variant: str, tuner: str, dtype: str, steps: int, rows: list[Any], vocabulary: int, folder: Path) -> Clock:
    """trl's SFTTrainer on the same token ids and completion masks."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    args: dict[str, Any] = {
        "output_dir": str(folder), "per_device_train_batch_size": BATCH, "max_length": MAX_LENGTH, "max_steps": steps, "bf16": dtype == "bf16",
        "learning_rate": 1e-4, "report_to": "none", "save_strategy": "no", "disable_tqdm": True, "logging_steps": 5, "logging_first_step": True, "use_cpu": True,
        "adam_beta2": 0.95, "weight_decay": 0.1, "lr_scheduler_type": "cosine", "warmup_steps": 0.05,
    }  # fmt: skip
    if variant != "trl":
        args["gradient_checkpointing"] = False
    if variant == "trl_packing":
        args["packing"] = True
    clock = Clock()

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.step_ends(seen[0])

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if "loss" in logs:
                clock.losses.append(logs["loss"])

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(SHARED / "tokenizers" / "deepseek-coder-instruct" / "tokenizer.json"),
        pad_token="<|EOT|>",
        eos_token="<|EOT|>",
    )
    trainer = SFTTrainer(
        model=make_model(vocabulary, "sdpa"),
        args=SFTConfig(**args),
        train_dataset=Dataset.from_list([{"input_ids": ids, "completion_mask": trained} for ids, trained in rows]),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            task_type="CAUSAL_LM", r=8, lora_alpha=32, lora_dropout=0.05, target_modules=list(TARGETS)
        )
        if tuner == "lora"
        else None,
        callbacks=[Watch()],
    )
    seen = [0]
    collate = trainer.data_collator

    def counted(items: list[Any]) -> Any:
        batch = collate(items)
        seen[0] += sum(len(item["input_ids"]) for item in items)
        return batch

    trainer.data_collator = counted
    trainer.train()
    return clock


def run_one(options: argparse.Namespace) -> None:
    """One variant in this process; the result is the last line of the output."""
    data, tokenizer = SHARED / "sft" / "alpaca_en_demo.json", SHARED / "tokenizers" / "deepseek-coder-instruct"
    rows = read_rows(tokenizer, data)
    run = run_ours if options.one in OURS else run_trl
    with tempfile.TemporaryDirectory() as folder:
        clock = run(options.one, options.tuner, options.dtype, options.steps + WARM_UP, rows, 32256, Path(folder))
    print(json.dumps({**clock.result(), "loss": clock.losses[-1]}))


def measure(variant: str, tuner: str, dtype: str, steps: int) -> dict[str, float]:
    """One variant in a process of its own."""
    command = [sys.executable, __file__, "--one", variant, "--tuner", tuner, "--dtype", dtype, "--steps", str(steps)]
    environment = {
        **os.environ,
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
        "TOKENIZERS_PARALLELISM": "false",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{variant} failed:\n{done.stderr[-3000:]}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    print(
        f"{tuner} {dtype} {variant}: {result['per_cpu']:.0f} tokens a CPU second, {result['peak_gib']:.2f} GiB",
        file=sys.stderr,
        flush=True,
    )
    return result


def compare(tuner: str, dtype: str, variants: list[str], steps: int, rounds: int) -> None:
    """Measure all variants in turn, and print the medians and what they are relative to trl as it comes."""
    results: dict[str, list[dict[str, float]]] = {variant: [] for variant in variants}
    for _ in range(rounds):
        for variant in variants:
            # a packed step holds about five times the tokens
            results[variant].append(measure(variant, tuner, dtype, max(steps // 5, 4) if "pack" in variant else steps))
    median = {v: {key: statistics.median(r[key] for r in runs) for key in runs[0]} for v, runs in results.items()}
    base = median.get("trl", median[variants[0]])
    print(
        f"\n{tuner}, {dtype}: useful tokens a second ({rounds} x {steps} steps of {BATCH} rows; x: relative to {'trl' if 'trl' in median else variants[0]})"
    )
    print(f"{'':12} {'a wall s':>10} {'x':>6} {'a CPU s':>10} {'x':>6} {'peak GiB':>10} {'x':>6} {'loss':>8}")
    for variant in variants:
        m = median[variant]
        cells = "".join(
            f" {m[key]:10.{digits}f} {m[key] / base[key]:6.2f}"
            for key, digits in (("per_wall", 0), ("per_cpu", 0), ("peak_gib", 2))
        )
        print(f"{variant:12}{cells} {m['loss']:8.3f}", flush=True)


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tuner", choices=("lora", "full"), help="default: both")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), help="default: both")
    parser.add_argument("--variants", nargs="+", choices=(*OURS, *THEIRS), default=[*OURS, *THEIRS])
    parser.add_argument("--steps", type=int, default=20, help="measured steps of a variant (packed ones: a fifth)")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--one", choices=(*OURS, *THEIRS), help="run one variant in this process")
    options = parser.parse_args()
    if options.one:
        run_one(options)
        return
    for dtype in (options.dtype,) if options.dtype else ("fp32", "bf16"):
        for tuner in (options.tuner,) if options.tuner else ("lora", "full"):
            compare(tuner, dtype, options.variants, options.steps, options.rounds)


if __name__ == "__main__":
    main()
