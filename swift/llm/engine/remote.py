"""An engine that is another process: token ids over its local HTTP interface, answers as server-sent events.

What the engines have in common is here; how each one writes a request and reads an event is its `Dialect`. Knows no text, no
template, and no engine by name.
"""

from __future__ import annotations

import asyncio
import json
import re
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from swift.environments.spawn import ServerProcess
from swift.llm.engine.protocol import (
    Engine,
    EngineStats,
    GenerateRequest,
    Limits,
    Step,
    TokenLogprob,
    check_lengths,
    check_request,
)
from swift.llm.engine.watch import PATIENCE, Patience, Pulse, hang
from swift.utils.errors import EngineError, EngineFailedError
from swift.utils.log import logger

if TYPE_CHECKING:
    import httpx

    from swift.llm.engine.wire import Arrival

__all__ = ["Call", "Dialect", "RemoteEngine", "metric"]

Reader: TypeAlias = Callable[[Mapping[str, Any]], Step | None]

DEATH_WAIT_S = 3.0
"""How long after a broken connection the process may take to be seen as ended."""
WATCH_S = 0.5


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request: path below the server's root, and the JSON body (None: GET)."""

    path: str
    body: Mapping[str, Any] | None = None


class Dialect(Protocol):
    """How one engine is spoken to."""

    title: str
    lost_status: int | None
    """The status of ``/health`` that says that the engine will answer no more; None where no status says so for certain."""

    def generate(self, request: GenerateRequest, max_tokens: int) -> Call:
        """The call that streams an answer of at most that many tokens. Raises EngineError for what it cannot express."""
        ...

    def reader(self, request: GenerateRequest) -> Reader:
        """A function from an event to a step (None: nothing in it); it may remember what it has seen."""
        ...

    def score(self, ids: Sequence[int], top: int, adapter: str | None) -> Call:
        """The call that reads log-probabilities of a prompt, with ``top`` likeliest ones beside each."""
        ...

    def scores(self, answer: Any, ids: Sequence[int], top: int) -> tuple[TokenLogprob, ...]:
        """What that call answered, one for each token but the first."""
        ...

    def embed(self, ids: Sequence[Sequence[int]]) -> Call:
        """The call that makes a vector of each sequence. Raises EngineError where there is none."""
        ...

    def vectors(self, answer: Any) -> list[list[float]]:
        """What that call answered, in the order of the sequences."""
        ...

    def load_adapter(self, name: str, folder: str) -> Call:
        """The call that makes an adapter available. Raises EngineError where it cannot be."""
        ...

    def unload_adapter(self, name: str) -> Call:
        """The call that forgets one."""
        ...

    def stats(self, metrics: str) -> EngineStats:
        """What the Prometheus text of ``/metrics`` says."""
        ...


class RemoteEngine:
    """An engine behind a base URL; see the protocol for its methods.

    Connections belong to the event loop that made them, and are closed with it: one engine may serve several loops, one after
    the other or at a time. ``server`` is the process to watch and to end with ``close``; None where somebody else runs it.
    """

    def __init__(
        self,
        dialect: Dialect,
        url: str,
        limits: Limits,
        *,
        api_key: str | None = None,
        server: ServerProcess | None = None,
        patience: Patience = PATIENCE,
    ) -> None:
        self.limits = limits
        self.dialect = dialect
        self.url = url.rstrip("/")
        self.server = server
        self._headers = {} if api_key is None else {"authorization": f"Bearer {api_key}"}
        self._sessions: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncGenerator[httpx.AsyncClient, None]]
        self._sessions = weakref.WeakKeyDictionary()
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = (
            weakref.WeakKeyDictionary()
        )
        self._running: dict[str, asyncio.Queue[Any]] = {}
        self._patience, self._pulse = patience, Pulse()
        self._watches: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]]
        self._watches = weakref.WeakKeyDictionary()
        self._hung: str | None = None
        self._closed = False

    async def generate(self, request: GenerateRequest) -> AsyncIterator[Step]:
        """See the protocol."""
        max_tokens = check_request(request, self.limits) - len(request.prompt)
        call = self.dialect.generate(request, max_tokens)
        if request.id in self._running:
            raise EngineError(f"request {request.id!r} is running already; ids must differ.")
        events: asyncio.Queue[Any] = asyncio.Queue()
        self._running[request.id] = events
        transport = None
        self._begin_watch()
        owes, pulse = True, self._pulse

        def settle() -> None:
            nonlocal owes
            pulse.owed -= owes
            owes = False

        def arrive(arrival: Arrival) -> None:
            pulse.heard += 1
            if not isinstance(arrival, bytes):
                settle()  # the stream's end; once we have left, too
            events.put_nowait(arrival)

        try:
            prompt_logprobs: tuple[TokenLogprob, ...] = ()
            if request.prompt_logprobs is not None:
                prompt_logprobs = await self._score(request.prompt, request.prompt_logprobs, request.adapter)
            transport = await self._send(call, arrive)
            read = self.dialect.reader(request)
            request = replace(request, pictures=None)  # images are large, and the engine has them now
            del call
            while True:
                arrived = await events.get()
                if arrived is _ABORTED:
                    yield Step((), "abort")
                    return
                if isinstance(arrived, Exception):
                    raise await self._why(arrived)
                if arrived == b"[DONE]":
                    continue  # the end of the stream follows, and is an error before the answer's end
                step = read(self._event(arrived))
                if step is None:
                    continue
                if prompt_logprobs:
                    step, prompt_logprobs = replace(step, prompt_logprobs=prompt_logprobs), ()
                yield step
                if step.finish is not None:
                    return
        finally:
            settle()
            self._running.pop(request.id, None)
            if transport is not None:
                transport.abort()  # by which the engine knows that nobody waits any more

    async def _send(self, call: Call, on_arrival: Callable[[Arrival], None]) -> asyncio.Transport:
        from swift.llm.engine.wire import open_wire

        if self._closed:
            raise EngineError("the engine is closed.")
        if self._hung is not None:
            raise EngineFailedError(self._hung)
        body = json.dumps(call.body, separators=(",", ":")).encode()
        try:
            return await open_wire(f"{self.url}{call.path}", body, self._headers, on_arrival)
        except OSError as error:
            raise await self._broken(error) from error

    def _event(self, data: bytes) -> Mapping[str, Any]:
        try:
            event = json.loads(data)
            error = event.get("error")
        except (ValueError, AttributeError):
            raise _failed(f"{self.dialect.title} sent what is no event: {data[:100]!r}") from None
        if error:
            raise _told(self.dialect.title, error)
        return event  # type: ignore[no-any-return]

    async def _why(self, error: Exception) -> EngineError:
        """What to say of a stream that ended before the answer did."""
        from swift.llm.engine.wire import RefusedError

        if isinstance(error, RefusedError):
            return _refused(self.dialect.title, error.status, error.content)
        return await self._broken(error)

    async def _broken(self, error: Exception) -> EngineError:
        """What to say of a connection that failed: how the process died or hung, where it did."""
        if self._hung is not None:
            return EngineFailedError(self._hung)
        death = None
        if self.server is not None and not self._closed:
            death = await asyncio.to_thread(self.server.death, DEATH_WAIT_S)
        if self._closed:
            return EngineError("the engine is closed.")
        return EngineFailedError(death or f"{self.dialect.title} at {self.url}: {type(error).__name__}: {error}")

    async def score(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """See the protocol; all sequences are sent at once, and the engine batches them."""
        if self.limits.logprobs is None:
            raise EngineError(f"{self.dialect.title} gives no log-probabilities.")
        limit = self.limits.context
        check_lengths(ids, None if limit is None else limit - 1, "scored")  # one token is answered
        found = await asyncio.gather(*(self._score(sequence, 0, None) for sequence in ids))
        return [[one.logprob for one in sequence] for sequence in found]

    async def _score(self, ids: Sequence[int], top: int, adapter: str | None) -> tuple[TokenLogprob, ...]:
        if len(ids) < 2:
            return ()
        return self.dialect.scores(await self._ask(self.dialect.score(ids, top, adapter)), ids, top)

    async def embed(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """See the protocol; all sequences are sent at once, and the engine batches them."""
        if not self.limits.embeddings:
            raise EngineError(f"{self.dialect.title} was not started for embeddings.")
        check_lengths(ids, self.limits.context, "embedded")
        self._begin_watch()
        try:
            return self.dialect.vectors(await self._ask(self.dialect.embed(ids)))
        finally:
            self._pulse.owed -= 1
            self._pulse.heard += 1

    async def load_adapter(self, name: str, folder: str) -> None:
        """See the protocol."""
        if not self.limits.adapters:
            raise EngineError(f"{self.dialect.title} was started without adapters (--vllm_enable_lora true).")
        await self._ask(self.dialect.load_adapter(name, folder))

    async def unload_adapter(self, name: str) -> None:
        """See the protocol."""
        await self._ask(self.dialect.unload_adapter(name))

    async def stats(self) -> EngineStats:
        """See the protocol."""
        answer = await self._ask(Call("/metrics"))
        return self.dialect.stats(answer if isinstance(answer, str) else "")

    async def abort(self, request_id: str) -> None:
        """See the protocol."""
        events = self._running.get(request_id)
        if events is not None:
            events.put_nowait(_ABORTED)

    async def failure(self) -> EngineFailedError:
        """See the protocol; only a process of ours is watched."""
        while self._closed or self.server is None or (end := self._hung or self.server.end) is None:
            await asyncio.sleep(WATCH_S)
        return EngineFailedError(end)

    def _begin_watch(self) -> None:
        """Watch our process as long as it owes answers (this one, too), from the loop that asks."""
        self._pulse.owed += 1
        loop = asyncio.get_running_loop()
        watch = self._watches.get(loop)
        if self.server is not None and (watch is None or watch.done()):
            self._watches[loop] = loop.create_task(self._watch(self.server))

    async def _watch(self, server: ServerProcess) -> None:
        found = await hang(self.dialect.title, self._pulse, self._health, server.work, self._patience)
        if found is None or self._closed or server.end is not None:
            return
        self._hung = f"{found}; its log: {server.log}"
        logger.error("%s", self._hung)
        for events in list(self._running.values()):
            events.put_nowait(EngineFailedError(self._hung))

    async def _health(self) -> tuple[str | None, EngineStats | None]:
        """Returns when it has answered anything: a sentence where that says that it is lost, and where it stands."""
        import httpx

        while not self._closed:
            try:
                status = (await (await self._client()).get("/health")).status_code
            except (httpx.HTTPError, OSError):
                await asyncio.sleep(WATCH_S)
                continue
            if status == self.dialect.lost_status:
                return f"{self.dialect.title} says that its engine is lost ({status} from /health)", None
            try:
                return None, await self.stats()
            except EngineError:  # one that was started without numbers
                return None, None
        return None, None

    async def close(self) -> None:
        """See the protocol."""
        self._closed = True
        for events in list(self._running.values()):
            events.put_nowait(_ABORTED)
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.aclose()
        await asyncio.to_thread(self.shutdown)

    def shutdown(self) -> None:
        """``close`` without asyncio: ends the process, and with it whatever was asked of it."""
        self._closed = True
        if self.server is not None:
            self.server.stop()

    def __enter__(self) -> RemoteEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    async def _ask(self, call: Call) -> Any:
        """One call with a whole answer: JSON decoded, other text as it is. Raises EngineError."""
        import httpx

        client = await self._client()
        try:
            method = "GET" if call.body is None else "POST"
            response = await client.request(method, call.path, json=call.body)
        except (httpx.HTTPError, OSError) as error:
            raise await self._broken(error) from error
        if response.status_code != 200:
            raise _refused(self.dialect.title, response.status_code, response.content)
        return response.json() if "json" in response.headers.get("content-type", "") else response.text

    async def _client(self) -> httpx.AsyncClient:
        """The client of the running event loop."""
        if self._closed:
            raise EngineError("the engine is closed.")
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None or client.is_closed:
            # A generator that was begun is closed by its loop's end, however the loop ends: no connection outlives it.
            session = self._session()
            self._sessions[loop] = session
            client = self._clients[loop] = await anext(session)
        return client

    async def _session(self) -> AsyncGenerator[httpx.AsyncClient, None]:
        import httpx

        # No bound on connections: how many requests run at a time is the business of whoever sends them. Tokens may be minutes
        # apart on a busy machine; a process that died closes its connections.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        timeout = httpx.Timeout(None, connect=30.0)
        client = httpx.AsyncClient(
            base_url=self.url, headers=self._headers, timeout=timeout, limits=limits, trust_env=False
        )
        try:
            while True:
                yield client
        finally:
            await client.aclose()


_ABORTED = object()


def metric(text: str, name: str) -> float:
    """The sum over all labels of one metric of a Prometheus text; 0 where it is absent."""
    pattern = rf"^{re.escape(name)}(?:\{{[^}}]*\}})? ([-+0-9.eE]+|NaN)$"
    return sum(float(value) for value in re.findall(pattern, text, re.MULTILINE) if value != "NaN")


def _refused(title: str, status: int, content: bytes) -> EngineError:
    try:
        answer = json.loads(content)
        message = _message(answer.get("error") or answer.get("detail") or answer)
    except (ValueError, AttributeError):
        message = content.decode("utf-8", errors="replace")[:500]
    if status >= 500:
        return _failed(f"{title} failed ({status}): {message}")
    return EngineError(f"{title} refused the request ({status}): {message}")


def _told(title: str, error: Any) -> EngineError:
    """An error in the middle of a stream."""
    code = error.get("code") if isinstance(error, dict) else None
    failed = not isinstance(code, int) or code >= 500
    return _failed(f"{title}: {_message(error)}") if failed else EngineError(f"{title}: {_message(error)}")


def _failed(message: str) -> EngineFailedError:
    logger.error("%s", message)  # whoever asked may be told less
    return EngineFailedError(message)


def _message(error: Any) -> str:
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)


def _follows_protocol(engine: RemoteEngine) -> Engine:
    return engine  # checked by mypy
