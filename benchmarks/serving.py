"""16 streaming clients: `swift deploy --infer_backend pt` against transformers' `generate`, one after the other, and `transformers serve`.

A Llama of 30 million random weights, made here, with the tokenizer of the demo model. All sides get the same prompts at the same moment
and write the same number of tokens to each, greedily. Printed: tokens per second over all clients, the median time until a
client's first token, the most memory that the process held.

    python benchmarks/serving.py
    python benchmarks/serving.py --clients 16 --tokens 128 --sides swift generate
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import httpx
import psutil

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "and",
    "saw",
    "one",
    "small",
    "train",
    "go",
    "over",
    "the",
    "long",
    "bridge",
    "to",
    "a",
    "quiet",
    "town",
    "by",
    "the",
    "sea",
]
ALONE = """
import json, sys, threading, time
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer
folder, tokens, prompts = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder).eval()
class First:
    def __init__(self): self.at, self.count = None, 0
    def put(self, ids):
        self.count += 1
        if self.count == 2: self.at = time.monotonic()
    def end(self): pass
def one(prompt, num):
    ids = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt", return_dict=True)
    first = First()
    out = model.generate(**ids, max_new_tokens=num, min_new_tokens=num, do_sample=False, streamer=first)
    return first.at, out.shape[1] - ids["input_ids"].shape[1]
one(prompts[0], 8)
start = time.monotonic()
results = [one(prompt, tokens) for prompt in prompts]
seconds = time.monotonic() - start
print(json.dumps([sum(count for _, count in results), seconds, [at - start for at, _ in results]]))
"""


def make_model(folder: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    import swift.demo

    demo = Path(swift.demo.__file__).parent / "model"
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(demo / name, folder / name)
    config = json.loads((demo / "config.json").read_text())
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=config["vocab_size"], hidden_size=512, intermediate_size=1536, num_hidden_layers=8,
            num_attention_heads=8, num_key_value_heads=4, max_position_embeddings=2048, tie_word_embeddings=True,
            eos_token_id=config.get("eos_token_id"), pad_token_id=config.get("pad_token_id"),
        )
    )  # fmt: skip
    print(f"model: {sum(one.numel() for one in model.parameters()) / 1e6:.1f} M parameters")
    model.save_pretrained(folder)


class Peak(threading.Thread):
    """The most memory that a process and its children held, in MiB."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process, self.mib, self.done = psutil.Process(pid), 0.0, False

    def run(self) -> None:
        """Look ten times a second."""
        while not self.done:
            try:
                family = [self.process, *self.process.children(recursive=True)]
                self.mib = max(self.mib, sum(one.memory_info().rss for one in family) / 2**20)
            except psutil.Error:
                return
            time.sleep(0.1)


async def client(http: httpx.AsyncClient, url: str, body: dict) -> tuple[int, float]:
    """Tokens and the moment of the first one."""
    first, count, told = 0.0, 0, 0
    async with http.stream("POST", url, json=body) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line[6:])
            told = (chunk.get("usage") or {}).get("completion_tokens") or told
            if chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                first, count = first or time.monotonic(), count + 1
    return told or count, first


async def clients(url: str, prompts: list[str], more: dict) -> tuple[int, float, list[float]]:
    async with httpx.AsyncClient(timeout=600, limits=httpx.Limits(max_connections=None)) as http:
        bodies = [{"messages": [{"role": "user", "content": prompt}], "stream": True, **more} for prompt in prompts]
        await client(http, f"{url}/chat/completions", {**bodies[0], "max_tokens": 8})
        start = time.monotonic()
        results = await asyncio.gather(*(client(http, f"{url}/chat/completions", body) for body in bodies))
        return sum(count for count, _ in results), time.monotonic() - start, [at - start for _, at in results]


def through(command: list[str], address: Callable[[subprocess.Popen], str], prompts: list[str], more: dict) -> dict:
    start = time.monotonic()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    try:
        url = address(server)
        ready = time.monotonic() - start
        peak = Peak(server.pid)
        peak.start()
        count, seconds, firsts = asyncio.run(clients(url, prompts, more))
        peak.done = True
        return {"rate": count / seconds, "first": median(firsts), "mib": peak.mib, "start": ready, "tokens": count}
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


def swift_side(folder: Path, prompts: list[str], tokens: int) -> dict:
    command = [
        sys.executable, "-m", "swift", "deploy", "--model_id_or_path", str(folder), "--model_type", "demo-chat", "--infer_backend",
        "pt", "--host", "127.0.0.1", "--port", "0", "--max_batch_size", str(len(prompts)), "--served_model_name", "m",
        "--verbose", "false", "--log_interval", "0",
    ]  # fmt: skip

    def address(server: subprocess.Popen) -> str:
        assert server.stdout is not None
        return re.findall(r"http\S+", server.stdout.readline())[0]

    bias = {str(id_): -100 for id_ in stops(folder)}
    more = {
        "model": "m",
        "max_tokens": tokens,
        "temperature": 0,
        "logit_bias": bias,
        "stream_options": {"include_usage": True},
    }
    return through(command, address, prompts, more)


def stops(folder: Path) -> list[int]:
    """The control tokens: random weights choose them at times, and all sides must write on."""
    added = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    return [one["id"] for one in added if one["special"]]


def generate_side(folder: Path, prompts: list[str], tokens: int) -> dict:
    command = [sys.executable, "-c", ALONE, str(folder), str(tokens), json.dumps(prompts)]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    peak = Peak(process.pid)
    peak.start()
    out, _ = process.communicate(timeout=900)
    peak.done = True
    count, seconds, firsts = json.loads(out.splitlines()[-1])
    return {
        "rate": count / seconds, "first": median(firsts), "mib": peak.mib, "start": time.monotonic() - start - seconds,
        "tokens": count,
    }  # fmt: skip


def transformers_side(folder: Path, prompts: list[str], tokens: int) -> dict:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    room = len(prompts) * (tokens + 256)
    command = [
        str(Path(sys.executable).parent / "transformers"), "serve", str(folder), "--continuous-batching", "--cb-block-size", "32",
        "--cb-num-blocks", str(room // 32), "--cb-max-batch-tokens", "512", "--device", "cpu", "--host", "127.0.0.1",
        "--port", str(port),
    ]  # fmt: skip

    def address(server: subprocess.Popen) -> str:
        for _ in range(240):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).status_code == 200:
                    return f"http://127.0.0.1:{port}/v1"
            except httpx.HTTPError:
                time.sleep(0.5)
            if server.poll() is not None:
                break
        raise SystemExit("transformers serve did not start")

    return through(command, address, prompts, {"model": str(folder), "max_tokens": tokens, "temperature": 0})


SIDES = {"swift": swift_side, "generate": generate_side, "transformers": transformers_side}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--sides", nargs="+", choices=sorted(SIDES), default=list(SIDES))
    options = parser.parse_args()
    chance = random.Random(0)
    prompts = [" ".join(chance.choices(WORDS, k=chance.randint(20, 60))) for _ in range(options.clients)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder)
        print(f"{options.clients} clients at once, {options.tokens} tokens each, on {os.cpu_count()} cores")
        print(f"{'':14}{'tokens/s':>10}{'first token':>13}{'memory':>12}{'start':>9}{'tokens':>8}")
        for side in options.sides:
            found = SIDES[side](folder, prompts, options.tokens)
            print(
                f"{side:14}{found['rate']:>10,.0f}{found['first']:>11.2f} s{found['mib']:>8,.0f} MiB{found['start']:>7.1f} s"
                f"{found['tokens']:>8,}", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
