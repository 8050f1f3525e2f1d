"""How many tokens a second the engine `pt` gives to 1, 4 and 16 requests at once, beside transformers in the same run.

    python benchmarks/generation.py                      all variants, 3 rounds (about 10 minutes on two cores)
    python benchmarks/generation.py --variants one pt_16 --rounds 1 --new 64

A randomly initialised Qwen2 of about 42 M parameters (width 512, 8 layers, 32,000 tokens), fp32; prompts of 64 to 190 tokens.
Each variant runs in a process of its own, one after the other in every round, so that a busy machine slows all of them;
tokens a CPU second tell more than tokens a second there. Greedy, no stop id: every variant gives the same number of tokens.

Variants: ``one`` (`model.generate`, one request after the other), ``padded`` (`model.generate`, 16 at once, padded on the left),
``theirs`` (transformers' own continuous batching, `model.generate_batch`), ``pt_1``, ``pt_4``, ``pt_16`` (ours, streamed),
``pt_shared`` (16 requests of which 150 tokens of the prompt are the same).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VARIANTS = ("one", "padded", "theirs", "pt_1", "pt_4", "pt_16", "pt_shared")
VOCABULARY, CLIENTS = 32000, 16


def make_model() -> Any:
    """The same weights each time."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=512, intermediate_size=1408, num_hidden_layers=8, num_attention_heads=8,
        num_key_value_heads=8, max_position_embeddings=4096, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=None, pad_token_id=0, attn_implementation="sdpa",
    )  # fmt: skip
    return Qwen2ForCausalLM(config).eval()


def make_prompts(variant: str) -> list[list[int]]:
    """One prompt a client."""
    shared = [(i * i * 31 + 7) % VOCABULARY for i in range(150)] if variant == "pt_shared" else []
    return [
        shared + [(i * 7919 + j * j * 104729 + 3) % VOCABULARY for j in range(64 + 8 * i - len(shared) // 3)]
        for i in range(CLIENTS)
    ]


def run_one(model: Any, prompts: list[list[int]], new: int) -> tuple[int, list[float]]:
    """`generate`, a request at a time; returns the tokens, and the time to the end of each (there is no earlier sign of it)."""
    import torch
    from transformers import GenerationConfig

    config = GenerationConfig(max_new_tokens=new, do_sample=False, eos_token_id=None, pad_token_id=0)
    start, waits, tokens = time.perf_counter(), [], 0
    for prompt in prompts[2::6]:  # as long as the others are on average
        ids = torch.tensor([prompt])
        output = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
        tokens += output.shape[1] - len(prompt)
        waits.append(time.perf_counter() - start)
    return tokens, waits


def run_padded(model: Any, prompts: list[list[int]], new: int) -> tuple[int, list[float]]:
    """`generate` on one padded batch."""
    import torch
    from transformers import GenerationConfig

    config = GenerationConfig(max_new_tokens=new, do_sample=False, eos_token_id=None, pad_token_id=0)
    start, longest = time.perf_counter(), max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    output = model.generate(ids, attention_mask=mask, generation_config=config)
    return (output.shape[1] - longest) * len(prompts), [time.perf_counter() - start]


def run_theirs(model: Any, prompts: list[list[int]], new: int) -> tuple[int, list[float]]:
    """transformers' continuous batching; its cache is bounded to what the requests need, or it takes what the machine has."""
    from transformers import GenerationConfig
    from transformers.generation import ContinuousBatchingConfig

    config = GenerationConfig(max_new_tokens=new, do_sample=False, eos_token_id=-1, pad_token_id=0)
    bounds = ContinuousBatchingConfig(num_blocks=256, block_size=32, max_batch_tokens=512)
    start = time.perf_counter()
    found = model.generate_batch(prompts, config, bounds)
    return sum(len(output.generated_tokens) for output in found.values()), [time.perf_counter() - start]


def run_pt(model: Any, prompts: list[list[int]], new: int) -> tuple[int, list[float]]:
    """Ours, one stream a request; returns the times to the first token."""
    from swift.llm.core import Sampling
    from swift.llm.engine.protocol import GenerateRequest
    from swift.llm.engine.pt import PtEngine

    async def client(engine: Any, number: int) -> tuple[int, float]:
        start, tokens, first = time.perf_counter(), 0, 0.0
        request = GenerateRequest(str(number), tuple(prompts[number]), Sampling(max_new_tokens=new))
        async for step in engine.generate(request):
            first = first or time.perf_counter() - start
            tokens += len(step.token_ids)
        return tokens, first

    async def go(engine: Any) -> tuple[int, list[float]]:
        found = await asyncio.gather(*(client(engine, number) for number in range(len(prompts))))
        return sum(tokens for tokens, _ in found), [first for _, first in found]

    with PtEngine(model) as engine:
        return asyncio.run(go(engine))


def measure_here(variant: str, new: int) -> None:
    """One variant in this process; the result is the last line of the output."""
    import torch

    torch.set_num_threads(2)
    model, prompts = make_model(), make_prompts(variant)
    if variant.startswith("pt_"):
        prompts = prompts[: int(variant[3:])] if variant[3:].isdigit() else prompts
    run = {"one": run_one, "padded": run_padded, "theirs": run_theirs}.get(variant, run_pt)
    run(model, [prompt[::-1] for prompt in prompts[:2]], 8)  # first calls are slower
    wall, cpu = time.perf_counter(), time.process_time()
    tokens, waits = run(model, prompts, new)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    first = statistics.median(waits)
    print(json.dumps({"per_wall": tokens / wall, "per_cpu": tokens / cpu, "first_s": first, "peak_gib": peak}))


def measure(variant: str, new: int) -> dict[str, float] | None:
    """One variant in a process of its own; None, with the reason on stderr, where it fails."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, __file__, "--one", variant, "--new", str(new)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        print(f"{variant}: not done after 600 s", file=sys.stderr)
        return None
    if done.returncode:
        print(f"{variant} failed:\n{done.stderr[-1500:]}", file=sys.stderr)
        return None
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"{variant}: {result}", file=sys.stderr, flush=True)
    return result


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--new", type=int, default=128, help="tokens of each answer")
    parser.add_argument("--one", choices=VARIANTS, help="run one variant in this process")
    options = parser.parse_args()
    if options.one:
        measure_here(options.one, options.new)
        return
    found: dict[str, list[dict[str, float]]] = {variant: [] for variant in options.variants}
    for _ in range(options.rounds):
        for variant in options.variants:
            result = measure(variant, options.new)
            found[variant] += [result] if result is not None else []
    median = {v: {key: statistics.median(r[key] for r in runs) for key in runs[0]} for v, runs in found.items() if runs}
    base = median.get("one") or next(iter(median.values()))
    print(f"{'':10} {'tokens/s':>9} {'x':>6} {'a CPU s':>9} {'x':>6} {'first s':>8} {'peak GiB':>9}")
    for variant, m in median.items():
        print(
            f"{variant:10} {m['per_wall']:9.0f} {m['per_wall'] / base['per_wall']:6.2f} {m['per_cpu']:9.0f}"
            f" {m['per_cpu'] / base['per_cpu']:6.2f} {m['first_s']:8.2f} {m['peak_gib']:9.2f}"
        )


if __name__ == "__main__":
    main()
