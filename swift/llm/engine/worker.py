"""The thread of the PyTorch engine: it owns the model from the first request to the end, and steps it.

What it does in one step reads from top to bottom in ``Worker.step``. Public methods may be called from anywhere; the rest
runs in the thread only.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import count
from typing import Any, TypeAlias

import torch

from swift.llm.engine.alone import embed_alone, generate_alone, score_alone
from swift.llm.engine.blocks import Blocks
from swift.llm.engine.cache import Cache
from swift.llm.engine.flat import FlatModel
from swift.llm.engine.memory import cache_tokens
from swift.llm.engine.outbox import Outbox
from swift.llm.engine.protocol import (
    Constraint,
    EngineStats,
    GenerateRequest,
    Limits,
    Step,
    TokenLogprob,
    check_request,
)
from swift.llm.engine.sampling import Sampler, check_chosen, choose, logprobs_of
from swift.llm.engine.schedule import Running, Schedule
from swift.utils.errors import EngineError, EngineFailedError
from swift.utils.log import logger

__all__ = ["Sink", "Worker", "readable"]

Sink: TypeAlias = Callable[[Step | Exception], None]
"""Takes the steps of one request, or the error that ends it; called in the thread."""


class Worker:
    """One model, its requests and its thread. ``limits``: what it can do, known once the model was tried."""

    def __init__(
        self, model: Any, limits: Limits, max_batch: int, max_step_tokens: int, max_cached_tokens: int | None
    ) -> None:
        self._model = model
        self._was_training = model.training
        model.eval()
        self.flat = FlatModel.of(model)
        self._vocabulary: int = model.config.get_text_config().vocab_size
        num_tokens, whole = 1, False
        key_of: Callable[[Running], Hashable | None] = _no_key
        if self.flat is not None:
            num_tokens = max_cached_tokens or cache_tokens(
                self.flat.bytes_per_token, limits.context, max_batch, self.flat.device
            )
            key_of, whole = _keys(self.flat), self.flat.long_positions is not None
        blocks = Blocks(num_tokens, limits.context or num_tokens)
        if self.flat is not None:
            self.flat.make_room(blocks.num_places)
            limits = replace(
                limits,
                context=min(limits.context or blocks.largest, blocks.largest),
                adapters=self.flat.layers.refusal is None,
            )
            self._cache = Cache(blocks, self.flat.copy)
        else:
            self._cache = Cache(blocks, _copy_nothing)
        self.limits = limits
        self.cache_bytes = blocks.num_places * self.flat.bytes_per_token if self.flat is not None else 0
        self._schedule = Schedule(self._cache, max_batch, max_step_tokens, whole_prompts=whole, key_of=key_of)
        self._alone: list[Running] = []
        self._ids: set[str] = set()
        self._in_step: list[Running] = []
        self._adapters: dict[str, int] = {}
        self._leaving: dict[int, Future[None]] = {}
        self._numbers = count(1)
        self._counted = EngineStats()
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.outbox = Outbox()
        self._lock = threading.Lock()
        self._closed = False
        # A daemon: a program that forgets to close must still be able to end.
        self._thread = threading.Thread(target=self._run, name="swift-engine", daemon=True)
        self._thread.start()

    def submit(
        self, request: GenerateRequest, emit: Sink, constraint: Constraint | None = None, *, only_score: bool = False
    ) -> None:
        """Queue a request; ``only_score``: its prompt is read, nothing is answered. Raises EngineError if it cannot be honoured."""
        limit = len(request.prompt) if only_score else check_request(request, self.limits)
        _check_more(request, self._vocabulary)
        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed.")
            if request.id in self._ids:
                raise EngineError(f"request {request.id!r} is running already; ids must differ.")
            if request.adapter is not None and request.adapter not in self._adapters:
                raise EngineError(_unknown(request.adapter, self._adapters))
            item = Running(request, limit, emit)
            item.adapter = self._adapters[request.adapter] if request.adapter is not None else None
            item.sampler = Sampler(request.sampling, request.prompt, self._vocabulary, constraint)
            self._ids.add(request.id)
            self._inbox.put(lambda: self._accept(item))

    def post(self, job: Callable[[], None]) -> None:
        """Run something in the thread, between two steps."""
        with self._lock:
            if not self._closed:
                self._inbox.put(job)

    def call(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run something in the thread and hand its result out."""
        future: Future[Any] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function(*args))
            except Exception as error:
                future.set_exception(readable(error))

        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed.")
            self._inbox.put(job)
        return future

    def stats(self) -> EngineStats:
        """Where it stands; from any thread, so that figures may be one step apart."""
        running = len(self._schedule.running) + min(len(self._alone), 1)
        return replace(
            self._counted,
            num_running=running,
            num_waiting=max(len(self._ids) - running, 0),
            cache_used=self._cache.used,
        )

    def unload(self, name: str) -> Future[None]:
        """Refuse ``name`` from now on; done once nobody uses it any more. Raises EngineError for an unknown one."""
        future: Future[None] = Future()
        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed.")
            if name not in self._adapters:
                raise EngineError(_unknown(name, self._adapters))
            number = self._adapters.pop(name)
            self._inbox.put(lambda: self._retire(number, future))
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
                    self._fail(readable(error))
                self.outbox.flush()
        for item in (*self._schedule.running, *self._schedule.waiting, *self._alone):
            item.emit(Step((), "abort"))
        self.outbox.flush()
        for future in self._leaving.values():
            future.set_result(None)
        if self.flat is not None:
            self.flat.close()
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
            self.outbox.flush()

    def _accept(self, item: Running) -> None:
        if self.flat is None or item.request.sampling.num_beams > 1:
            self._alone.append(item)
        else:
            self._schedule.add(item)

    def abort(self, request_id: str) -> None:
        """End a request between two steps."""
        waiting_alone = next((item for item in self._alone if item.request.id == request_id), None)
        item = waiting_alone or self._schedule.find(request_id)
        if item is not None:
            self._leave(item)
            item.emit(Step((), "abort"))

    def _leave(self, item: Running, *, keep: bool = True) -> None:
        if item in self._alone:
            self._alone.remove(item)
        else:
            self._schedule.remove(item, keep=keep)
        with self._lock:
            self._ids.discard(item.request.id)
        if item.adapter in self._leaving and not self._uses(item.adapter):
            self._retire(item.adapter, self._leaving.pop(item.adapter))

    def _drop(self, item: Running, error: Exception) -> None:
        self._leave(item, keep=False)
        item.emit(readable(error))

    def _fail(self, error: EngineError) -> None:
        """A step failed (out of memory, for one): whoever was in it is told, all others go on."""
        for item in self._in_step:
            if item in self._schedule.running:
                self._drop(item, error)

    def step(self) -> None:
        """One turn: read pending tokens, choose the next ones, send them out; then one request of those alone."""
        if self.flat is not None and self._schedule:
            step = self._schedule.next_step()
            self._in_step = [item for item, _ in step]
            for group in self.flat.groups(step):
                self._in_step = [item for item, _ in group]
                self._read(self.flat, group)
        if self._alone:
            self._answer_alone(self._alone[0])

    def _read(self, flat: FlatModel, group: list[tuple[Running, int]]) -> None:
        wanted = [_num_wanted(item, count) for item, count in group]
        logits = flat.read(group, wanted).float()  # (sum of wanted, V)
        rows, done, start = [], [], 0
        for (item, num_read), num in zip(group, wanted, strict=True):
            assert item.held is not None
            item.held.count += num_read
            if item.wants_prompt and num:
                self._take_prompt_logprobs(item, logits[start : start + num])
            start += num
            if item.pending:
                continue
            if len(item.tokens) >= item.limit:  # only its prompt was to be read
                self._send(item, Step((), "length"))
                continue
            done.append(item)
            rows.append(start - 1)
        if done:
            self._choose(done, logits if len(rows) == len(logits) else logits[rows])

    def _take_prompt_logprobs(self, item: Running, logits: torch.Tensor) -> None:
        prompt, found = item.request.prompt, item.prompt_logprobs
        tokens = prompt[len(found) + 1 : len(found) + 1 + len(logits)]
        num_top = item.request.prompt_logprobs or 0
        found += logprobs_of(logits[: len(tokens)], tokens, [num_top] * len(tokens))

    def _choose(self, items: list[Running], raw: torch.Tensor) -> None:
        """The next token of each request from ``raw`` logits (B, V); one whose grammar fails leaves alone."""
        logits = raw
        if not all(item.sampler.is_plain for item in items):
            adjusted, left = [], []
            for row, item in enumerate(items):
                try:
                    adjusted.append(item.sampler.adjust(raw[row]))
                    left.append(row)
                except Exception as error:
                    self._drop(item, error)
            if not left:
                return
            items, raw, logits = [items[row] for row in left], raw[left], torch.stack(adjusted)
        tokens = choose(logits, [item.sampler for item in items])
        asked = [row for row, item in enumerate(items) if item.request.logprobs is not None and tokens[row] >= 0]
        found: dict[int, TokenLogprob] = {}
        if asked:
            nums = [items[row].request.logprobs or 0 for row in asked]
            found = dict(zip(asked, logprobs_of(raw[asked], [tokens[row] for row in asked], nums), strict=True))
        for row, (item, token) in enumerate(zip(items, tokens, strict=True)):
            try:
                check_chosen(token)
                self._answer(item, token, found.get(row))
            except Exception as error:
                self._drop(item, error)

    def _answer(self, item: Running, token: int, logprob: TokenLogprob | None) -> None:
        item.tokens.append(token)
        logprobs = (logprob,) if logprob is not None else ()
        constraint: Constraint | None = item.sampler.constraint
        if token in item.request.stop_ids:
            self._send(item, Step((token,), "stop", logprobs))
            return
        if constraint is not None:
            constraint.accept(token)
            if constraint.is_done:
                self._send(item, Step((token,), "stop", logprobs))
                return
        self._send(item, Step((token,), "length" if len(item.tokens) >= item.limit else None, logprobs))

    def _send(self, item: Running, step: Step) -> None:
        counted, is_first = self._counted, not item.is_told
        if is_first:
            step = replace(step, prompt_logprobs=tuple(item.prompt_logprobs), num_reused=item.num_reused)
            item.is_told = True
        self._counted = replace(
            counted,
            prompt_tokens=counted.prompt_tokens + is_first * len(item.request.prompt),
            reused_tokens=counted.reused_tokens + is_first * item.num_reused,
            answer_tokens=counted.answer_tokens + len(step.token_ids),
        )
        if step.finish is not None:
            self._leave(item)
        item.emit(step)

    def _answer_alone(self, item: Running) -> None:
        """Through ``model.generate``, which holds the thread until its end; what came in meanwhile is done at each token."""
        aborted = False

        def go_on(step: Step) -> bool:
            nonlocal aborted
            if step.token_ids:
                self._send(item, step)
            self._drain()
            self.outbox.flush()
            aborted = item not in self._alone
            return not aborted

        try:
            with self._own_attention(item.adapter):
                request = item.request
                if request.prompt_logprobs is not None:
                    item.prompt_logprobs = score_alone(self._model, request.prompt, request.prompt_logprobs)
                if len(request.prompt) < item.limit:
                    last = generate_alone(self._model, item, go_on)
                else:
                    last = Step((), "length")
        except Exception as error:
            if item in self._alone:
                self._drop(item, error)
            return
        if not aborted:
            self._send(item, last)

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

    def _own_attention(self, adapter: int | None = None) -> AbstractContextManager[None]:
        return self.flat.own_attention(adapter) if self.flat is not None else nullcontext()

    def embed(self, sequence: Sequence[int], pooling: str) -> list[float]:
        """One vector, between two steps."""
        with self._own_attention():
            return embed_alone(self._model, sequence, pooling)

    def load(self, name: str, folder: str) -> None:
        """Lay an adapter beside the layers. Raises EngineError where it does not fit."""
        if self.flat is None:
            raise EngineError("requests to this model are answered one at a time: it takes no adapters by name.")
        if name in self._adapters:
            raise EngineError(f"adapter {name!r} is loaded already; unload it first, or take another name.")
        number = next(self._numbers)
        self.flat.layers.add(number, folder)
        with self._lock:
            self._adapters[name] = number

    def _uses(self, number: int) -> bool:
        in_flight = (*self._schedule.running, *self._schedule.waiting, *self._alone)
        return any(item.adapter == number for item in in_flight)

    def _retire(self, number: int, future: Future[None]) -> None:
        if self._uses(number):
            self._leaving[number] = future
            return
        assert self.flat is not None
        self.flat.layers.remove(number)
        self._cache.drop(lambda key: isinstance(key, tuple) and key[0] == number)
        future.set_result(None)


def _keys(flat: FlatModel) -> Callable[[Running], Hashable | None]:
    """What cached values depend on beside the tokens; None where they depend on more than can be told."""
    if flat.can_reuse:
        return lambda item: (item.adapter, flat.is_long(len(item.tokens)))
    return _no_key


def _no_key(item: Running) -> Hashable | None:
    return None


def _copy_nothing(source: int, target: int, count: int) -> None:
    return None


def _num_wanted(item: Running, num_read: int) -> int:
    """At how many of the last tokens it reads now its logits are needed."""
    end = item.cached + num_read
    last = int(end == len(item.tokens))
    if not item.wants_prompt:
        return last
    return max(end - max(item.cached, len(item.prompt_logprobs)), last)


def _check_more(request: GenerateRequest, vocabulary: int) -> None:
    """What only this engine refuses. Raises EngineError."""
    sampling = request.sampling
    strange = [token for token in request.prompt if not 0 <= token < vocabulary]
    strange += [token for token, _ in sampling.logit_bias if not 0 <= token < vocabulary]
    if strange:
        raise EngineError(f"token id {strange[0]} is not in the model's vocabulary of {vocabulary:,}.")
    if sampling.num_beams > 1:
        for name, given in (
            ("presence_penalty", sampling.presence_penalty),
            ("frequency_penalty", sampling.frequency_penalty),
            ("logit_bias", sampling.logit_bias),
            ("a grammar", request.grammar),
            ("log-probabilities", request.logprobs is not None or request.prompt_logprobs is not None),
        ):
            if given:
                raise EngineError(f"num_beams {sampling.num_beams} with {name}: beams do not take it. Use num_beams 1.")


def _unknown(name: str, loaded: dict[str, int]) -> str:
    return f"adapter {name!r} is not loaded; loaded are: {', '.join(sorted(loaded)) or 'none'}."


def readable(error: Exception) -> EngineError:
    """What torch says, as an EngineFailedError with advice where there is some; it is in the log then, too."""
    if isinstance(error, EngineError):
        return error
    advice = ""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error):
        advice = " Lower --max_batch_size or --max_new_tokens, or load the model in bf16."
    found = EngineFailedError(f"generation failed: {type(error).__name__}: {error}.{advice}")
    found.__cause__ = error
    logger.error("%s", found)  # clients of a server are not told
    logger.debug("where it failed", exc_info=error)
    return found
