"""Who takes part in the next step: continuous batching as plain bookkeeping. Knows no tensor and no model.

Requests join and leave at every step. Those that are answering bring one token each; what is left of the step's budget
goes to prompts, in the order they came. When the caches are full, the youngest request gives its cache up and is read
again later: its answer is the same, only later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from swift.llm.engine.protocol import GenerateRequest, Step

__all__ = ["Running", "Schedule"]


class Running:
    """One request in flight. ``tokens`` are prompt and answer; the first ``cached`` of them are in ``cache``.

    ``limit`` bounds ``tokens``; ``emit`` takes its steps, or the error that ends it. ``cache`` and ``sampler`` are the
    engine's; only the cache is lost when the request has to make room.
    """

    __slots__ = ("cache", "cached", "emit", "limit", "request", "sampler", "tokens")

    def __init__(
        self, request: GenerateRequest, limit: int, emit: Callable[[Step | Exception], None], sampler: Any = None
    ) -> None:
        self.request, self.limit, self.emit, self.sampler = request, limit, emit, sampler
        self.tokens = list(request.prompt)
        self.cached = 0
        self.cache: Any = None

    @property
    def pending(self) -> int:
        """Tokens that the model has not read yet."""
        return len(self.tokens) - self.cached


class Schedule:
    """Waiting and running requests under three bounds: requests at once, tokens a step, tokens in all caches.

    ``whole_prompts``: a prompt is read in one step however long it is (for models whose positions depend on its length).
    """

    def __init__(
        self, max_running: int, max_step_tokens: int, max_cached_tokens: int | None, whole_prompts: bool = False
    ) -> None:
        self.waiting: deque[Running] = deque()
        self.running: list[Running] = []
        self._max_running = max_running
        self._max_step_tokens = max_step_tokens
        self._max_cached = max_cached_tokens
        self._whole_prompts = whole_prompts

    def __len__(self) -> int:
        return len(self.waiting) + len(self.running)

    def add(self, item: Running) -> None:
        """Queue a request."""
        self.waiting.append(item)

    def find(self, request_id: str) -> Running | None:
        """The request of this id, if it is in flight."""
        return next((item for item in (*self.running, *self.waiting) if item.request.id == request_id), None)

    def remove(self, item: Running) -> None:
        """Take a request out, wherever it is."""
        if item in self.running:
            self.running.remove(item)
        else:
            self.waiting.remove(item)

    def forget(self, item: Running) -> None:
        """Give up a request's cache; it is read again from its first token."""
        item.cached, item.cache = 0, None

    def next_step(self) -> list[tuple[Running, int]]:
        """Who reads how many tokens now; empty only when nobody is in flight."""
        self._make_room()
        step = [(item, 1) for item in self.running if item.pending == 1]
        budget = self._max_step_tokens - len(step)
        for item in self.running:
            if item.pending > 1 and (budget > 0 or not step):
                step.append((item, self._share(item, budget)))
                budget -= step[-1][1]
        while self.waiting and len(self.running) < self._max_running and (budget > 0 or not step):
            item = self.waiting[0]
            if self.running and self._max_cached is not None and self._held() + item.pending > self._max_cached:
                break
            self.running.append(self.waiting.popleft())
            step.append((item, self._share(item, budget)))
            budget -= step[-1][1]
        return step

    def _share(self, item: Running, budget: int) -> int:
        return item.pending if self._whole_prompts else min(item.pending, max(budget, 1))

    def _held(self) -> int:
        """Tokens that the running requests hold or are about to: all they have now."""
        return sum(len(item.tokens) for item in self.running)

    def _make_room(self) -> None:
        """Send the youngest back to the queue until the caches fit; the oldest always stays, so that all end."""
        while self._max_cached is not None and len(self.running) > 1 and self._held() > self._max_cached:
            item = self.running.pop()
            self.forget(item)
            self.waiting.appendleft(item)
