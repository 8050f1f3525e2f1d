"""The PyTorch engine: one model in this process, a thread that steps it, requests that join and leave at every step.

Knows no text and no template. The thread owns the model from the first request to ``close``; what it does in one step
reads from top to bottom in ``_Worker.step``.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any, TypeAlias

import torch

from swift.llm.engine.alone import generate_alone
from swift.llm.engine.flat import FlatModel
from swift.llm.engine.protocol import Engine, GenerateRequest, Limits, Step, check_request
from swift.llm.engine.sampling import Sampler, choose
from swift.llm.engine.schedule import Running, Schedule
from swift.utils.errors import EngineError
from swift.utils.log import logger

__all__ = ["PtEngine"]

Sink: TypeAlias = Callable[[Step | Exception], None]


class PtEngine:
    """Continuous batching on a transformers model, without padding. Greedy answers equal ``model.generate``'s.

    ``max_batch``: requests that answer at once; others wait. ``max_step_tokens``: prompt tokens read in one step, so that
    a long prompt does not stop the answers of others. ``max_cached_tokens`` bounds all key/value caches together, None
    leaves them to grow. ``context``: tokens of prompt and answer, None takes the model's. A model whose attention does not
    go through transformers' interface, and a request with beams, are answered by ``model.generate``, one at a time.

    The model is put into eval mode; ``close`` puts back what it was. Not for a model that is training at the same time.
    """

    def __init__(
        self,
        model: Any,
        *,
        max_batch: int = 16,
        max_step_tokens: int = 1024,
        max_cached_tokens: int | None = None,
        context: int | None = None,
    ) -> None:
        if max_batch < 1 or max_step_tokens < 1:
            raise EngineError(f"max_batch {max_batch} and max_step_tokens {max_step_tokens} must be at least 1.")
        own = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self.limits = Limits(context=context or own, logprobs=20, beams=True)
        self._worker = _Worker(model, self.limits, max_batch, max_step_tokens, max_cached_tokens)

    @property
    def is_batching(self) -> bool:
        """Whether requests share steps; otherwise they are answered one after the other by ``model.generate``."""
        return self._worker.flat is not None

    async def generate(self, request: GenerateRequest) -> AsyncIterator[Step]:
        """See the protocol."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Step | Exception] = asyncio.Queue()

        def emit(event: Step | Exception) -> None:
            with suppress(RuntimeError):  # the loop was closed under a running request: nobody is left to tell
                loop.call_soon_threadsafe(events.put_nowait, event)

        self._worker.submit(request, emit)
        finished = False
        try:
            while not finished:
                event = await events.get()
                finished = isinstance(event, Exception) or event.finish is not None
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            if not finished:
                self._worker.post(lambda: self._worker.abort(request.id))

    def generate_batch(self, requests: Sequence[GenerateRequest]) -> list[list[int]]:
        """The answers to all requests, in their order, without asyncio. A stop id is an answer's last id.

        Raises EngineError if one of them cannot be answered; the others are aborted then.
        """
        events: queue.SimpleQueue[tuple[int, Step | Exception]] = queue.SimpleQueue()
        answers: list[list[int]] = [[] for _ in requests]
        running: set[int] = set()
        try:
            for index, request in enumerate(requests):
                self._worker.submit(request, partial(_put, events, index))
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
                self._worker.post(partial(self._worker.abort, requests[index].id))
        return answers

    async def score(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """See the protocol. Sequences are read one at a time, between the steps of running requests."""
        limit = self.limits.context
        for sequence in ids:
            if not sequence or (limit is not None and len(sequence) > limit):
                raise EngineError(
                    f"a sequence of {len(sequence):,} tokens; 1 to {limit or 'any number':,} can be scored."
                )
        return [await asyncio.wrap_future(self._worker.call(self._worker.score, tuple(sequence))) for sequence in ids]

    async def abort(self, request_id: str) -> None:
        """See the protocol."""
        self._worker.post(lambda: self._worker.abort(request_id))

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


class _Worker:
    """The thread's side. Public methods may be called from anywhere; the rest runs in the thread only."""

    def __init__(
        self, model: Any, limits: Limits, max_batch: int, max_step_tokens: int, max_cached_tokens: int | None
    ) -> None:
        self._model = model
        self._limits = limits
        self._was_training = model.training
        model.eval()
        self.flat = FlatModel.of(model)
        long_positions = self.flat.long_positions if self.flat is not None else None
        self._schedule = Schedule(max_batch, max_step_tokens, max_cached_tokens, long_positions is not None)
        self._alone: list[Running] = []
        self._ids: set[str] = set()
        self._aborted: set[str] = set()
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        # A daemon: a program that forgets to close must still be able to end.
        self._thread = threading.Thread(target=self._run, name="swift-engine", daemon=True)
        self._thread.start()

    def submit(self, request: GenerateRequest, emit: Sink) -> None:
        """Queue a request. Raises EngineError if it cannot be honoured."""
        limit = check_request(request, self._limits)
        vocabulary = self._model.config.get_text_config().vocab_size
        strange = [token for token in request.prompt if not 0 <= token < vocabulary]
        if strange:
            raise EngineError(f"token id {strange[0]} is not in the model's vocabulary of {vocabulary:,}.")
        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed.")
            if request.id in self._ids:
                raise EngineError(f"request {request.id!r} is running already; ids must differ.")
            self._ids.add(request.id)
            self._inbox.put(lambda: self._accept(Running(request, limit, emit)))

    def post(self, job: Callable[[], None]) -> None:
        """Run something in the thread, between two steps."""
        with self._lock:
            if not self._closed:
                self._inbox.put(job)

    def call(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run something in the thread and hand its result out."""
        future: Future[Any] = Future()

        def job() -> None:
            try:
                future.set_result(function(*args))
            except Exception as error:
                future.set_exception(_readable(error))

        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed.")
            self._inbox.put(job)
        return future

    def shutdown(self) -> None:
        """End all requests and the thread; a second call only waits."""
        with self._lock:
            self._closed = True
            self._inbox.put(None)
        self._thread.join()

    # --- in the thread

    def _run(self) -> None:
        # no_grad, not inference_mode: buffers that rope scaling replaces in a forward must stay usable for training.
        with torch.no_grad():
            while self._take_jobs():
                try:
                    self.step()
                except Exception as error:
                    self._fail(_readable(error))
        for item in (*self._schedule.running, *self._schedule.waiting, *self._alone):
            item.emit(Step((), "abort"))
        if self.flat is not None:
            self.flat.restore()
        self._model.train(self._was_training)

    def _take_jobs(self) -> bool:
        """Do what came in; waits when there is nothing to step. False: close."""
        while True:
            is_idle = not self._schedule and not self._alone
            try:
                job = self._inbox.get(block=is_idle)
            except queue.Empty:
                return True
            if job is None:
                return False
            job()

    def _accept(self, item: Running) -> None:
        sampling = item.request.sampling
        if self.flat is None or sampling.num_beams > 1:
            self._alone.append(item)
            return
        item.sampler = Sampler(sampling, item.tokens)
        self._schedule.add(item)

    def abort(self, request_id: str) -> None:
        """End a request between two steps."""
        waiting_alone = next((item for item in self._alone if item.request.id == request_id), None)
        item = waiting_alone or self._schedule.find(request_id)
        if item is not None:
            self._leave(item)
            item.emit(Step((), "abort"))

    def _leave(self, item: Running) -> None:
        if item in self._alone:
            self._alone.remove(item)
        else:
            self._schedule.remove(item)
        item.cache = None
        with self._lock:
            self._ids.discard(item.request.id)

    def _fail(self, error: EngineError) -> None:
        """A step failed (out of memory, for one): whoever was in it is told, whoever waits goes on."""
        logger.debug("engine step failed", exc_info=error.__cause__)
        for item in list(self._schedule.running):
            self._leave(item)
            item.emit(error)

    def step(self) -> None:
        """One turn: read pending tokens, choose the next ones, send them out; then one request of those alone."""
        if self.flat is not None and self._schedule:
            for item in self._schedule.running:
                if self.flat.changes_positions(item.cached, len(item.tokens)):
                    self._schedule.forget(item)
            for group in self.flat.groups(self._schedule.next_step()):
                logits = self.flat.read(group)  # (B, V): at each one's last token of this step
                done = []
                for row, (item, count) in enumerate(group):
                    item.cached += count
                    if item.pending == 0:
                        done.append((row, item))
                tokens = choose(logits[[row for row, _ in done]], [item.sampler for _, item in done]) if done else []
                for (_, item), token in zip(done, tokens, strict=True):
                    self._send(item, token)
        if self._alone:
            self._answer_alone(self._alone[0])

    def _send(self, item: Running, token: int) -> None:
        item.tokens.append(token)
        if token in item.request.stop_ids:
            step = Step((token,), "stop")
        else:
            step = Step((token,), "length" if len(item.tokens) >= item.limit else None)
        if step.finish is not None:
            self._leave(item)
        item.emit(step)

    def _answer_alone(self, item: Running) -> None:
        """Through ``model.generate``, which holds the thread until its end; what came in meanwhile is done at each token."""
        aborted = False

        def go_on(tokens: tuple[int, ...]) -> bool:
            nonlocal aborted
            if tokens:
                item.emit(Step(tokens))
            self._drain()
            aborted = item not in self._alone
            return not aborted

        try:
            with self._own_attention():
                finish, tokens = generate_alone(self._model, item, go_on)
        except Exception as error:
            self._leave(item)
            item.emit(_readable(error))
            return
        if not aborted:
            self._leave(item)
            item.emit(Step(tokens, finish))

    def _drain(self) -> None:
        """Do what came in without waiting; a wish to close stays for the main loop, and ends what runs alone."""
        while True:
            try:
                job = self._inbox.get_nowait()
            except queue.Empty:
                return
            if job is None:
                self._inbox.put(None)
                for item in list(self._alone):
                    self._leave(item)
                    item.emit(Step((), "abort"))
                return
            job()

    def _own_attention(self) -> AbstractContextManager[None]:
        return self.flat.own_attention() if self.flat is not None else nullcontext()

    def score(self, sequence: tuple[int, ...]) -> list[float]:
        """Log-probabilities of all tokens but the first, read in one forward."""
        ids = torch.tensor([sequence], device=self._model.device)
        with self._own_attention():
            logits = self._model(input_ids=ids, use_cache=False).logits[0, :-1].float()  # (T-1, V)
        scores = logits.log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        return [float(score) for score in scores]


def _put(events: queue.SimpleQueue[tuple[int, Step | Exception]], index: int, event: Step | Exception) -> None:
    events.put((index, event))


def _readable(error: Exception) -> EngineError:
    """What torch says, as an EngineError with advice where there is some."""
    if isinstance(error, EngineError):
        return error
    advice = ""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        advice = " Lower --max_batch_size or --max_new_tokens, or load the model in bf16."
    found = EngineError(f"generation failed: {type(error).__name__}: {error}.{advice}")
    found.__cause__ = error
    return found


def _follows_protocol(engine: PtEngine) -> Engine:
    return engine  # checked by mypy
