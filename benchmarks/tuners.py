"""Every tuning method on the same model and rows: trained share, peak memory, speed beside full tuning, final loss.

    python benchmarks/tuners.py --data gsm8k_train.jsonl --write docs/tuners.md

Each method is a run of `swift sft` in a process of its own, on the embedded model unless told otherwise, with the rate that
suits it. It runs wherever `swift sft` runs: with a GPU, on that.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Method:
    """A row of the table: what it is called, its settings, its learning rate."""

    name: str
    words: tuple[str, ...]
    rate: str = "1e-3"


ALL = ("--target_modules", "ALL")
METHODS = (
    Method("full", ("--sft_type", "full"), "5e-4"),
    Method("lora", ("--sft_type", "lora", *ALL)),
    Method("lora, q k v only", ("--sft_type", "lora")),
    Method("lora, rank 64, rsLoRA", ("--sft_type", "lora", *ALL, "--lora_rank", "64", "--use_rslora", "true"), "5e-4"),
    Method("DoRA", ("--sft_type", "lora", *ALL, "--use_dora", "true")),
    Method("LoRA+", ("--sft_type", "lora", *ALL, "--lora_lr_ratio", "8"), "5e-4"),
    Method("PiSSA", ("--sft_type", "lora", *ALL, "--init_lora_weights", "pissa"), "5e-4"),
    Method("OLoRA", ("--sft_type", "lora", *ALL, "--init_lora_weights", "olora"), "5e-4"),
    Method("EVA", ("--sft_type", "lora", *ALL, "--init_lora_weights", "eva"), "5e-4"),
    Method("CorDA", ("--sft_type", "lora", *ALL, "--init_lora_weights", "corda"), "5e-4"),
    Method("LoRA-GA", ("--sft_type", "lora", *ALL, "--init_lora_weights", "lora_ga"), "5e-4"),
    Method("LoftQ", ("--sft_type", "lora", *ALL, "--init_lora_weights", "loftq")),
    Method("ReLoRA", ("--sft_type", "lora", *ALL, "--relora_steps", "10", "--relora_warmup_steps", "2")),
    Method("longlora", ("--sft_type", "longlora", *ALL)),
    Method("adalora", ("--sft_type", "adalora", *ALL), "5e-3"),
    Method("ia3", ("--sft_type", "ia3", "--target_modules", "k_proj", "v_proj", "down_proj", "--ia3_feedforward_modules", "down_proj"), "1e-2"),
    Method("vera", ("--sft_type", "vera", *ALL), "1e-2"),
    Method("boft", ("--sft_type", "boft", *ALL)),
    Method("oft", ("--sft_type", "oft", *ALL)),
    Method("loha", ("--sft_type", "loha", *ALL)),
    Method("lokr", ("--sft_type", "lokr", *ALL)),
    Method("miss", ("--sft_type", "miss", *ALL)),
    Method("hra", ("--sft_type", "hra", *ALL)),
    Method("fourierft", ("--sft_type", "fourierft", *ALL), "3e-2"),
    Method("llamapro", ("--sft_type", "llamapro", "--llamapro_num_new_blocks", "2")),
    Method("adapter", ("--sft_type", "adapter")),
    Method("reft", ("--sft_type", "reft"), "2e-3"),
    Method("prompt_tuning", ("--sft_type", "prompt_tuning"), "3e-2"),
    Method("prefix_tuning", ("--sft_type", "prefix_tuning"), "1e-2"),
    Method("p_tuning", ("--sft_type", "p_tuning"), "1e-3"),
    Method("full, GaLore", ("--sft_type", "full", "--use_galore", "true", "--galore_rank", "64"), "1e-3"),
    Method("full, LISA", ("--sft_type", "full", "--lisa_activated_layers", "2", "--lisa_step_interval", "10"), "5e-4"),
)  # fmt: skip
SHARE = re.compile(r"([\d,]+) of ([\d,]+) parameters are trained")


def measure(method: Method, args: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Run one method. Raises RuntimeError with the end of its output where it fails."""
    words = [
        sys.executable, "-m", "swift", "sft", "--model_id_or_path" if "/" in args.model else "--model_type", args.model,
        "--dataset", f"{args.data}#{args.rows}", "--dataset_test_ratio", "0.05", "--max_length", str(args.max_length),
        "--batch_size", str(args.batch_size), "--gradient_accumulation_steps", "1", "--max_steps", str(args.steps),
        "--learning_rate", method.rate, "--eval_steps", str(args.steps), "--save_strategy", "no", "--logging_steps", "5",
        "--report_to", "none", "--output_dir", folder, *method.words,
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}, check=False)
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-1500:])
    run = max(Path(folder).glob("*/v*-*"), key=lambda path: path.stat().st_mtime)
    log = [json.loads(line) for line in (run / "logging.jsonl").read_text().splitlines()]
    speeds = sorted(line["tokens/s"] for line in log[2:] if "tokens/s" in line)
    share = SHARE.search(done.stdout + done.stderr)
    assert share is not None
    trained, total = (int(text.replace(",", "")) for text in share.groups())
    return {
        "share": trained / total,
        "memory": max(line["memory(GiB)"] for line in log if "memory(GiB)" in line),
        "speed": speeds[len(speeds) // 2],
        "loss": [line["eval_loss"] for line in log if "eval_loss" in line][-1],
    }


def table(found: dict[str, Any], args: argparse.Namespace) -> str:
    """The page: what was run, and a row a method."""
    full = found["full"]["speed"]
    lines = [
        "# Tuning methods side by side",
        "",
        f"Made by `python benchmarks/tuners.py`: {args.model}, {args.steps} steps of {args.batch_size} rows of `{args.data.name}`"
        f" (at most {args.max_length} tokens), {platform.machine()}, {os.cpu_count()} cores. Speed is the median of logged tokens per"
        " second, beside full tuning in the same sitting; the loss is that of rows held back. A model this small shows what runs and what"
        " it costs, not which method teaches a large model best.",
        "",
        "| method | learning rate | trained | peak memory | speed, full = 1 | loss on held-back rows |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for method in METHODS:
        one = found.get(method.name)
        if one is None:
            continue
        if "error" in one:
            lines.append(f"| {method.name} | {method.rate} | did not run | | | |")
            continue
        lines.append(
            f"| {method.name} | {method.rate} | {one['share']:.2%} | {one['memory']:.2f} GiB | {one['speed'] / full:.2f} |"
            f" {one['loss']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="rows to train on, for instance gsm8k_train.jsonl")
    parser.add_argument("--model", default="demo-chat", help="a model type of the catalog, or a folder")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--max_length", type=int, default=512)
    parser.add_argument("--only", nargs="*", help="names of methods; full is always run, as the measure of speed")
    parser.add_argument("--write", type=Path, help="file for the table; left out, it is printed only")
    args = parser.parse_args()
    found: dict[str, Any] = {}
    for method in METHODS:
        if args.only and method.name not in ("full", *args.only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                found[method.name] = measure(method, args, folder)
                print(f"{method.name}: {found[method.name]}", flush=True)
            except RuntimeError as error:
                found[method.name] = {"error": str(error)}
                print(f"{method.name} failed:\n{error}", file=sys.stderr, flush=True)
    page = table(found, args)
    print(page)
    if args.write:
        args.write.write_text(page, encoding="utf-8")
    return 1 if any("error" in one for one in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
