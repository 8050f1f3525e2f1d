"""Who takes part in the next step: continuous batching as plain bookkeeping. Knows no tensor and no model.

Requests join and leave at every step. Those that are answering bring one token each; what is left of the step's budget
goes to prompts, in the order they came. When the cache is full, the youngest request gives its block up and is read
again later: its answer is the same, only later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from swift.llm.engine.cache import Cache, Held
from swift.llm.engine.protocol import GenerateRequest, Step, TokenLogprob

__all__ = ["Queue", "Running", "Schedule"]

_SLICE = 256  # tokens of a prompt read at once whose log-probabilities are wanted: each has a whole row of logits


class Queue(Protocol):
    """Where a request stands until it ends."""

    def remove(self, item: Running, *, keep: bool = True) -> None:
        """Take it out, wherever it is; ``keep`` what was read for those that begin alike."""


class Running:
    """One request in flight. ``tokens`` are prompt and answer; the first ``cached`` of them are in ``held``.

    ``limit`` bounds ``tokens``; ``emit`` takes its steps, or the error that ends it. ``sampler`` is the engine's, ``queue``
    is where it stands, once it does; ``num_reused`` and ``prompt_logprobs`` wait here for the first step, ``is_told`` once it
    went out. Only what is cached is lost when it has to make room.
    """

    __slots__ = (
        "adapter", "emit", "held", "is_told", "limit", "num_reused", "prompt_logprobs", "queue", "request", "sampler",
        "tokens",
    )  # fmt: skip

    def __init__(
        self, request: GenerateRequest, limit: int, emit: Callable[[Step | Exception], None], sampler: Any = None
    ) -> None:
        self.request, self.limit, self.emit, self.sampler = request, limit, emit, sampler
        self.tokens = list(request.prompt)
        self.queue: Queue | None = None
        self.held: Held | None = None
        self.adapter: int | None = None
        self.num_reused = 0
        self.is_told = False
        self.prompt_logprobs: list[TokenLogprob] = []

    @property
    def cached(self) -> int:
        """Tokens that the model has read."""
        return self.held.count if self.held is not None else 0

    @property
    def pending(self) -> int:
        """Tokens that the model has not read yet."""
        return len(self.tokens) - self.cached

    @property
    def wants_prompt(self) -> bool:
        """Whether log-probabilities of the prompt are still to be found: all of it must be read."""
        asked = self.request.prompt_logprobs is not None
        return asked and len(self.prompt_logprobs) < len(self.request.prompt) - 1


class Schedule:
    """Waiting and running requests under three bounds: requests at once, tokens a step, room in the cache.

    ``whole_prompts``: a prompt is read in one step however long it is (for models whose positions depend on its length).
    ``key_of``: what the cached values of a request depend on beside its tokens; where it changes, they are read again.
    """

    def __init__(
        self,
        cache: Cache,
        max_running: int,
        max_step_tokens: int,
        *,
        whole_prompts: bool = False,
        key_of: Callable[[Running], Hashable | None] = lambda item: (item.adapter,),
    ) -> None:
        self.waiting: deque[Running] = deque()
        self.running: list[Running] = []
        self._cache = cache
        self._max_running = max_running
        self._max_step_tokens = max_step_tokens
        self._whole_prompts = whole_prompts
        self._key_of = key_of

    def __len__(self) -> int:
        return len(self.waiting) + len(self.running)

    def add(self, item: Running) -> None:
        """Queue a request."""
        item.queue = self
        self.waiting.append(item)

    def find(self, request_id: str) -> Running | None:
        """The request of this id, if it is in flight."""
        return next((item for item in (*self.running, *self.waiting) if item.request.id == request_id), None)

    def remove(self, item: Running, *, keep: bool = True) -> None:
        """Take a request out, wherever it is; ``keep`` what it read for those that begin alike."""
        (self.running if item in self.running else self.waiting).remove(item)
        self._close(item, keep=keep)

    def next_step(self) -> list[tuple[Running, int]]:
        """Who reads how many tokens now; empty only when nobody is in flight."""
        self._make_room()
        step = [(item, 1) for item in self.running if item.pending == 1]
        budget = self._max_step_tokens - len(step)
        for item in self.running:
            if item.pending > 1 and (budget > 0 or not step):
                step.append((item, self._share(item, budget)))
                budget -= step[-1][1]
        later = []
        while self.waiting and len(self.running) < self._max_running and (budget > 0 or not step):
            item = self.waiting[0]
            if self.running and not item.wants_prompt and self._cache.awaits(item.tokens, self._key_of(item)):
                later.append(self.waiting.popleft())
                continue
            if not self._hold(item):
                break
            self.running.append(self.waiting.popleft())
            step.append((item, self._share(item, budget)))
            budget -= step[-1][1]
        self.waiting.extendleft(reversed(later))
        return step

    def _share(self, item: Running, budget: int) -> int:
        if self._whole_prompts:
            return item.pending
        return min(item.pending, max(budget, 1), _SLICE if item.wants_prompt else item.pending)

    def _hold(self, item: Running) -> bool:
        """Room for all of a request's tokens. False where there is none."""
        key = self._key_of(item)
        if item.held is not None and item.held.key != key:
            self._close(item, keep=True)
        if item.held is not None:
            return self._cache.grow(item.held, len(item.tokens))
        reusable = 0 if item.wants_prompt else len(item.tokens) - 1  # the last is read, for what comes after it
        item.held = self._cache.open(item.tokens, key, reusable)
        if len(item.tokens) == len(item.request.prompt):
            item.num_reused = item.cached
        return item.held is not None

    def _close(self, item: Running, *, keep: bool) -> None:
        if item.held is not None:
            self._cache.close(item.held, keep=keep)
            item.held = None

    def _make_room(self) -> None:
        """Send the youngest back to the queue until the others fit; the oldest always stays, so that all end."""
        for item in list(self.running):
            while item in self.running and not self._hold(item):
                youngest = self.running.pop()
                self._close(youngest, keep=False)
                self.waiting.appendleft(youngest)
