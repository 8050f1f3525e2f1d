"""A server in a thread on a port that it chooses itself, in front of an engine that says what it is asked to say."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from swift.llm.chat.service import ChatService
from swift.llm.core import Sampling
from swift.llm.engine.fake import FakeEngine
from swift.llm.engine.protocol import Limits
from swift.llm.plan.deploy import HttpPlan, Keys
from swift.llm.plan.plans import TemplatePlan
from swift.llm.serve.server import bind, run_until_end, serve
from swift.llm.serve.site import Site
from swift.llm.template import open_template
from swift.llm.tokenizer import TextTokenizer, load_tokenizer

KEY, ADMIN_KEY = "sk-test", "sk-admin"
ABLE = Limits(context=2048, logprobs=5, adapters=True, grammars=True, embeddings=True)


@dataclass
class Running:
    """A server that runs: its address, and what is behind it."""

    url: str
    site: Site
    engine: Any
    loop: asyncio.AbstractEventLoop


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def http_plan(**changed: Any) -> HttpPlan:
    keys = Keys((digest(KEY), digest("another key")), digest(ADMIN_KEY))
    return HttpPlan(
        **{"host": "127.0.0.1", "port": 0, "names": ("tiny", "gpt-4o"), "keys": keys, "log_interval_s": 0,
           "log_requests": False, **changed}
    )  # fmt: skip


@contextmanager
def running(
    service: ChatService, http: HttpPlan, max_running: int = 8, send_buffer: int | None = None
) -> Iterator[Running]:
    """Serve in a thread until the block ends. ``send_buffer``: bytes that the system keeps for a client, None: its own choice."""
    listener = bind(http.host, http.port)
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    ready: list[str] = []
    started = threading.Event()
    things: list[Any] = []

    def run() -> None:
        async def main() -> None:
            site = Site(service, Sampling(max_new_tokens=256), http, max_running)
            task = asyncio.ensure_future(
                serve(site, listener, lambda url: (ready.append(url), started.set()))  # type: ignore[func-returns-value]
            )
            things.extend((site, task, asyncio.get_running_loop()))
            await asyncio.wait((task,))
            if not task.cancelled():
                task.result()

        try:
            run_until_end(main())
        finally:
            started.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert started.wait(20)
        site, _, loop = things
        assert ready, "the server ended before it was ready"
        yield Running(ready[0], site, service.engine, loop)
    finally:
        if things and things[2].is_running():
            things[2].call_soon_threadsafe(things[1].cancel)
        thread.join(20)
        listener.close()


def repeat_last(tokenizer: TextTokenizer) -> Callable[[Sequence[int]], list[int]]:
    """A script: the answer is what the last user message says; of a plain text, the text once more."""
    end = tokenizer.special_tokens["<|im_end|>"]

    def script(prompt: Sequence[int]) -> list[int]:
        text = tokenizer.decode(list(prompt))
        said = text.rpartition("<|im_start|>user\n")[2].partition("<|im_end|>")[0]
        return [*tokenizer.encode(said), end]

    return script


@pytest.fixture(scope="session")
def tokenizer(model_folder: Path) -> TextTokenizer:
    return load_tokenizer(model_folder)


Opened = Callable[..., AbstractContextManager[Running]]


@pytest.fixture
def site(tokenizer: TextTokenizer) -> Site:
    """A site on the fake engine, which takes its time, for whoever serves it himself."""
    engine = FakeEngine(repeat_last(tokenizer), limits=ABLE, delay_s=0.01)
    template = open_template("qwen3", tokenizer, TemplatePlan(template_type="qwen3"))
    return Site(ChatService(template, tokenizer, engine), Sampling(max_new_tokens=256), http_plan(), 8)


@pytest.fixture(scope="session")
def opened(tokenizer: TextTokenizer) -> Opened:
    """Open a server on the fake engine: ``opened(limits=…, delay_s=…, max_running=…, eyes=…, **http)``."""

    def open_one(
        *,
        limits: Limits = ABLE,
        delay_s: float = 0.0,
        max_running: int = 8,
        send_buffer: int | None = None,
        eyes: Any = None,
        **http: Any,
    ) -> AbstractContextManager[Running]:
        engine = FakeEngine(repeat_last(tokenizer), limits=limits, delay_s=delay_s)
        template = open_template("qwen3", tokenizer, TemplatePlan(template_type="qwen3"))
        return running(ChatService(template, tokenizer, engine, eyes), http_plan(**http), max_running, send_buffer)

    return open_one


@pytest.fixture(scope="session")
def server(opened: Opened) -> Iterator[Running]:
    """One server for all tests that leave it as it is."""
    with opened() as found:
        yield found
