"""A stream larger than memory: time to the first batch, memory as it goes on, and time to go on from a place far inside.

    python benchmarks/stream.py --data alpaca_en_demo.json --tokenizer FOLDER --gib 5

The rows of the file are repeated until they fill so many GiB of JSON lines. Batches are taken without training, so the speed
is that of reading, encoding, shuffling and packing alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from swift.llm.dataset.stream import StreamedRows, prepare_stream
from swift.llm.plan.plans import DataPlan, TemplatePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import load_tokenizer


def resident_mib() -> int:
    """MiB of this process that lie in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 2**20


def write_rows(source: Path, target: Path, num_bytes: int) -> int:
    """Repeat the rows of a JSON list as JSON lines; returns the bytes written."""
    block = "".join(
        json.dumps(row, ensure_ascii=False) + "\n" for row in json.loads(source.read_text("utf-8"))
    ).encode()
    written = 0
    with open(target, "wb") as file:
        while written < num_bytes:
            written += file.write(block)
    return written


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a JSON list of instruction, input, output rows")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of a tokenizer with a chat template")
    parser.add_argument(
        "--template_type", default=None, help="a template of the catalog; left out: the tokenizer's own"
    )
    parser.add_argument("--gib", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to take batches")
    parser.add_argument("--packing", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        size = write_rows(args.data, path, int(args.gib * 2**30))
        template = open_template(
            args.template_type,
            load_tokenizer(args.tokenizer),
            TemplatePlan(template_type=args.template_type or "AUTO", max_length=2048),
        )
        plan = DataPlan(dataset=(str(path),), streaming=True, max_length=2048, packing=args.packing)

        def opened() -> StreamedRows:
            return prepare_stream(plan, template, batch_size=8).train

        before = resident_mib()
        start = time.perf_counter()
        stream = opened()
        stream.batch(0)
        print(f"{size / 2**30:.1f} GiB; first batch after {time.perf_counter() - start:.2f} s; {before} MiB before")
        number, tokens, shown = 1, 0, time.perf_counter()
        begun = shown
        while time.perf_counter() - begun < args.seconds:
            units = stream.batch(number)
            tokens += sum(len(sample) for unit in units for sample in (unit if isinstance(unit, list) else [unit]))
            number += 1
            if time.perf_counter() - shown > args.seconds / 8:
                shown = time.perf_counter()
                print(
                    f"  {number * 8:,} units, {tokens / (shown - begun):,.0f} tokens/s, {resident_mib()} MiB resident"
                )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{stream.report()}; peak {peak} MiB")
        expected = [len(unit) for unit in stream.batch(number)]
        place = stream.state_before(number)
        stream.close()
        start = time.perf_counter()
        again = opened()
        again.go_to(number, place)
        assert [len(unit) for unit in again.batch(number)] == expected
        print(f"going on from batch {number:,} took {time.perf_counter() - start:.2f} s")
        again.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
