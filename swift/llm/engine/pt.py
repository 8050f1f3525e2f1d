"""The PyTorch engine: one model in this process, a thread that steps it, requests that join and leave at every step.

Knows no text and no template. The thread is `worker.Worker`; here is what asyncio and plain callers see of it.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, Literal

from swift.llm.core import Grammar, Sampling
from swift.llm.engine.alone import takes_images
from swift.llm.engine.protocol import (
    Constraint,
    Engine,
    EngineStats,
    GenerateRequest,
    Limits,
    Step,
    check_lengths,
    check_request,
)
from swift.llm.engine.worker import Worker
from swift.utils.errors import EngineError, EngineFailedError

__all__ = ["PtEngine"]

_TOP_LOGPROBS = 20


class PtEngine:
    """Continuous batching on a transformers model, without padding. Greedy answers equal ``model.generate``'s.

    ``max_batch``: requests that answer at once; others wait. ``max_step_tokens``: prompt tokens read in one step, so that
    a long prompt does not stop the answers of others. ``max_cached_tokens``: room for the keys and values of all requests
    together, and of those that ended, which serve the next ones that begin alike; None takes what the machine can spare
    (a sixteenth of a CPU's free memory, 0.8 of a GPU's) or ``max_batch`` contexts. ``context``: tokens of prompt and answer,
    None takes the model's; it is never more than the cache can hold. ``constrain`` makes what grammars in requests allow,
    ``embeddings`` says how vectors are made of hidden states; without them such requests are refused.

    A model whose attention does not go through transformers' interface, and a request with beams, are answered by
    ``model.generate``, one at a time. A prompt with images is read whole, by the model's own forward, and answered among all
    others; by ``model.generate``, where the first such prompt shows that the model does not allow it. The model is put into eval mode and its linear layers into ours; ``close`` puts back
    what was there. Not for a model that is training at the same time.
    """

    def __init__(
        self,
        model: Any,
        *,
        max_batch: int = 16,
        max_step_tokens: int = 512,
        max_cached_tokens: int | None = None,
        context: int | None = None,
        constrain: Callable[[Grammar], Constraint] | None = None,
        embeddings: Literal["mean", "last"] | None = None,
    ) -> None:
        if max_batch < 1 or max_step_tokens < 1 or (max_cached_tokens is not None and max_cached_tokens < 2):
            raise EngineError(
                f"max_batch {max_batch} and max_step_tokens {max_step_tokens} must be at least 1, max_cached_tokens"
                f" {max_cached_tokens} at least 2."
            )
        own = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        limits = Limits(
            context=context or own,
            logprobs=_TOP_LOGPROBS,
            beams=True,
            grammars=constrain is not None,
            embeddings=embeddings is not None,
            media=takes_images(model),
        )
        self._constrain = constrain
        self._pooling = embeddings
        self._numbers = count()
        self._worker = Worker(model, limits, max_batch, max_step_tokens, max_cached_tokens)
        self.limits = self._worker.limits

    @property
    def is_batching(self) -> bool:
        """Whether requests share steps; otherwise they are answered one after the other by ``model.generate``."""
        return self._worker.batch is not None

    @property
    def cache_bytes(self) -> int:
        """What the keys and values of all requests take at most."""
        return self._worker.batch.cache_bytes if self._worker.batch is not None else 0

    async def generate(self, request: GenerateRequest) -> AsyncIterator[Step]:
        """See the protocol."""
        check_request(request, self.limits)
        constraint = None
        if request.grammar is not None and self._constrain is not None:
            constraint = await asyncio.to_thread(self._constrain, request.grammar)
        steps = self._follow(request, constraint)
        del request  # the worker lets images go once they are read: whoever waits for the answer must not keep them
        try:
            async for step in steps:
                yield step
        finally:
            await steps.aclose()

    async def _follow(
        self, request: GenerateRequest, constraint: Constraint | None = None, *, only_score: bool = False
    ) -> AsyncGenerator[Step, None]:
        events: asyncio.Queue[Step | Exception] = asyncio.Queue()
        emit = self._worker.outbox.sink(asyncio.get_running_loop(), events)
        self._worker.submit(request, emit, constraint, only_score=only_score)
        request_id, finished = request.id, False
        del request
        try:
            while not finished:
                event = await events.get()
                finished = isinstance(event, Exception) or event.finish is not None
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            if not finished:
                self._worker.abort(request_id)

    def generate_batch(self, requests: Sequence[GenerateRequest]) -> list[list[int]]:
        """The answers to all requests, in their order, without asyncio. A stop id is an answer's last id.

        Raises EngineError if one of them cannot be answered; the others are aborted then.
        """
        events: queue.SimpleQueue[tuple[int, Step | Exception]] = queue.SimpleQueue()
        answers: list[list[int]] = [[] for _ in requests]
        running: set[int] = set()
        try:
            for index, request in enumerate(requests):
                check_request(request, self.limits)
                grammar = request.grammar
                constraint = self._constrain(grammar) if grammar is not None and self._constrain is not None else None
                self._worker.submit(request, partial(_put, events, index), constraint)
                running.add(index)
            while running:
                index, event = events.get()
                if isinstance(event, Exception):
                    running.discard(index)
                    raise event
                answers[index].extend(event.token_ids)
                if event.finish is not None:
                    running.discard(index)
                if event.finish == "abort":
                    raise EngineError(f"request {requests[index].id!r} was aborted: the engine was closed.")
        finally:
            for index in running:
                self._worker.abort(requests[index].id)
        return answers

    async def score(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """See the protocol. Sequences are read as prompts are, beside running requests."""
        check_lengths(ids, self.limits.context, "scored")
        return list(await asyncio.gather(*(self._score(tuple(sequence)) for sequence in ids)))

    async def _score(self, sequence: tuple[int, ...]) -> list[float]:
        request = GenerateRequest(f"score {next(self._numbers)}", sequence, Sampling(), prompt_logprobs=0)
        found: list[float] = []
        async for step in self._follow(request, only_score=True):
            if step.finish == "abort":
                raise EngineError("scoring was aborted: the engine was closed.")
            found += [entry.logprob for entry in step.prompt_logprobs]
        return found

    async def embed(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """See the protocol. Sequences are read one at a time, between the steps of running requests."""
        if self._pooling is None:
            raise EngineError("this model gives no embeddings: it is a model that answers.")
        check_lengths(ids, self.limits.context, "embedded")
        calls = [self._worker.embed(tuple(sequence), self._pooling) for sequence in ids]
        return [await asyncio.wrap_future(call) for call in calls]

    async def load_adapter(self, name: str, folder: str) -> None:
        """See the protocol. Plain LoRA in safetensors, beside a model that was opened with none or with plain LoRA."""
        await asyncio.wrap_future(self._worker.load(name, folder))

    async def unload_adapter(self, name: str) -> None:
        """See the protocol. From now on no new request may use it."""
        await asyncio.wrap_future(self._worker.unload(name))

    async def stats(self) -> EngineStats:
        """See the protocol."""
        return self._worker.stats()

    async def abort(self, request_id: str) -> None:
        """See the protocol."""
        self._worker.abort(request_id)

    async def failure(self) -> EngineFailedError:
        """See the protocol. What breaks a step breaks the requests in it; the thread goes on."""
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        """See the protocol."""
        await asyncio.to_thread(self.shutdown)

    def shutdown(self) -> None:
        """``close`` without asyncio: waits for the step in progress, then gives the model back as it was."""
        self._worker.shutdown()

    def __enter__(self) -> PtEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


def _put(events: queue.SimpleQueue[tuple[int, Step | Exception]], index: int, event: Step | Exception) -> None:
    events.put((index, event))


def _follows_protocol(engine: PtEngine) -> Engine:
    return engine  # checked by mypy
