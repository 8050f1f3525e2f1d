"""An engine without a model: it answers from a script, and keeps the promises of the protocol. For tests and demos."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from swift.llm.engine.protocol import GenerateRequest, Limits, Step, check_request
from swift.utils.errors import EngineError

Script = Callable[[Sequence[int]], Sequence[int]]


class FakeEngine:
    """Answers each prompt with ``script(prompt)``: the ids, ``chunk`` at a time, until a stop id or the limit.

    A script that ends without a stop id ends with ``length``, as a model at its last token would. ``requests`` holds
    what was asked, ``aborted`` the ids of requests that were ended early.
    """

    def __init__(self, script: Script, *, context: int | None = 4096, chunk: int = 1) -> None:
        self.limits = Limits(context=context)
        self.requests: list[GenerateRequest] = []
        self.aborted: list[str] = []
        self._script = script
        self._chunk = chunk
        self._running: set[str] = set()
        self._closed = False

    async def generate(self, request: GenerateRequest) -> AsyncIterator[Step]:
        """See the protocol. Gives way to other tasks before every step, as a real engine does."""
        if self._closed:
            raise EngineError("the engine is closed.")
        if request.id in self._running:
            raise EngineError(f"request {request.id!r} is running already.")
        room = check_request(request, self.limits) - len(request.prompt)
        self.requests.append(request)
        self._running.add(request.id)
        ended = False
        try:
            for step in self._steps(self._script(request.prompt)[:room], request.stop_ids):
                await asyncio.sleep(0)
                if request.id not in self._running:
                    step = Step((), "abort")
                ended = step.finish is not None
                yield step
                if ended:
                    return
        finally:
            self._running.discard(request.id)
            if not ended or step.finish == "abort":
                self.aborted.append(request.id)

    def _steps(self, ids: Sequence[int], stop_ids: Sequence[int]) -> Iterable[Step]:
        stops = [index for index, token in enumerate(ids) if token in stop_ids]
        ids = ids[: stops[0] + 1] if stops else ids
        for start in range(0, max(len(ids), 1), self._chunk):
            part = tuple(ids[start : start + self._chunk])
            last = start + self._chunk >= len(ids)
            yield Step(part, ("stop" if stops else "length") if last else None)

    async def score(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """Refused: a script has no probabilities."""
        raise EngineError("this engine has no log-probabilities.")

    async def abort(self, request_id: str) -> None:
        """See the protocol."""
        self._running.discard(request_id)

    async def close(self) -> None:
        """See the protocol."""
        self._closed = True
        self._running.clear()
