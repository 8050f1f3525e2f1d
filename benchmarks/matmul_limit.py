"""How much of the machine's matrix multiplication a training step of ours reaches, and where the rest of the time goes.

    python benchmarks/matmul_limit.py                        150 M parameters, LoRA and full, bf16
    python benchmarks/matmul_limit.py --tuner lora --dtype fp32 --json limit.json

Three numbers are measured in one process, on the same threads:

- the limit: processor seconds of every matrix product that a step needs, alone, in exactly its shapes, forward and backward (the gradient
  of a frozen weight is needed by nobody), the head on trained positions only, attention by the samples' own lengths, causal half;
- the step: processor seconds of our trainer's steps on the same rows;
- the parts: a profile of one more step, each operation, forward or backward, counted for the part of the model it belongs to.

The share of the limit is the first over the second. Seconds are those of the processor, so that other work on the machine counts less.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sides
import training
from sides import RANK, Row

PARTS = {
    "embed_tokens": "embedding", "self_attn": "attention", "mlp": "mlp", "input_layernorm": "norms", "post_attention_layernorm": "norms",
    "norm": "norms", "rotary_emb": "attention",
}  # fmt: skip
NATIVE = {"bf16": ("avx512_bf16", "amx_bf16"), "fp32": ("avx512f", "avx2")}


@dataclass(frozen=True)
class Part:
    """One kind of matrix product: ``flops`` of it in a step, and how to do one pass of all of it."""

    name: str
    flops: float
    shapes: tuple[tuple[int, int, int, int, int], ...]
    """(how many, batch, rows, inner, columns)."""


@dataclass(frozen=True)
class Work:
    """What a step has to multiply: the model's linear layers and one batch of rows."""

    linears: tuple[tuple[int, int, int], ...]  # (how many, inputs, outputs)
    head: tuple[int, int]
    heads: int
    head_width: int
    layers: int
    lengths: tuple[int, ...]
    num_trained: int

    @property
    def num_tokens(self) -> int:
        """Useful tokens of the batch."""
        return sum(self.lengths)

    @classmethod
    def of(cls, options: argparse.Namespace, rows: Sequence[Row]) -> Work:
        """Read the layers from a model without weights."""
        import torch
        from transformers import AutoModelForCausalLM

        config = sides.config_of(options.model)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        head = model.get_output_embeddings()
        counted: dict[tuple[int, int], int] = defaultdict(int)
        for module in model.modules():
            if isinstance(module, torch.nn.Linear) and module is not head:
                counted[module.in_features, module.out_features] += 1
        return cls(
            tuple((count, k, m) for (k, m), count in counted.items()), (head.in_features, head.out_features),
            config.num_attention_heads, getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
            config.num_hidden_layers, tuple(len(ids) for ids, _ in rows), sum(sum(trained[1:]) for _, trained in rows),
        )  # fmt: skip

    def parts(self, *, trains_weights: bool) -> list[Part]:
        """Every product of a step: forward, for the input's gradient, and for the weight's where it is trained; LoRA's factors."""
        tokens = self.num_tokens
        forward = [(n, 1, tokens, k, m) for n, k, m in self.linears]
        to_input = [(n, 1, tokens, m, k) for n, k, m in self.linears]
        to_weight = [(n, 1, m, tokens, k) for n, k, m in self.linears] if trains_weights else []
        k, v = self.head
        head = [(1, 1, self.num_trained, k, v), (1, 1, self.num_trained, v, k)]
        head += [(1, 1, v, self.num_trained, k)] if trains_weights else []
        low: list[tuple[int, int, int, int, int]] = []
        if not trains_weights:
            for n, inputs, outputs in self.linears:
                low += [
                    (2 * n, 1, tokens, inputs, RANK),
                    (2 * n, 1, tokens, RANK, outputs),
                ]  # A forward, its gradient; B
                low += [(n, 1, RANK, tokens, inputs), (n, 1, outputs, tokens, RANK)]
        # forward q·k and p·v, backward twice as many: six squares, of each of which the causal half is needed
        attention = [(self.layers * 3, self.heads, t, self.head_width, t) for t in self.lengths]
        named = {"layers": forward + to_input + to_weight, "head": head, "low rank": low, "attention": attention}
        return [Part(name, _flops(shapes) * 1.0, tuple(shapes)) for name, shapes in named.items() if shapes]


def _flops(shapes: Sequence[tuple[int, int, int, int, int]]) -> int:
    return sum(2 * count * batch * rows * inner * columns for count, batch, rows, inner, columns in shapes)


def seconds_of(make: Callable[[], object], budget: float) -> float:
    """Least processor seconds of one call, over as many calls as fit into the budget."""
    make()
    best, end = float("inf"), time.perf_counter() + budget
    while True:
        start = time.process_time()
        make()
        best = min(best, time.process_time() - start)
        if time.perf_counter() > end:
            return best


def measure_limit(work: Work, dtype: Any, *, trains_weights: bool, budget: float) -> dict[str, dict[str, float]]:
    """For each part: its operations, the seconds of its products alone, and what that is in GFLOPS.

    Results are written to memory that exists already: what asking for memory costs is not the multiplication's.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    found, known = {}, {}
    for part in work.parts(trains_weights=trains_weights):
        seconds = 0.0
        for count, batch, rows, inner, columns in part.shapes:
            shape = (batch, rows, inner, columns)
            if shape not in known:
                a = torch.randn(batch, rows, inner, device=device).to(dtype)
                b = torch.randn(batch, columns, inner, device=device).to(dtype).transpose(1, 2)
                out = torch.empty(batch, rows, columns, dtype=dtype, device=device)
                if batch == 1:
                    known[shape] = seconds_of(lambda a=a, b=b, out=out: torch.mm(a[0], b[0], out=out[0]), budget)
                else:
                    known[shape] = seconds_of(lambda a=a, b=b, out=out: torch.bmm(a, b, out=out), budget)
            seconds += count * known[shape]
        found[part.name] = {"gflop": part.flops / 1e9, "seconds": seconds, "gflops": part.flops / 1e9 / seconds}
    return found


def profile_step(options: argparse.Namespace, rows: list[Row]) -> tuple[float, dict[str, float], dict[str, float]]:
    """Processor seconds of a step (the best), seconds of each part, and of each kind of operation, in one profiled step."""
    import torch
    from transformers import TrainerCallback

    clock = sides.Clock(options)
    profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
    times: list[float] = []
    last = sides.WARM_UP + options.steps

    class Watch(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.start = time.process_time()
            if state.global_step == last - 1:
                profiler.start()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == last:
                profiler.stop()
            elif state.global_step > sides.WARM_UP:
                times.append(time.process_time() - self.start)

    same = rows * last  # every step takes the same rows
    with tempfile.TemporaryDirectory() as folder:
        trainer = sides.swift_trainer(options, same, clock, folder)
        trainer.add_callback(Watch())
        _name_parts(trainer)
        trainer.train()
    parts, kinds = _sort(profiler.events())
    return min(times), parts, kinds


def _name_parts(trainer: Any) -> None:
    """Let the profiler see which part of the model runs; backwards it is told by the number of the forward's operation."""
    import torch

    for name, module in trainer.model.named_modules():
        part = PARTS.get(name.rsplit(".", 1)[-1])
        if part is None:
            continue
        opened: list[Any] = []

        def enter(module: Any, args: Any, part: str = part, opened: list[Any] = opened) -> None:
            opened.append(torch.autograd.profiler.record_function(f"part:{part}").__enter__())

        def leave(module: Any, args: Any, output: Any, opened: list[Any] = opened) -> None:
            opened.pop().__exit__(None, None, None)

        module.register_forward_pre_hook(enter)
        module.register_forward_hook(leave)


def _sort(events: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds by part and by operation; an operation of the backward pass belongs where its forward was."""
    by_number: dict[int, str] = {}
    parts: dict[str, float] = defaultdict(float)
    kinds: dict[str, float] = defaultdict(float)
    backward = []
    for event in events:
        if event.name.startswith("aten::"):
            kinds[event.name.removeprefix("aten::")] += event.self_cpu_time_total / 1e6
        above, part = event, None
        while above is not None and part is None:
            name = above.name
            if name.startswith("part:"):
                part = name.removeprefix("part:")
            elif name.startswith("Optimizer.step"):
                part = "optimiser"
            elif name.startswith("_ChunkedCrossEntropy"):
                part = "head and loss"
            elif name.startswith("autograd::engine::evaluate_function"):
                break
            above = above.cpu_parent
        if above is not None and part is None:
            backward.append((event, above.sequence_nr))
            continue
        part = part or "between (clipping, sums, casts, data)"
        parts[part] += event.self_cpu_time_total / 1e6
        if event.sequence_nr >= 0:
            by_number.setdefault(event.sequence_nr, part)
    for event, number in backward:
        parts[by_number.get(number, "gradients added up")] += event.self_cpu_time_total / 1e6
    return dict(parts), dict(kinds)


def native_dtypes() -> dict[str, bool]:
    """Which dtypes the processor has instructions to multiply, by /proc/cpuinfo."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    flags = set(next((line for line in told.splitlines() if line.startswith("flags")), "").split())
    return {dtype: any(name in flags for name in names) for dtype, names in NATIVE.items()}


def report(options: argparse.Namespace, tuner: str) -> dict[str, Any]:
    """Measure and print one tuner in one dtype."""
    import torch

    from swift.trainers.host import prepared

    options.tuner = tuner
    rows = sides.read_rows(options.model, options.data or sides.default_data(), options.max_length, options.batch_size)
    work = Work.of(options, rows)
    dtype = torch.bfloat16 if options.dtype == "bf16" else torch.float32
    with prepared(torch.device("cuda" if torch.cuda.is_available() else "cpu")):
        limit = measure_limit(work, dtype, trains_weights=tuner == "full", budget=options.budget)
    step, parts, kinds = profile_step(options, rows)
    needed, profiled = sum(one["seconds"] for one in limit.values()), sum(parts.values())
    gflop = sum(one["gflop"] for one in limit.values())
    print(
        f"\n{options.model}, {tuner}, {options.dtype}: {len(rows)} rows, {work.num_tokens} tokens, {work.num_trained} of them trained"
    )
    print(f"{1000 * gflop / work.num_tokens:.0f} MFLOP a token; products alone {1000 * needed / work.num_tokens:.2f} s of the processor for "
          f"1000 tokens, the step {1000 * step / work.num_tokens:.2f}: {needed / step:.0%} of the limit")  # fmt: skip
    print(
        "  products alone: "
        + ", ".join(f"{name} {one['seconds']:.2f} s ({one['gflops']:.0f} GFLOPS)" for name, one in limit.items())
    )
    for title, of in (("part", parts), ("operation", kinds)):
        print(f"  {title:38}{'share':>8}")
        for name, seconds in sorted(of.items(), key=lambda item: -item[1])[:12]:
            print(f"  {name:38}{seconds / profiled:8.1%}", flush=True)
    return {
        "tokens": work.num_tokens,
        "limit": limit,
        "step_seconds": step,
        "share": needed / step,
        "parts": parts,
        "operations": kinds,
    }


def main() -> None:
    """Read the options and measure."""
    parser = training.arguments()
    parser.description = __doc__
    parser.add_argument("--budget", type=float, default=0.5, help="seconds for each shape")
    parser.add_argument("--json", type=Path, help="file for all figures")
    options = parser.parse_args()
    if options.steps < 2:
        parser.error("--steps: 2 or more; the last one is profiled, which makes it slower.")
    import torch

    torch.set_num_threads(options.threads or torch.get_num_threads())
    print(
        "multiplied natively: "
        + ", ".join(f"{dtype} {'yes' if yes else 'no'}" for dtype, yes in native_dtypes().items())
    )
    tuners = (options.tuner,) if options.tuner else ("lora", "full")
    found = {tuner: report(options, tuner) for tuner in tuners}
    if options.json:
        options.json.write_text(
            json.dumps({"native": native_dtypes(), "found": found}, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
