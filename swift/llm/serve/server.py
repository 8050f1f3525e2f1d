"""The address, the signals, the end: a site is served until somebody asks it to stop. Knows no route."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from swift.llm.serve.app import create_app
from swift.llm.serve.site import Site
from swift.utils.errors import PlanError, StoppedError
from swift.utils.log import logger

__all__ = ["bind", "check_tls", "run_until_end", "serve"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STALLED_MS = 120_000  # a client that takes nothing in for so long is cut off, by the kernel
LAST_WORDS_S = 2.0
HEAD_TIMEOUT_S = 30.0
CHOOSE = " Choose another; 0 takes a free one."


def bind(host: str, port: int) -> socket.socket:
    """The address as a socket that does not listen yet: a taken one is told before weights are loaded. Raises PlanError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise PlanError([f"--host {host}: is no address of this machine ({error.strerror or error})."]) from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections have it from the one that listens
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MS)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise PlanError([f"--port {port}: cannot be had on {host} ({error.strerror}).{CHOOSE}"]) from None
    return listener


def check_tls(keyfile: str | None, certfile: str | None) -> None:
    """Raises PlanError for a key and a certificate that cannot be used together."""
    if keyfile is None or certfile is None:
        return
    try:
        # Without a password the library would ask at the terminal, and again at every start.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile, password="")
    except (OSError, ssl.SSLError) as error:
        raise PlanError(
            [
                f"--ssl_keyfile {keyfile} and --ssl_certfile {certfile}: cannot be used ({error}). A key has no password here."
            ]
        ) from None


class _Connection(H11Protocol):
    """Uvicorn's, which waits without end for the head of a request: here a client has `HEAD_TIMEOUT_S` for it."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        super().connection_lost(exc)
        self._forget()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Server(uvicorn.Server):
    """Uvicorn with our own way to end: running answers finish while new ones are refused, a second signal ends at once."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site
        self._drain: asyncio.Task[None] | None = None
        self.ended_by: int | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See uvicorn; in a thread there are no signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.ask_to_end, number)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def ask_to_end(self, number: int | None = None) -> None:
        """End when the answers under way are written; asked again, now."""
        if self._drain is not None:
            self.ended_by = number
            self._site.desk.end()
            self.should_exit = self.force_exit = True
            return
        self._site.desk.is_draining = True
        self._drain = asyncio.get_running_loop().create_task(self._end())

    async def _end(self) -> None:
        desk, limit = self._site.desk, self._site.http.drain_timeout_s
        if desk.num_open:
            logger.info("ending: %d requests are finished first (at most %g s; again: at once)", desk.num_open, limit)
        try:
            await asyncio.wait_for(desk.quiet(), limit)
        except TimeoutError:
            logger.warning("%d requests are cut off: --drain_timeout %g is over", desk.num_open, limit)
            desk.end()
            await asyncio.wait((asyncio.ensure_future(desk.quiet()),), timeout=LAST_WORDS_S)
        self.should_exit = True

    async def watch(self) -> None:
        """End when the engine does: whoever waits for it is told, whoever started us sees an exit code."""
        desk, self._site.failure = self._site.desk, await self._site.engine.failure()
        desk.is_draining = True
        with suppress(TimeoutError):
            await asyncio.wait_for(desk.quiet(), LAST_WORDS_S)
        desk.end()
        self.should_exit = True


async def serve(
    site: Site, listener: socket.socket, on_ready: Callable[[str], None], *, app: ASGIApp | None = None
) -> None:
    """Serve until a signal ends it. ``on_ready`` is given the address when the model has answered a first prompt.

    Raises SwiftError where it cannot, StoppedError where a second signal ended it.
    """
    http = site.http
    config = uvicorn.Config(
        app or create_app(site), log_config=None, log_level="warning", access_log=False, server_header=False, ws="none", lifespan="off", http=_Connection,
        ssl_keyfile=http.ssl_keyfile, ssl_certfile=http.ssl_certfile, timeout_graceful_shutdown=int(LAST_WORDS_S),
    )  # fmt: skip
    server = _Server(config, site)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    warming = asyncio.create_task(site.warm_up())
    telling = asyncio.create_task(_tell(site))
    watching = asyncio.create_task(server.watch())
    try:
        await asyncio.wait((running, warming), return_when=asyncio.FIRST_COMPLETED)
        if warming.done():
            warming.result()
            on_ready(url_of(listener, http.host, is_tls=http.ssl_certfile is not None))
        await asyncio.wait((running,))  # not awaited itself: it must live to close what it opened
        try:
            running.result()
        except OSError as error:  # two that start at once may both have the address until one of them listens
            raise PlanError(
                [f"--port {http.port}: was taken while the model was loaded ({error.strerror}).{CHOOSE}"]
            ) from None
    finally:
        for task in (warming, telling, watching):
            task.cancel()
        server.should_exit = True
        await asyncio.gather(running, warming, telling, watching, return_exceptions=True)
    if site.failure is not None:
        raise site.failure
    if server.ended_by is not None:
        raise StoppedError("ended at once: answers under way were cut off.", 128 + server.ended_by)


def run_until_end(main: Coroutine[Any, Any, None]) -> None:
    """``asyncio.run`` on the quicker event loop where it is installed (there is none for Windows)."""
    make_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with suppress(ImportError):
        from uvloop import new_event_loop as make_loop
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main)


async def _tell(site: Site) -> None:
    """The line of statistics, where something happened."""
    while site.http.log_interval_s:
        await asyncio.sleep(site.http.log_interval_s)
        line = site.metrics.line(await site.engine.stats())
        if line is not None:
            logger.info("%s", line)


def url_of(listener: socket.socket, host: str, *, is_tls: bool) -> str:
    """Where a client on this machine finds the server."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http{'s' if is_tls else ''}://{shown}:{listener.getsockname()[1]}"
