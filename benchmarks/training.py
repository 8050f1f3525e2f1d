"""Useful tokens per second of LoRA and full fine-tuning: our trainer, trl's SFTTrainer, and plain peft with transformers' Trainer.

    python benchmarks/training.py                                   150 M parameters, LoRA and full, bf16 (half an hour on two cores)
    python benchmarks/training.py --tuner lora --dtype fp32 --rounds 1
    python benchmarks/training.py --model demo                      the embedded model; or --model FOLDER
    python benchmarks/training.py --model 7b --tuner lora --peak_tflops 989

All sides train the same model (the same random weights, built from a configuration) on the same rows in the same order, with the
same optimiser (AdamW), rate, dtype, batch and accumulation, and without recomputation. Each runs in a process of its own, one after
the other in every round, so that a busy machine slows all of them; what is printed is the best round of each. Useful tokens are
those that are not padding: the answers, and the context that they are trained on. The loss is printed as well, because a side that
trains on something else would show there.

Where there is a GPU it is used, and with ``--peak_tflops`` (what the GPU multiplies in bf16) the share of it that the model's own
products reach is printed (MFU). The ``7b`` model is for that, and has not been run by those who wrote this: it needs 20 GB of GPU memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
SIDES = ("swift", "trl", "peft")
EOS = 2
WARM_UP = 2
RATE, BETAS, DECAY = 1e-4, (0.9, 0.95), 0.1
RANK, ALPHA = 8, 32
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
Row = tuple[list[int], list[bool]]

SHAPES: dict[str, dict[str, int]] = {
    "150m": {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 14, "num_attention_heads": 12, "num_key_value_heads": 12,
             "vocab_size": 32256},
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
           "vocab_size": 32256},
}  # fmt: skip


# ---- the same work for all sides


def default_data() -> list[Path]:
    """Grade-school problems and short instructions, where they lie beside the checkout."""
    return [SHARED / "sft" / "gsm8k_train.jsonl", SHARED / "sft" / "alpaca_en_demo.json"]


def tokenizer_file(model: str) -> Path:
    """The tokenizer of a model's folder; for random weights one of 32 thousand tokens, else the embedded one."""
    from swift.demo import MODEL

    near = SHARED / "tokenizers" / "deepseek-coder-instruct" / "tokenizer.json"
    if model in SHAPES:
        return near if near.is_file() else MODEL / "tokenizer.json"
    return (MODEL if model == "demo" else Path(model)) / "tokenizer.json"


def read_rows(model: str, files: list[Path], max_length: int, limit: int) -> list[Row]:
    """(input_ids, trained) of the first rows of all files in turn: question, answer, end."""
    from tokenizers import Tokenizer

    def texts(file: Path) -> list[tuple[str, str]]:
        text = file.read_text(encoding="utf-8")
        rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
        pairs = []
        for row in rows[:limit]:
            question = row.get("instruction") or row.get("question") or row.get("query")
            pairs.append(
                (
                    f"{question}\n{row.get('input') or ''}".strip(),
                    row.get("output") or row.get("answer") or row["response"],
                )
            )
        return pairs

    tokenizer = Tokenizer.from_file(str(tokenizer_file(model)))
    made: list[Row] = []
    mixed = (pair for pair in chain.from_iterable(zip_longest(*map(texts, files))) if pair is not None)
    for question, answer in mixed:
        prompt = tokenizer.encode(f"### Instruction:\n{question}\n### Response:\n").ids
        ids = [*prompt, *tokenizer.encode(answer, add_special_tokens=False).ids, EOS][:max_length]
        if len(ids) > len(prompt):
            made.append((ids, [False] * len(prompt) + [True] * (len(ids) - len(prompt))))
        if len(made) == limit:
            break
    return made


def make_model(options: argparse.Namespace, attention: str) -> Any:
    """The model in the dtype of its weights: half precision where they are frozen, fp32 where they are trained."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    half = options.dtype == "bf16" and options.tuner == "lora"
    dtype = torch.bfloat16 if half else torch.float32
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.model not in SHAPES:
        from swift.demo import MODEL

        folder = MODEL if options.model == "demo" else Path(options.model)
        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention)
        return loaded.to(device)
    config = LlamaConfig(
        **SHAPES[options.model], max_position_embeddings=4096, tie_word_embeddings=False, bos_token_id=1, eos_token_id=EOS,
        pad_token_id=EOS, attn_implementation=attention,
    )  # fmt: skip
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    with torch.device(device):
        model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    return model


class Clock:
    """Wall and CPU seconds and useful tokens of the steps after the warm-up."""

    def __init__(self, rows: list[Row], step_size: int) -> None:
        self._ends = np.cumsum([len(ids) for ids, _ in rows])
        self._step_size = step_size
        self._start: tuple[float, ...] | None = None
        self.steps = 0
        self.losses: list[float] = []

    def step_ends(self) -> None:
        """Called after each optimiser step."""
        import torch

        self.steps += 1
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._end = (time.perf_counter(), time.process_time(), used.ru_stime, float(used.ru_minflt))
        if self.steps == WARM_UP:
            self._start = self._end

    def result(self) -> dict[str, float]:
        """Tokens a second, seconds of the processor a thousand tokens, peak memory."""
        import torch

        assert self._start is not None
        wall, cpu, system, faults = (end - start for end, start in zip(self._end, self._start, strict=True))
        tokens = int(self._ends[self.steps * self._step_size - 1] - self._ends[WARM_UP * self._step_size - 1])
        found = {
            "tokens": tokens,
            "tokens_per_wall_second": tokens / wall,
            "tokens_per_cpu_second": tokens / cpu,
            "cpu_seconds_per_1000_tokens": 1000 * cpu / tokens,
            "peak_rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            "system_share": system / cpu,
            "page_faults_per_step": faults / (self.steps - WARM_UP),
            "loss": self.losses[-1],
        }
        if torch.cuda.is_available():
            found["peak_gpu_gib"] = torch.cuda.max_memory_allocated() / 2**30
        return found


def watch(clock: Clock) -> Any:
    """The clock as a callback of transformers, which every side's loop calls."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.step_ends()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if "loss" in logs:
                clock.losses.append(logs["loss"])

    return Watch()


# ---- the sides


def swift_trainer(options: argparse.Namespace, rows: list[Row], clock: Clock, folder: str) -> Any:
    """Our trainer with our tuner, as `swift sft` puts them together."""
    import swift.tuners
    from swift.kernels.attention import register
    from swift.llm.core import Encoded
    from swift.llm.dataset.collate import Collator
    from swift.llm.plan.plans import TunerPlan
    from swift.trainers.config import TrainerConfig
    from swift.trainers.sft import build_trainer

    class Samples:
        def __init__(self) -> None:
            self.items = [Encoded(np.array(ids, np.int32), np.array(trained, bool)) for ids, trained in rows]
            self.lengths = np.array([len(item) for item in self.items], np.int32)

        def __len__(self) -> int:
            return len(self.items)

        def __getitem__(self, index: int) -> Encoded:
            return self.items[index]

    code, targets, given = "swift.tuners.full.tuner:FullTuner", (), {}
    if options.tuner == "lora":
        code, targets = "swift.tuners.lora.tuner:LoraTuner", TARGETS
        given = {"lora_rank": RANK, "lora_alpha": ALPHA, "lora_dropout": 0.0}
    plan = TunerPlan(sft_type=options.tuner, code=code, target_modules=targets, options=given)
    config = TrainerConfig(
        output_dir=folder, learning_rate=RATE, batch_size=options.batch_size, gradient_accumulation_steps=options.accumulation,
        max_steps=options.steps + WARM_UP, num_train_epochs=1000, autocast="bf16" if options.dtype == "bf16" else None,
        adam_beta1=BETAS[0], adam_beta2=BETAS[1], weight_decay=DECAY, lr_scheduler_type="constant", warmup_ratio=0.0, shuffle=False,
        evaluation_strategy="no", save_strategy="no", eval_steps=None, save_steps=None, report_to=(), disable_tqdm=True,
        logging_steps=1, torch_compile="inductor" if options.compile else None,
    )  # fmt: skip
    model = swift.tuners.attach(plan, make_model(options, register()))
    collate = Collator(padding_free=True, pad_token_id=EOS)
    return build_trainer(config, model, Samples(), None, collate, callbacks=[watch(clock)])


def their_arguments(options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """The same settings for transformers' TrainingArguments."""
    import torch

    return {
        "output_dir": folder, "per_device_train_batch_size": options.batch_size, "gradient_accumulation_steps": options.accumulation,
        "max_steps": options.steps + WARM_UP, "bf16": options.dtype == "bf16", "learning_rate": RATE, "adam_beta1": BETAS[0],
        "adam_beta2": BETAS[1], "weight_decay": DECAY, "lr_scheduler_type": "constant", "warmup_steps": 0, "report_to": "none",
        "save_strategy": "no", "disable_tqdm": True, "logging_steps": 1, "gradient_checkpointing": False,
        "use_cpu": not torch.cuda.is_available(), "train_sampling_strategy": "sequential",
    }  # fmt: skip


def lora() -> Any:
    """The same adapter for peft."""
    from peft import LoraConfig

    return LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=list(TARGETS))


def trl_trainer(options: argparse.Namespace, rows: list[Row], clock: Clock, folder: str) -> Any:
    """trl's SFTTrainer on the same token ids and completion masks."""
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast
    from trl import SFTConfig, SFTTrainer

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file(options.model)))
    tokenizer.eos_token = tokenizer.pad_token = tokenizer.convert_ids_to_tokens(EOS)
    return SFTTrainer(
        model=make_model(options, "sdpa"),
        args=SFTConfig(**their_arguments(options, folder), max_length=options.max_length),
        train_dataset=Dataset.from_list(
            [{"input_ids": ids, "completion_mask": [int(t) for t in trained]} for ids, trained in rows]
        ),
        processing_class=tokenizer,
        peft_config=lora() if options.tuner == "lora" else None,
        callbacks=[watch(clock)],
    )


def peft_trainer(options: argparse.Namespace, rows: list[Row], clock: Clock, folder: str) -> Any:
    """transformers' Trainer as its examples show it: padded rows, labels of -100, the model's own loss."""
    import torch
    from peft import get_peft_model
    from transformers import Trainer, TrainingArguments

    def collate(items: list[Any]) -> dict[str, torch.Tensor]:
        longest = max(len(ids) for ids, _ in items)
        padded = {name: torch.full((len(items), longest), fill) for name, fill in
                  (("input_ids", EOS), ("attention_mask", 0), ("labels", -100))}  # fmt: skip
        for i, (ids, trained) in enumerate(items):
            row = torch.tensor(ids)
            padded["input_ids"][i, : len(ids)] = row
            padded["attention_mask"][i, : len(ids)] = 1
            padded["labels"][i, : len(ids)] = torch.where(torch.tensor(trained), row, -100)
        return padded

    model = make_model(options, "sdpa")
    if options.tuner == "lora":
        model = get_peft_model(model, lora())
    arguments = TrainingArguments(**their_arguments(options, folder), remove_unused_columns=False)
    return Trainer(model, arguments, collate, train_dataset=rows, callbacks=[watch(clock)])


MAKE: dict[str, Callable[..., Any]] = {"swift": swift_trainer, "trl": trl_trainer, "peft": peft_trainer}


# ---- one measurement, and all of them


def prepare_rows(options: argparse.Namespace) -> list[Row]:
    """As many rows as the run takes, from the beginning of the files."""
    wanted = options.batch_size * options.accumulation * (options.steps + WARM_UP)
    files = options.data or default_data()
    rows = read_rows(options.model, files, options.max_length, wanted)
    if len(rows) < wanted:
        raise SystemExit(
            f"{wanted} rows are needed, and {', '.join(map(str, files))} hold {len(rows)}; give more with --data"
        )
    return rows


def run_side(options: argparse.Namespace) -> dict[str, float]:
    """One side in this process."""
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    rows = prepare_rows(options)
    clock = Clock(rows, options.batch_size * options.accumulation)
    with tempfile.TemporaryDirectory() as folder:
        MAKE[options.side](options, rows, clock, folder).train()
    return clock.result()


def in_its_own_process(options: argparse.Namespace, tuner: str, dtype: str, side: str) -> dict[str, float]:
    """One side measured. Raises SystemExit with the end of what it said where it fails."""
    words = [sys.executable, __file__, "--side", side, "--tuner", tuner, "--dtype", dtype, "--model", options.model]
    for name in ("steps", "batch_size", "accumulation", "max_length", "threads"):
        words += [f"--{name}", str(getattr(options, name))]
    words += ["--compile"] if options.compile else []
    words += ["--data", *map(str, options.data)] if options.data else []
    set_here = {
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": str(ROOT),
    }
    if options.threads:
        set_here["OMP_NUM_THREADS"] = str(options.threads)
    done = subprocess.run(words, env={**os.environ, **set_here}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{tuner} {dtype} {side} failed:\n{done.stderr[-3000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"{tuner} {dtype} {side}: {found['tokens_per_cpu_second']:.0f} tokens a CPU second, "
          f"{found['peak_rss_gib']:.2f} GiB, loss {found['loss']:.4f}", file=sys.stderr, flush=True)  # fmt: skip
    return found


def best(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The quickest of each figure over the rounds; other work on the machine can only slow a round down."""
    largest = ("tokens_per_wall_second", "tokens_per_cpu_second")
    return {name: (max if name in largest else min)(one[name] for one in rounds) for name in rounds[0]}


def compare(options: argparse.Namespace, tuner: str, dtype: str) -> dict[str, dict[str, float]]:
    """All sides in turn, so many rounds; prints the best of each and what it is relative to ours."""
    rounds: dict[str, list[dict[str, float]]] = {side: [] for side in options.sides}
    for _ in range(options.rounds):
        for side in options.sides:
            rounds[side].append(in_its_own_process(options, tuner, dtype, side))
    found = {side: best(each) for side, each in rounds.items()}
    on_gpu = "peak_gpu_gib" in found[options.sides[0]]
    memory = "peak_gpu_gib" if on_gpu else "peak_rss_gib"
    ours = found[options.sides[0]]
    print(f"\n{options.model}, {tuner}, {dtype}: useful tokens (best of {options.rounds} rounds of {options.steps} steps of "
          f"{options.batch_size * options.accumulation} rows; x: {options.sides[0]} is so many times as fast)")  # fmt: skip
    print(
        f"{'':8}{'a wall s':>10}{'x':>7}{'a CPU s':>10}{'x':>7}{'peak GiB':>10}{'loss':>9}"
        + ("     MFU" if options.peak_tflops else "")
    )
    for side, one in found.items():
        wall, cpu = one["tokens_per_wall_second"], one["tokens_per_cpu_second"]
        line = f"{side:8}{wall:10.0f}{ours['tokens_per_wall_second'] / wall:7.2f}{cpu:10.0f}{ours['tokens_per_cpu_second'] / cpu:7.2f}"
        line += f"{one[memory]:10.2f}{one['loss']:9.4f}"
        if options.peak_tflops:
            one["mfu"] = wall * flops_per_token(options, tuner) / (options.peak_tflops * 1e12)
            line += f"{one['mfu']:8.1%}"
        print(line, flush=True)
    return found


def flops_per_token(options: argparse.Namespace, tuner: str) -> float:
    """Floating-point operations of the model's products for one token of these rows, mean over the rows."""
    from matmul_limit import Work

    rows = prepare_rows(options)
    work = Work.of(options, rows)
    return sum(part.flops for part in work.parts(trains_weights=tuner == "full")) / work.num_tokens


def arguments() -> argparse.ArgumentParser:
    """The options; `matmul_limit.py` takes them, too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="150m", help=f"{', '.join(SHAPES)} (random weights), demo, or a folder")
    parser.add_argument(
        "--data", nargs="*", type=Path, help="JSON or JSON lines with questions and answers; default: gsm8k and alpaca"
    )
    parser.add_argument("--tuner", choices=("lora", "full"), help="default: both")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--steps", type=int, default=4, help="measured optimiser steps of a round")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--accumulation", type=int, default=1)
    parser.add_argument("--max_length", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1, help="threads of each side; 0: as torch chooses")
    parser.add_argument("--compile", action="store_true", help="our side with --torch_compile true")
    return parser


def main() -> None:
    """Read the options and compare."""
    parser = arguments()
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--peak_tflops", type=float, help="what the GPU multiplies, in TFLOPS: prints the share that is reached"
    )
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(run_side(options)))
        return
    found = {
        tuner: compare(options, tuner, options.dtype)
        for tuner in ((options.tuner,) if options.tuner else ("lora", "full"))
    }
    if options.json:
        settings = {name: value for name, value in vars(options).items() if name not in ("json", "side", "data")}
        options.json.write_text(json.dumps({"settings": settings, "found": found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
