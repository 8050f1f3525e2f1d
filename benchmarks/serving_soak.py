"""Clients that do everything wrong, for as long as one likes, against a real `swift deploy`; then nothing may be left behind.

64 clients at a time stream answers, leave in the middle, read slowly, stall, send bodies that are too long or no JSON or no UTF-8, wrong
keys, unknown models. Checked: every request was answered or cleanly refused with the status that it should get; when all have
left no answer runs and none waits; memory and open files are what they were after the first half, within bounds (give it minutes:
the engine's cache fills first); the server ends with exit code 0.

    python benchmarks/serving_soak.py --seconds 120
    python benchmarks/serving_soak.py --seconds 600 --model_type demo-chat --clients 64
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

KEY = "sk-soak"
MAX_BODY_MB = 0.25
LEAKED_MIB = 64
LEAKED_FILES = 4
CHAT = "/v1/chat/completions"


class _Soak:
    def __init__(self, url: str, model: str, end: float) -> None:
        self.url, self.model, self.end = url, model, end
        self.results: Counter[str] = Counter()
        self.wrong: list[str] = []

    def body(self, chance: random.Random, **more: object) -> dict[str, object]:
        text = " ".join(chance.choice(("tell", "me", "of", "cats", "and", "trains", "七", "🙂")) for _ in range(20))
        messages = [{"role": "user", "content": text}]
        return {"model": self.model, "messages": messages, "max_tokens": chance.randint(4, 64), **more}

    def judge(self, kind: str, status: int, wanted: set[int], text: str = "") -> None:
        self.results[f"{kind} {status}"] += 1
        if status not in wanted:
            self.wrong.append(f"{kind}: status {status}: {text[:200]}")

    async def client(self, number: int) -> None:
        chance = random.Random(number)
        kinds = (
            ("stream", 6), ("whole", 3), ("leave", 4), ("leave_whole", 2), ("slow", 2), ("stall", 1), ("large", 1),
            ("chunked_large", 1), ("key", 1), ("broken", 2), ("unknown", 1), ("several", 1), ("completion", 2), ("look", 1),
        )  # fmt: skip
        names, weights = zip(*kinds, strict=True)
        auth = {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=self.url, timeout=120, headers=auth) as http:
            while time.monotonic() < self.end:
                kind = chance.choices(names, weights)[0]
                try:
                    await getattr(self, kind)(http, chance)
                except (httpx.HTTPError, OSError) as error:
                    self.wrong.append(f"{kind}: {type(error).__name__}: {error}")

    async def stream(
        self, http: httpx.AsyncClient, chance: random.Random, kind: str = "stream", wait: float = 0
    ) -> None:
        body = self.body(chance, stream=True, stream_options={"include_usage": True})
        async with http.stream("POST", CHAT, json=body) as answer:
            if answer.status_code != 200:
                self.judge(kind, answer.status_code, {200, 429})
                return
            lines = []
            async for line in answer.aiter_lines():
                lines += [line.removeprefix("data: ")] if line else []
                await asyncio.sleep(wait)
        ended = lines[-1:] == ["[DONE]"] and json.loads(lines[-2])["usage"]["completion_tokens"] > 0
        self.judge(kind, 200 if ended else 0, {200}, str(lines[-2:]))

    async def slow(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        await self.stream(http, chance, "slow", 0.05)

    async def whole(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        answer = await http.post(CHAT, json=self.body(chance))
        self.judge("whole", answer.status_code, {200, 429}, answer.text)

    async def several(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        answer = await http.post(CHAT, json=self.body(chance, n=3, seed=7))
        self.judge("several", answer.status_code, {200, 429}, answer.text)

    async def completion(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        body = {"model": self.model, "prompt": ["Once upon a time", "The cat"], "max_tokens": 16, "temperature": 0}
        answer = await http.post("/v1/completions", json=body)
        self.judge("completion", answer.status_code, {200, 429}, answer.text)

    async def leave(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        async with http.stream("POST", CHAT, json=self.body(chance, stream=True, max_tokens=400)) as answer:
            async for _ in answer.aiter_lines():
                if chance.random() < 0.3:
                    break
        self.results["leave"] += 1

    async def leave_whole(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        try:
            answer = await http.post(CHAT, json=self.body(chance, max_tokens=800), timeout=chance.uniform(0.05, 0.5))
            self.judge("leave_whole", answer.status_code, {200, 429}, answer.text)
        except httpx.TimeoutException:
            self.results["leave_whole"] += 1

    async def stall(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        """Send a request, read nothing, go after a while without a word."""
        parts = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        body = json.dumps(self.body(chance, stream=True, max_tokens=200)).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
        cut = chance.choice((len(body), len(body) // 2))
        writer.write(head.encode() + body[:cut])
        await asyncio.sleep(chance.uniform(0.1, 2))
        writer.transport.abort()
        self.results["stall"] += 1
        del reader

    async def large(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        answer = await http.post(CHAT, content=b"x" * int(MAX_BODY_MB * 2**20 + 1))
        self.judge("large", answer.status_code, {413}, answer.text)

    async def chunked_large(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        async def parts():
            for _ in range(5):
                yield b" " * int(MAX_BODY_MB * 2**18)

        answer = await http.post(CHAT, content=parts())
        self.judge("chunked_large", answer.status_code, {413}, answer.text)

    async def key(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        answer = await http.post(CHAT, json=self.body(chance), headers={"Authorization": "Bearer sk-wrong"})
        self.judge("key", answer.status_code, {401}, answer.text)

    async def broken(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        content = chance.choice(
            (b"{", b'{"model":"\xff\xfe"}', b'{"messages":"\\ud800"}', b"", b"[" * 5000, b"\x00" * 100)
        )
        answer = await http.post(CHAT, content=content)
        self.judge("broken", answer.status_code, {400}, answer.text)

    async def unknown(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        answer = await http.post(CHAT, json=self.body(chance, model="nobody"))
        self.judge("unknown", answer.status_code, {404}, answer.text)

    async def look(self, http: httpx.AsyncClient, chance: random.Random) -> None:
        for path in ("/metrics", "/health", "/v1/models"):
            answer = await http.get(path)
            self.judge("look", answer.status_code, {200}, answer.text)


def state(url: str, process: psutil.Process) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {KEY}"}, timeout=30).text
    found = {name: float(value) for name, value in re.findall(r"^swift_(\w+) ([\d.e+-]+)$", text, re.M)}
    return {
        "running": found["answers_running"], "waiting": found["answers_waiting"], "open": found["requests_open"],
        "cache": found["cache_used_ratio"], "gone": found["clients_gone_total"], "tokens": found["answer_tokens_total"],
        "mib": process.memory_info().rss / 2**20, "files": process.num_fds(), "threads": process.num_threads(),
    }  # fmt: skip


def settled(url: str, process: psutil.Process) -> dict[str, float]:
    """The state once nothing runs (at most 30 s), idle connections closed."""
    for _ in range(30):
        time.sleep(1)
        now = state(url, process)
        if now["running"] == now["waiting"] == now["open"] == 0:
            break
    time.sleep(6)
    return state(url, process)


async def crowd(url: str, model: str, clients: int, seconds: float) -> _Soak:
    soak = _Soak(url, model, time.monotonic() + seconds)
    await asyncio.gather(*(soak.client(number) for number in range(clients)))
    return soak


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--model_type", default="demo-chat")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys.txt"
        keys.write_text(f"# clients\n{KEY}\n")
        command = [
            sys.executable, "-m", "swift", "deploy", "--model_type", options.model_type, "--host", "127.0.0.1", "--port", "0",
            "--api_key_file", str(keys), "--max_body_mb", str(MAX_BODY_MB), "--verbose", "false", "--log_interval", "30",
        ]  # fmt: skip
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = server.stdout.readline().rpartition(" on ")[2].strip().removesuffix("/v1")
            process = psutil.Process(server.pid)
            begin = asyncio.run(crowd(url, options.model_type, options.clients, options.seconds / 2))
            warm = settled(url, process)
            print("warm: ", {name: round(value, 2) for name, value in warm.items()}, flush=True)
            soak = asyncio.run(crowd(url, options.model_type, options.clients, options.seconds / 2))
            last = settled(url, process)
            print("after:", {name: round(value, 2) for name, value in last.items()}, flush=True)
            server.send_signal(signal.SIGTERM)
            code = server.wait(60)
        finally:
            server.kill()
    for name, count in sorted((begin.results + soak.results).items()):
        print(f"  {count:6,} {name}")
    wrong = [*begin.wrong, *soak.wrong]
    wrong += [f"{name} is {last[name]:g} when all have left" for name in ("running", "waiting", "open") if last[name]]
    if last["mib"] > warm["mib"] + LEAKED_MIB:
        wrong.append(f"memory grew from {warm['mib']:.0f} to {last['mib']:.0f} MiB")
    if last["files"] > warm["files"] + LEAKED_FILES:
        wrong.append(f"open files grew from {warm['files']:.0f} to {last['files']:.0f}")
    if code:
        wrong.append(f"the server ended with {code}")
    print(f"{len(wrong)} wrong" + "".join(f"\n  {line}" for line in wrong[:20]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
