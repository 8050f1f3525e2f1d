"""What `swift deploy --infer_backend vllm` adds to vLLM: one vLLM process, asked directly and through our server, in turn.

vLLM is started once, with the command line that `swift deploy` gives it. Our server, in a process of its own, stands in front of
that very process. Rounds alternate: 16 clients stream from vLLM's own OpenAI server, then from ours, with prompts of the same tokens
(but for the first one of each, so that nobody finds a beginning in the cache that the other one left there), and the same number of
tokens to write. Aims: at least 0.97 of the throughput, at most 5 ms more until the first token (medians).

With `--requests 1` all clients of a round ask at the same moment: the worst case for a first token, since whoever is served last has
waited for all others' requests to be read. With more, each client asks so many times, one after the other, for answers of differing
length, as the users of a busy server do; the requests that begin at the same moment are left out of the time to the first token.

    python benchmarks/serving_vllm.py --env_dir ~/.cache/swift/envs
    python benchmarks/serving_vllm.py --env_dir ~/.cache/swift/envs --path chat --rounds 20 --requests 6
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil
from serving import WORDS, make_model, stops

NAME = "base"  # the one that vLLM is told to serve the model under


@dataclass
class Side:
    """Where a round is sent, and what its rounds came to."""

    name: str
    port: int
    key: str
    rates: list[float]
    firsts: list[float]
    gaps: list[float]
    prompt_tokens: int = 0


def make_plan(options: argparse.Namespace, folder: str):
    from swift.llm.arguments.commands import DeployArguments
    from swift.llm.deploy import make_plan

    return make_plan(
        DeployArguments(
            model_id_or_path=folder, model_type="demo-chat", infer_backend="vllm", env_dir=options.env_dir, served_model_name=NAME,
            host="127.0.0.1", port=0, log_interval=0, verbose=False, max_queue=256,
        )
    )  # fmt: skip


def serve(options: argparse.Namespace) -> None:
    """Our server in front of a vLLM that runs already: as `swift deploy`, but for the start of the engine."""
    from swift.llm.answering.service import open_text
    from swift.llm.chat.service import ChatService
    from swift.llm.engine.protocol import Limits
    from swift.llm.engine.remote import RemoteEngine
    from swift.llm.engine.vllm import VllmDialect
    from swift.llm.plan.infer import sampling_of
    from swift.llm.serve.server import bind, run_until_end
    from swift.llm.serve.server import serve as serve_site
    from swift.llm.serve.site import Site

    plan = make_plan(options, options.folder)
    tokenizer, template = open_text(plan)
    limits = Limits(**json.loads(options.limits))
    engine = RemoteEngine(VllmDialect(), options.serve, limits, api_key=os.environ["BENCH_KEY"])
    listener = bind("127.0.0.1", 0)
    site = Site(
        ChatService(template, tokenizer, engine), sampling_of(plan.generate, {}), plan.http, plan.max_batch_size
    )
    run_until_end(serve_site(site, listener, lambda url: print(url, flush=True)))


@contextmanager
def ours(options: argparse.Namespace, folder: str, engine):
    """The process of our server, and its port."""
    command = [
        sys.executable, __file__, "--serve", engine.url, "--folder", folder, "--env_dir", options.env_dir or "",
        "--limits", json.dumps(asdict(engine.limits)),
    ]  # fmt: skip
    key = engine._headers["authorization"].removeprefix("Bearer ")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "BENCH_KEY": key}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline().rpartition(":")[2]), key
    finally:
        process.terminate()
        process.wait(20)


async def client(side: Side, path: str, body: dict) -> tuple[int, float, float, float, int]:
    """Tokens written, seconds to the first one, moment of the last one, mean gap, tokens of the prompt. No HTTP library: it would
    cost more than what is measured.
    """
    start = time.perf_counter()
    data = json.dumps({**body, "model": NAME, "stream": True, "stream_options": {"include_usage": True}}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {side.key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(data)}\r\nconnection: close\r\n\r\n".encode() + data
    )  # fmt: skip
    first = last = 0.0
    usage: dict = {}
    said = b""
    async for line in reader:
        said += line if len(said) < 2000 else b""
        if line.startswith(b"data: {"):
            chunk = json.loads(line[6:])
            usage = chunk.get("usage") or usage
            choice = chunk["choices"][0] if chunk.get("choices") else {}
            if choice.get("text") or (choice.get("delta") or {}).get("content"):
                last = time.perf_counter()
                first = first or last
    writer.close()
    if not usage:
        raise SystemExit(f"{side.name} answered: {said.decode(errors='replace')}")
    count = usage["completion_tokens"]
    return count, first - start, last, (last - first) / max(count - 1, 1), usage["prompt_tokens"]


async def one_round(side: Side, path: str, bodies: list[list[dict]], *, counts: bool) -> int:
    """``bodies``: what each client asks, one after the other."""

    async def asks(mine: list[dict]) -> list[tuple[int, float, float, float, int]]:
        return [await client(side, path, body) for body in mine]

    start = time.perf_counter()
    answers = await asyncio.gather(*map(asks, bodies))
    found = [one for mine in answers for one in mine]
    seconds = max(last for _, _, last, _, _ in found) - start
    tokens = sum(count for count, *_ in found)
    if counts:
        side.rates.append(tokens / seconds)
        side.firsts += [first for mine in answers for _, first, *_ in mine[1 if len(mine) > 1 else 0 :]]
        side.gaps += [gap for *_, gap, _ in found]
        side.prompt_tokens += sum(num for *_, num in found)
    return tokens


def bodies(options: argparse.Namespace, folder: Path, number: int, chance: random.Random) -> list[list[dict]]:
    """The requests of a round: those of the same ``number`` differ in the beginnings of their prompts only."""
    same = random.Random(number)
    out = []
    for _ in range(options.clients * options.requests):
        tokens = options.tokens if options.requests == 1 else same.randint(options.tokens // 2, options.tokens * 3 // 2)
        more = {"max_tokens": tokens, "temperature": 0, "logit_bias": {str(id_): -100 for id_ in stops(folder)}}
        if options.path == "completions":
            ids = [
                chance.randrange(300, 4000),
                chance.randrange(300, 4000),
                *(same.randrange(300, 4000) for _ in range(60)),
            ]
            out.append({"prompt": ids, **more})
        else:
            text = " ".join(same.choices(WORDS, k=50))
            out.append({"messages": [{"role": "user", "content": f"{chance.randrange(1000, 9999)} {text}"}], **more})
    return [out[start :: options.clients] for start in range(options.clients)]


def processor_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def frontend_of(pid: int) -> int:
    """The process of vLLM that speaks HTTP: the first below the guard."""
    return psutil.Process(pid).children()[0].pid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env_dir", default=None)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--requests", type=int, default=1, help="of each client in a round")
    parser.add_argument("--path", choices=["completions", "chat"], default="completions")
    parser.add_argument("--seconds", type=float, default=0, help="go on for so long, whatever --rounds says")
    for inner in ("--serve", "--folder", "--limits"):
        parser.add_argument(inner, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.env_dir = options.env_dir or None
    if options.serve:
        serve(options)
        return
    with tempfile.TemporaryDirectory() as name:
        make_model(Path(name))
        measure(options, name)


def measure(options: argparse.Namespace, folder: str) -> None:
    from swift.llm.engine.launch import launch

    path = "/v1/completions" if options.path == "completions" else "/v1/chat/completions"
    plan = make_plan(options, folder)
    with launch(plan.model, plan.engine, Path(folder)) as engine, ours(options, folder, engine) as (pid, port, key):
        frontend = frontend_of(engine.server.pid)
        sides = [Side("vllm", engine.server.port, key, [], [], []), Side("swift", port, key, [], [], [])]
        spent = {side.name: [0.0, 0.0, 0] for side in sides}  # CPU seconds of our server and of vLLM's; tokens
        chance = random.Random()
        for side in sides:
            asyncio.run(one_round(side, path, bodies(options, Path(folder), 0, chance), counts=False))
        until, number = time.monotonic() + options.seconds, 0
        while number < options.rounds or time.monotonic() < until:
            number += 1
            for side in sides if number % 2 else sides[::-1]:
                before = processor_seconds(pid), processor_seconds(frontend)
                tokens = asyncio.run(one_round(side, path, bodies(options, Path(folder), number, chance), counts=True))
                spent[side.name][0] += processor_seconds(pid) - before[0]
                spent[side.name][1] += processor_seconds(frontend) - before[1]
                spent[side.name][2] += tokens
        report(options, sides, spent, number)


def report(options: argparse.Namespace, sides: list[Side], spent: dict[str, list[float]], rounds: int) -> None:
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(
        f"{options.clients} clients, {options.requests} x {options.tokens} tokens each, {rounds} rounds, {os.cpu_count()} cores, load {load}"
    )
    print(
        f"{'':8}{'tokens/s':>10}{'first token':>13}{'gap':>10}{'CPU/token, our server':>24}{'vLLM HTTP':>14}{'prompt tokens':>15}"
    )
    for side in sides:
        mine, theirs, tokens = spent[side.name]
        print(
            f"{side.name:8}{median(side.rates):>10,.0f}{median(side.firsts) * 1e3:>10.1f} ms{median(side.gaps) * 1e3:>7.2f} ms"
            f"{mine / tokens * 1e6:>21.0f} us{theirs / tokens * 1e6:>11.0f} us{side.prompt_tokens:>15,}"
        )  # fmt: skip
    bare, through = sides
    ratios = [one / other for one, other in zip(through.rates, bare.rates, strict=True)]
    print(
        f"throughput: {median(ratios):.3f} of vLLM's (aim 0.97); first token {(median(through.firsts) - median(bare.firsts)) * 1e3:+.1f} ms"
        " (aim +5)"
    )  # fmt: skip


if __name__ == "__main__":
    main()
