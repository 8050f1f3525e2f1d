"""A million short rows: seconds to tokenise them, seconds to open them again, and peak memory, each in a process of its own.

    python benchmarks/million_rows.py --tokenizer FOLDER --template_type qwen2_5

The aims: peak memory below 1.5 GB, and less than two seconds to open what is prepared (the data file is hashed again, every
part of the cache is checked against its hash, rows are divided and shuffled).
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

PIECE = """
import resource, sys, time
from pathlib import Path
from swift.llm.dataset import prepare
from swift.llm.plan.plans import DataPlan, TemplatePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import load_tokenizer
data, cache, folder, name, packing = sys.argv[1:]
template = open_template(name or None, load_tokenizer(Path(folder)), TemplatePlan(template_type=name or None, max_length=2048))
plan = DataPlan(dataset=(data,), cache_dir=cache, test_ratio=0.01, max_length=2048, packing=packing == "packing")
begun = time.perf_counter()
report = prepare(plan, template, progress=False).report
seconds = time.perf_counter() - begun
peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20
print(f"{seconds:8.2f} s  {peak:5.2f} GiB at the peak  {report.lines()[0]}")
"""


def write_rows(path: Path, num_rows: int) -> None:
    """Questions and answers of made-up words, no two alike."""
    rnd = random.Random(0)
    words = ["".join(rnd.choices("abcdefghijklmnopqrstuvwxyz", k=rnd.randint(2, 9))) for _ in range(20_000)]
    with open(path, "w", encoding="utf-8") as file:
        for i in range(num_rows):
            row = {
                "query": f"{i}: " + " ".join(rnd.choices(words, k=8)),
                "response": " ".join(rnd.choices(words, k=12)),
            }
            file.write(json.dumps(row) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--template_type", default="")
    parser.add_argument("--rows", type=int, default=1_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "rows.jsonl"
        write_rows(data, args.rows)
        for title, packing in (("first launch", ""), ("second", ""), ("second, packed", "packing")):
            words = [str(data), f"{folder}/cache", str(args.tokenizer), args.template_type, packing]
            said = subprocess.run([sys.executable, "-c", PIECE, *words], stdout=subprocess.PIPE, text=True, check=True)
            print(f"{title:15}{said.stdout}", end="", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
