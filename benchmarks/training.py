"""Useful tokens per second of LoRA and full fine-tuning: our trainer, trl's SFTTrainer, and plain peft with transformers' Trainer.

    python benchmarks/training.py                                   150 M parameters, LoRA and full, bf16 (half an hour on two cores)
    python benchmarks/training.py --tuner lora --dtype fp32 --rounds 1
    python benchmarks/training.py --model demo                      the embedded model; or --model FOLDER
    python benchmarks/training.py --model 7b --tuner lora --peak_tflops 989
    python benchmarks/training.py --model 30m --sides swift trl_default trl swift_padded swift_packed trl_packed --max_length 1024 --threads 0 \
        --data ALPACA.json --targets q_proj k_proj v_proj --dropout 0.05 --steps 6

The last is a small model beside trl as it comes, and other ways to cut a batch; what the sides are is said in `sides.py`.

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
import subprocess
import sys
import tempfile
from pathlib import Path

from sides import ROOT, SHAPES, SIDES, TARGETS, Clock, prepare_rows

ROWS_OF_A_PACK = 16
"""Rows read for each pack of a side that packs: at least as many as go into one."""


def run_side(options: argparse.Namespace) -> dict[str, float]:
    """One side in this process."""
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    rows = prepare_rows(options, ROWS_OF_A_PACK if options.side.endswith("packed") else 1)
    clock = Clock(options)
    with tempfile.TemporaryDirectory() as folder:
        SIDES[options.side](options, rows, clock, folder).train()
    return clock.result()


def in_its_own_process(options: argparse.Namespace, tuner: str, dtype: str, side: str) -> dict[str, float]:
    """One side measured. Raises SystemExit with the end of what it said where it fails."""
    words = [sys.executable, __file__, "--side", side, "--tuner", tuner, "--dtype", dtype, "--model", options.model]
    for name in ("steps", "batch_size", "accumulation", "max_length", "threads", "dropout"):
        words += [f"--{name}", str(getattr(options, name))]
    words += ["--targets", *options.targets]
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
        f"{'':13}{'a wall s':>10}{'x':>7}{'a CPU s':>10}{'x':>7}{'peak GiB':>10}{'loss':>9}"
        + ("     MFU" if options.peak_tflops else "")
    )
    for side, one in found.items():
        wall, cpu = one["tokens_per_wall_second"], one["tokens_per_cpu_second"]
        line = f"{side:13}{wall:10.0f}{ours['tokens_per_wall_second'] / wall:7.2f}{cpu:10.0f}{ours['tokens_per_cpu_second'] / cpu:7.2f}"
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
    parser.add_argument(
        "--targets", nargs="+", default=list(TARGETS), help="layers with LoRA; default: all linear ones"
    )
    parser.add_argument("--dropout", type=float, default=0.0, help="of LoRA's inputs")
    parser.add_argument("--compile", action="store_true", help="our side with --torch_compile true")
    return parser


def main() -> None:
    """Read the options and compare."""
    parser = arguments()
    parser.add_argument("--sides", nargs="+", choices=tuple(SIDES), default=["swift", "trl", "peft"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--peak_tflops", type=float, help="what the GPU multiplies, in TFLOPS: prints the share that is reached"
    )
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--side", choices=tuple(SIDES), help=argparse.SUPPRESS)
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
