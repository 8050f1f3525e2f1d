"""The thread of the PyTorch engine: it owns the model from the first request to the end, and steps it.

Knows where a request goes, not how it is answered: `batch` answers many together, `one_by_one` each alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeAlias

import torch

from swift.llm.engine.batch import Batch
from swift.llm.engine.flat import FlatModel
from swift.llm.engine.inbox import Inbox
from swift.llm.engine.inflight import InFlight
from swift.llm.engine.loaded import Loaded
from swift.llm.engine.one_by_one import OneByOne
from swift.llm.engine.outbox import Outbox
from swift.llm.engine.protocol import Constraint, EngineStats, GenerateRequest, Limits, Step, check_request
from swift.llm.engine.sampling import Sampler
from swift.llm.engine.schedule import Running
from swift.utils.errors import EngineError

__all__ = ["Sink", "Worker"]

Sink: TypeAlias = Callable[[Step | Exception], None]
"""Takes the steps of one request, or the error that ends it; called in the thread."""


class Worker:
    """One model, its requests and its thread. ``limits``: what it can do, known once the model was tried.

    ``batch``: what answers requests together; None where this model cannot.
    """

    def __init__(
        self, model: Any, limits: Limits, max_batch: int, max_step_tokens: int, max_cached_tokens: int | None
    ) -> None:
        self._model = model
        self._was_training = model.training
        model.eval()
        self._vocabulary: int = model.config.get_text_config().vocab_size
        # Mllama reads ids that it never writes: they stand for images, behind the vocabulary.
        self._readable: int = getattr(model.get_input_embeddings(), "num_embeddings", self._vocabulary)
        self._inbox, self.outbox, self._in_flight = Inbox(), Outbox(), InFlight()
        flat = FlatModel.of(model)
        self.batch: Batch | None = None
        self._loaded: Loaded | None = None
        if flat is not None:
            self.batch = Batch(model, flat, self._in_flight, limits, max_batch, max_step_tokens, max_cached_tokens)
            self._loaded = Loaded(flat.layers, self.batch.cache, self._in_flight)
        self._one_by_one = OneByOne(model, flat, self._in_flight, self._meanwhile)
        self.limits = self.batch.limits if self.batch is not None else limits
        # A daemon: a program that forgets to close must still be able to end.
        self._thread = threading.Thread(target=self._run, name="swift-engine", daemon=True)
        self._thread.start()

    def submit(
        self, request: GenerateRequest, emit: Sink, constraint: Constraint | None = None, *, only_score: bool = False
    ) -> None:
        """Queue a request; ``only_score``: its prompt is read, nothing is answered. Raises EngineError if it cannot be honoured."""
        limit = len(request.prompt) if only_score else check_request(request, self.limits)
        _check_more(request, self._vocabulary, self._readable)
        item = Running(request, limit, emit, Sampler(request.sampling, request.prompt, self._vocabulary, constraint))
        # Under one lock: an adapter whose name is found here cannot be gone before the request is in flight.
        with self._inbox.open() as put:
            if request.adapter is not None:
                item.adapter = self._adapters().number(request.adapter)
            self._in_flight.enter(item)
            put(lambda: self._place(item))

    def _place(self, item: Running) -> None:
        if self.batch is not None and self.batch.takes(item):
            self.batch.schedule.add(item)
        else:
            self._one_by_one.add(item)

    def abort(self, request_id: str) -> None:
        """End a request between two steps; an unknown one is none to end."""
        self._inbox.post(lambda: self._in_flight.abort(request_id))

    def embed(self, sequence: Sequence[int], pooling: str) -> Future[list[float]]:
        """One vector of a sequence, made between two steps."""
        return self._inbox.call(self._one_by_one.embed, sequence, pooling)

    def load(self, name: str, folder: str) -> Future[None]:
        """Lay an adapter beside the layers, between two steps. Raises EngineError where it does not fit."""
        return self._inbox.call(self._adapters().load, name, folder)

    def unload(self, name: str) -> Future[None]:
        """Refuse ``name`` from now on; done once nobody uses it any more. Raises EngineError for an unknown one."""
        future: Future[None] = Future()
        loaded = self._adapters()
        with self._inbox.open() as put:
            number = loaded.forget(name)
            put(lambda: loaded.retire(number, future))
        return future

    def _adapters(self) -> Loaded:
        if self._loaded is None:
            raise EngineError("requests to this model are answered one at a time: it takes no adapters by name.")
        return self._loaded

    def stats(self) -> EngineStats:
        """Where it stands; from any thread, so that figures may be one step apart."""
        running = min(len(self._one_by_one), 1) + (len(self.batch.schedule.running) if self.batch is not None else 0)
        return replace(
            self._in_flight.counted,
            num_running=running,
            num_waiting=max(len(self._in_flight) - running, 0),
            cache_used=self.batch.cache.used if self.batch is not None else 0.0,
        )

    def shutdown(self) -> None:
        """End all requests and the thread; a second call only waits."""
        self._inbox.close()
        self._thread.join()

    # --- in the thread

    def _run(self) -> None:
        # no_grad, not inference_mode: buffers that rope scaling replaces in a forward must stay usable for training.
        with torch.no_grad():
            while self._do_jobs(wait=True):
                if self.batch is not None and self.batch.schedule:
                    self.batch.step()
                if self._one_by_one:
                    self._one_by_one.answer_next()
                self._tell()
        self._in_flight.abort_all()
        self._tell()
        if self.batch is not None:
            self.batch.close()
        self._model.train(self._was_training)

    def _do_jobs(self, *, wait: bool) -> bool:
        """Do what came in; ``wait`` for it while there is nothing to answer. False: the engine is to end."""
        while not self._inbox.is_ended:
            job = self._inbox.take(wait=wait and not self._in_flight)
            if job is None:
                return True
            job()
            self._tell()
        return False

    def _meanwhile(self) -> bool:
        """Between two tokens of a request that is answered alone: all others go on by one step."""
        goes_on = self._do_jobs(wait=False)
        if goes_on and self.batch is not None and self.batch.schedule:
            with self.batch.flat.cached_attention():
                self.batch.step()
        self._tell()
        return goes_on

    def _tell(self) -> None:
        """After each change: what became free goes, what was made is sent."""
        if self._loaded is not None:
            self._loaded.sweep()
        self.outbox.flush()


def _check_more(request: GenerateRequest, vocabulary: int, readable: int) -> None:
    """What only this engine refuses. Raises EngineError."""
    sampling = request.sampling
    strange = [token for token in request.prompt if not 0 <= token < readable]
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
