"""Engines that live and do nothing: real processes that stop, wait, or work for long, behind vLLM's token interface."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("httpx")

from swift.environments.guard import descendants
from swift.environments.spawn import ServerProcess, start_server
from swift.llm.core import Sampling
from swift.llm.engine.protocol import GenerateRequest, Limits, Step
from swift.llm.engine.remote import RemoteEngine
from swift.llm.engine.vllm import VllmDialect
from swift.llm.engine.watch import Patience
from swift.utils.errors import EngineFailedError

sys.path.insert(0, str(Path(__file__).parent))
from recorded_vllm import chunk, usage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what processes do is read from /proc")

PATIENCE = Patience(look_s=0.2, quiet_s=0.2, hang_s=1.0)
ASKED = GenerateRequest("r1", (1, 300, 400), Sampling(max_new_tokens=8), stop_ids=(2,))
SERVER = """
import http.server, subprocess, sys
port, core, first, rest = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
health, moves, looks = int(sys.argv[5]), sys.argv[6] == "True", 0
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def do_GET(self):
        global looks
        looks += moves
        text = f"vllm:kv_cache_usage_perc {looks}\\n".encode()
        self.send_response(health); self.send_header("content-length", str(len(text))); self.end_headers(); self.wfile.write(text)
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200); self.send_header("connection", "close"); self.end_headers()
        self.wfile.write(f"data: {first}\\n\\n".encode()); self.wfile.flush()
        subprocess.run([sys.executable, "-S", "-c", core])  # the model's own process, which the next tokens wait for
        self.wfile.write(rest.encode()); self.close_connection = True
http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""
SLEEPS = "import time; time.sleep(100)"
WORKS = "import time; end = time.monotonic() + 2.5\nwhile time.monotonic() < end: pass"


@contextmanager
def engine(core: str, health: int = 200, moves: bool = False) -> Iterator[tuple[RemoteEngine, ServerProcess]]:
    """An engine whose second token waits for a program."""
    rest = "".join(f"data: {json.dumps(one)}\n\n" for one in (chunk([2], "stop"), usage(0)))
    first = json.dumps(chunk([67]))

    def is_up(server: ServerProcess) -> bool:
        try:
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=2).status == 200)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    server = start_server(
        "vLLM",
        lambda port: [sys.executable, "-S", "-c", SERVER, str(port), core, first, rest, str(health), str(moves)],
        is_up,
        timeout_s=30,
        grace_s=0.2,
    )
    url = f"http://127.0.0.1:{server.port}"
    with RemoteEngine(VllmDialect(), url, Limits(context=64), server=server, patience=PATIENCE) as opened:
        yield opened, server


def runs(pid: int) -> bool:
    """Whether a process is there, and not only its name, which the system keeps until somebody has asked how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def answer(opened: RemoteEngine, on_step: object = None) -> list[Step]:
    steps = []
    async for step in opened.generate(ASKED):
        steps.append(step)
        if callable(on_step):
            on_step()
    return steps


def test_a_stopped_engine_fails_its_requests_and_those_that_follow() -> None:
    with engine(SLEEPS) as (opened, server):

        def stop() -> None:
            for pid in descendants(server.pid):
                os.kill(pid, signal.SIGSTOP)

        async def run() -> None:
            with pytest.raises(EngineFailedError, match=r"vLLM hangs: 1 answers.*does not answer /health.*log: /"):
                await answer(opened, stop)
            with pytest.raises(EngineFailedError, match="vLLM hangs"):
                await answer(opened)
            assert "vLLM hangs" in str(await asyncio.wait_for(opened.failure(), 5))

        asyncio.run(asyncio.wait_for(run(), 30))
        assert server.is_running  # stopped, but there, until whoever opened it closes it
        pids = descendants(server.pid)
    assert not any(runs(pid) for pid in pids)


def test_an_engine_whose_model_does_nothing_hangs_though_its_interface_answers() -> None:
    with engine(SLEEPS) as (opened, _), pytest.raises(EngineFailedError, match="its processes do nothing at all"):
        asyncio.run(asyncio.wait_for(answer(opened), 30))


def test_an_engine_that_says_that_it_is_lost_is_believed() -> None:
    with engine(SLEEPS, 503) as (opened, _), pytest.raises(EngineFailedError, match="its engine is lost"):
        asyncio.run(asyncio.wait_for(answer(opened), 30))


def test_long_work_is_no_hang() -> None:
    with engine(WORKS) as (opened, _):
        steps = asyncio.run(asyncio.wait_for(answer(opened), 60))
    assert [step.token_ids for step in steps] == [(67,), (2,)]


def test_a_cache_that_fills_is_no_hang() -> None:
    with engine("import time; time.sleep(2.5)", moves=True) as (opened, _):  # as where a GPU does the work
        steps = asyncio.run(asyncio.wait_for(answer(opened), 60))
    assert [step.token_ids for step in steps] == [(67,), (2,)]


def test_nothing_is_owed_when_answers_have_ended_however_they_did() -> None:
    async def run(opened: RemoteEngine) -> None:
        for name in "abc":
            async with aclosing(opened.generate(replace(ASKED, id=name))) as steps:  # type: ignore[type-var]
                async for step in steps:
                    if name == "a" or step.finish:
                        break
        await asyncio.sleep(0.05)  # the connections are gone

    with engine("pass") as (opened, _):
        asyncio.run(asyncio.wait_for(run(opened), 30))
        assert opened._pulse.owed == 0
