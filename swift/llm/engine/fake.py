"""An engine without a model: it answers from a script, and keeps the promises of the protocol. For tests and demos."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from swift.llm.engine.protocol import Engine, EngineStats, GenerateRequest, Limits, Step, TokenLogprob, check_request
from swift.utils.errors import EngineError, EngineFailedError

Script = Callable[[Sequence[int]], Sequence[int]]

_SURE = math.log(0.5)  # what the fake gives each token; each further one of a top list has half of the one before


class FakeEngine:
    """Answers each prompt with ``script(prompt)``: the ids, ``chunk`` at a time, until a stop id or the limit.

    A script that ends without a stop id ends with ``length``, as a model at its last token would. ``requests`` holds
    what was asked, ``aborted`` the ids of requests that were ended early, ``adapters`` name to folder of those loaded.
    ``limits`` says what it shall honour (by default nothing but prompts up to ``context``): log-probabilities are halves,
    embeddings the counts of token ids modulo 8, and grammars change nothing. ``delay_s`` passes before every step.
    """

    def __init__(
        self,
        script: Script,
        *,
        context: int | None = 4096,
        chunk: int = 1,
        limits: Limits | None = None,
        delay_s: float = 0.0,
    ) -> None:
        self.limits = limits or Limits(context=context)
        self.requests: list[GenerateRequest] = []
        self.aborted: list[str] = []
        self.adapters: dict[str, str] = {}
        self._script = script
        self._chunk = chunk
        self._delay_s = delay_s
        self._running: set[str] = set()
        self._closed = False
        self._failed = asyncio.Event()
        self._failure = ""
        self._prompt_tokens = self._answer_tokens = 0

    async def generate(self, request: GenerateRequest) -> AsyncIterator[Step]:
        """See the protocol. Gives way to other tasks before every step, as a real engine does."""
        if self._closed:
            raise EngineError("the engine is closed.")
        if request.id in self._running:
            raise EngineError(f"request {request.id!r} is running already.")
        room = check_request(request, self.limits) - len(request.prompt)
        if request.adapter is not None and request.adapter not in self.adapters:
            raise EngineError(
                f"adapter {request.adapter!r} is not loaded; loaded are: {', '.join(self.adapters) or 'none'}."
            )
        self.requests.append(request)
        self._running.add(request.id)
        self._prompt_tokens += len(request.prompt)
        ended = False
        try:
            for step in self._steps(request, self._script(request.prompt)[:room]):
                await asyncio.sleep(self._delay_s)
                if self._failed.is_set():
                    raise EngineFailedError(self._failure)
                if request.id not in self._running:
                    step = Step((), "abort")
                ended = step.finish is not None
                self._answer_tokens += len(step.token_ids)
                yield step
                if ended:
                    return
        finally:
            self._running.discard(request.id)
            if not ended or step.finish == "abort":
                self.aborted.append(request.id)

    def _steps(self, request: GenerateRequest, ids: Sequence[int]) -> Iterable[Step]:
        stops = [index for index, token in enumerate(ids) if token in request.stop_ids]
        ids = ids[: stops[0] + 1] if stops else ids
        for start in range(0, max(len(ids), 1), self._chunk):
            part = tuple(ids[start : start + self._chunk])
            last = start + self._chunk >= len(ids)
            yield Step(
                part,
                ("stop" if stops else "length") if last else None,
                logprobs=_halves(part, request.logprobs),
                prompt_logprobs=_halves(request.prompt[1:], request.prompt_logprobs) if start == 0 else (),
            )

    async def score(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """See the protocol; refused where ``limits`` have no log-probabilities: a script has none."""
        if self.limits.logprobs is None:
            raise EngineError("this engine has no log-probabilities.")
        return [[_SURE] * (len(sequence) - 1) for sequence in ids]

    async def embed(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """See the protocol."""
        if not self.limits.embeddings:
            raise EngineError("this engine gives no embeddings.")
        counts = [[sum(token % 8 == place for token in sequence) for place in range(8)] for sequence in ids]
        return [[value / math.hypot(*vector) for value in vector] for vector in counts]

    async def load_adapter(self, name: str, folder: str) -> None:
        """See the protocol. The folder is not read."""
        if not self.limits.adapters:
            raise EngineError("this engine takes no adapters by name.")
        if name in self.adapters:
            raise EngineError(f"adapter {name!r} is loaded already.")
        self.adapters[name] = folder

    async def unload_adapter(self, name: str) -> None:
        """See the protocol."""
        if name not in self.adapters:
            raise EngineError(f"adapter {name!r} is not loaded; loaded are: {', '.join(self.adapters) or 'none'}.")
        del self.adapters[name]

    async def stats(self) -> EngineStats:
        """See the protocol."""
        return EngineStats(
            num_running=len(self._running), prompt_tokens=self._prompt_tokens, answer_tokens=self._answer_tokens
        )

    async def abort(self, request_id: str) -> None:
        """See the protocol."""
        self._running.discard(request_id)

    def fail(self, why: str) -> None:
        """Be as an engine that died: requests under way and all new ones are told so."""
        self._failure = why
        self._failed.set()

    async def failure(self) -> EngineFailedError:
        """See the protocol, and `fail`."""
        await self._failed.wait()
        return EngineFailedError(self._failure)

    async def close(self) -> None:
        """See the protocol."""
        self._closed = True
        self._running.clear()


def _halves(tokens: Sequence[int], num_top: int | None) -> tuple[TokenLogprob, ...]:
    if num_top is None:
        return ()
    return tuple(
        TokenLogprob(token, _SURE, tuple((token + place, _SURE * (place + 1)) for place in range(num_top)))
        for token in tokens
    )


def _follows_protocol(engine: FakeEngine) -> Engine:
    return engine  # checked by mypy
