"""Rows per second from JSON to tokens and mask, beside the bare fast tokenizer on the same text, in the same run.

    python benchmarks/data_path.py --data alpaca_en_demo.json --tokenizer FOLDER --template_type qwen2_5

The rows of the file are repeated with a number written into each, so that no text occurs twice. The bare tokenizer gets
each row rendered as one text and does nothing else: no JSON, no mask, no file. Both are timed several times, in turn, and
the best of each counts. Printed as ratios of the bare tokenizer's time; the aim is at most 1.1 for the first launch. On
a machine with other work only the ratio of CPU seconds means something, and it does not show what runs side by side.
`exact` is the same with SWIFT_FAST_TOKENIZER=false: the `tokenizers` library does all of the work. `--num_proc 2` adds one
process against two, each on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tokenizers import Tokenizer

from swift.llm.core import Conversation
from swift.llm.dataset import prepare, read_conversations
from swift.llm.plan.plans import DataPlan, TemplatePlan
from swift.llm.template import Template, open_template
from swift.llm.tokenizer import load_tokenizer
from swift.utils import environ


def write_rows(source: Path, target: Path, num_rows: int) -> int:
    """Write `num_rows` varied copies of the alpaca rows of `source`; returns the bytes written."""
    rows = json.loads(source.read_text(encoding="utf-8"))
    varied = [
        {**rows[i % len(rows)], "instruction": f"{i}. {rows[i % len(rows)]['instruction']}",
         "output": f"{rows[i % len(rows)]['output']} ({i})"}
        for i in range(num_rows)
    ]  # fmt: skip
    target.write_text(json.dumps(varied, ensure_ascii=False, indent=2), encoding="utf-8")
    return target.stat().st_size


class Clock:
    """Wall and CPU seconds (of all threads) since it was made; the latter say the same on a machine with other work."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Return (wall, CPU) seconds."""
        return time.perf_counter() - self.wall, time.process_time() - self.cpu


PIECE = """
import os, sys, time
from pathlib import Path
cores = sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, cores[: int(sys.argv[-1])])  # as many cores as processes: one uses several by its threads
from swift.llm.dataset import prepare
from swift.llm.plan.plans import DataPlan, TemplatePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import load_tokenizer
data, cache, folder, name, processes = sys.argv[1:]
template = open_template(name or None, load_tokenizer(Path(folder)), TemplatePlan(template_type=name or None))
begun = time.perf_counter()
prepare(DataPlan(dataset=(data,), cache_dir=cache, num_proc=int(processes)), template, progress=False)
print(time.perf_counter() - begun)
"""


def compare_processes(args: argparse.Namespace, data: Path, folder: str) -> None:
    """Wall seconds of one process on one core, and of several on as many, in fresh interpreters, in turn (Linux)."""
    for fast in ("true", "false"):
        seconds: dict[int, list[float]] = {1: [], args.num_proc: []}
        for i in range(args.rounds):
            for processes in seconds:
                words = [
                    str(data),
                    f"{folder}/{fast}{processes}-{i}",
                    str(args.tokenizer),
                    args.template_type or "",
                    str(processes),
                ]
                variables = {
                    **os.environ,
                    "SWIFT_FAST_TOKENIZER": fast,
                    "RAYON_NUM_THREADS": "1",
                    "TOKENIZERS_PARALLELISM": "false",
                }
                said = subprocess.run(
                    [sys.executable, "-c", PIECE, *words], env=variables, stdout=subprocess.PIPE, text=True, check=True
                )
                seconds[processes].append(float(said.stdout))
        one, several = min(seconds[1]), min(seconds[args.num_proc])
        print(
            f"fastokens {fast}: one process {one:.2f} s, {args.num_proc} {several:.2f} s: {one / several:.2f} times as fast"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a JSON list of instruction, input, output rows")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of a tokenizer with a chat template")
    parser.add_argument(
        "--template_type", default=None, help="a template of the catalog; left out: the tokenizer's own"
    )
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--num_proc", type=int, default=0, help="also compare so many processes with one")
    args = parser.parse_args()

    tokenizer = load_tokenizer(args.tokenizer)
    bare = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))

    def fresh() -> Template:
        """A template whose tokenizer has not encoded anything yet: what it remembers of earlier rounds would count."""
        return open_template(
            args.template_type, load_tokenizer(args.tokenizer), TemplatePlan(template_type=args.template_type)
        )

    template = open_template(args.template_type, tokenizer, TemplatePlan(template_type=args.template_type))
    times: dict[str, list[tuple[float, float]]] = {"bare": [], "exact": [], "first": [], "again": []}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "rows.json"
        size = write_rows(args.data, data, args.rows)
        plan = DataPlan(dataset=(str(data),), cache_dir=folder + "/0")
        conversations = [c for c in read_conversations(plan, "train") if isinstance(c, Conversation)]
        texts = ["".join(segment.text for segment in template.render(c)) for c in conversations]
        del conversations
        num_tokens = 0
        for i in range(args.rounds):
            clock = Clock()
            encoded = bare.encode_batch(texts, add_special_tokens=False)
            times["bare"].append(clock.read())
            num_tokens = sum(len(one.ids) for one in encoded)
            del encoded
            for name in ("exact", "first", "again"):
                environ.export("SWIFT_FAST_TOKENIZER", str(name != "exact"))
                again = DataPlan(dataset=(str(data),), cache_dir=f"{folder}/{i}{name == 'exact'}")
                encoder = fresh()
                clock = Clock()
                prepared = prepare(again, encoder, progress=False)
                times[name].append(clock.read())
        if args.num_proc:
            compare_processes(args, data, folder)
    print(*prepared.report.lines(), sep="\n")
    wall = {name: min(wall for wall, _ in values) for name, values in times.items()}
    cpu = {name: min(cpu for _, cpu in values) for name, values in times.items()}
    print(f"{args.rows:,} rows, {size / 2**20:.0f} MiB of JSON, {num_tokens:,} tokens by the bare tokenizer")
    for name, title in (
        ("bare", "bare tokenizer, encode_batch"),
        ("exact", "JSON to tokens and mask, tokenizers"),
        ("first", "JSON to tokens and mask, fastokens"),
        ("again", "second launch, from the cache"),
    ):
        print(
            f"{title:36} {wall[name]:7.2f} s {args.rows / wall[name]:12,.0f} rows/s {wall[name] / wall['bare']:6.3f} x wall"
            f" {cpu[name]:8.2f} CPU s {cpu[name] / cpu['bare']:6.3f} x CPU"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
