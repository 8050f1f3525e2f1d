"""How long a command takes to answer, beside a bare interpreter: interleaved runs, whole processes, ratios.

    python benchmarks/startup.py [--runs 15]

The aim is 0.15 s for ``swift --help`` and 0.3 s for ``swift sft --help`` where ``python -c pass`` takes 0.04 s, so at most
3.75 and 7.5 times as long.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

SWIFT = [sys.executable, "-m", "swift"]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "swift --help": [*SWIFT, "--help"],
    "swift sft --help": [*SWIFT, "sft", "--help"],
    "swift sft --lora_rnk 8": [*SWIFT, "sft", "--lora_rnk", "8"],
    "swift list models qwen": [*SWIFT, "list", "models", "qwen"],
}


def seconds(command: list[str]) -> float:
    """Wall seconds of one process."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        seconds(command)  # compiled files and the disk's cache are warm for all
    for _ in range(runs):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    bare = min(times["python -c pass"])
    print(f"{'command':24s} {'min s':>8s} {'median s':>9s} {'min / bare':>11s}")
    for name, values in times.items():
        print(f"{name:24s} {min(values):8.3f} {statistics.median(values):9.3f} {min(values) / bare:11.1f}")


if __name__ == "__main__":
    main()
