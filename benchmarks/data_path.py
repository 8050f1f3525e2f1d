"""Rows per second from JSON to tokens and mask, beside the bare fast tokenizer on the same text, in the same run.

    python benchmarks/data_path.py --data alpaca_en_demo.json --tokenizer FOLDER --template_type qwen2_5

The rows of the file are repeated with a number written into each, so that no text occurs twice. The bare tokenizer gets
each row rendered as one text and does nothing else: no JSON, no mask, no file. Both are timed several times, in turn, and
the best of each counts. Printed as ratios of the bare tokenizer's time; the aim is at most 1.15 for the first launch. On
a machine with other work only the ratio of CPU seconds means something, and it does not show what runs side by side.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tokenizers import Tokenizer

from swift.llm.core import Conversation
from swift.llm.dataset import prepare, read_conversations
from swift.llm.plan.plans import DataPlan, TemplatePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import load_tokenizer


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a JSON list of instruction, input, output rows")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of a tokenizer with a chat template")
    parser.add_argument(
        "--template_type", default=None, help="a template of the catalog; left out: the tokenizer's own"
    )
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()

    tokenizer = load_tokenizer(args.tokenizer)
    bare = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    template = open_template(args.template_type, tokenizer, TemplatePlan(template_type=args.template_type))
    times: dict[str, list[tuple[float, float]]] = {"bare": [], "first": [], "again": []}
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
            for name in ("first", "again"):
                again = DataPlan(dataset=(str(data),), cache_dir=f"{folder}/{i}")
                clock = Clock()
                prepared = prepare(again, template, progress=False)
                times[name].append(clock.read())
    print(*prepared.report.lines(), sep="\n")
    wall = {name: min(wall for wall, _ in values) for name, values in times.items()}
    cpu = {name: min(cpu for _, cpu in values) for name, values in times.items()}
    print(f"{args.rows:,} rows, {size / 2**20:.0f} MiB of JSON, {num_tokens:,} tokens by the bare tokenizer")
    for name, title in (
        ("bare", "bare tokenizer, encode_batch"),
        ("first", "JSON to tokens and mask, cached"),
        ("again", "second launch, from the cache"),
    ):
        print(
            f"{title:34} {wall[name]:7.2f} s {args.rows / wall[name]:12,.0f} rows/s {wall[name] / wall['bare']:6.3f} x wall"
            f" {cpu[name]:8.2f} CPU s {cpu[name] / cpu['bare']:6.3f} x CPU"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
