"""Who takes part in the next step: continuous batching as plain bookkeeping. Knows no tensor and no model.

Requests join and leave at every step. Those that are answering bring one token each; what is left of the step's budget
goes to prompts, in the order they came. When the cache is full, the youngest request gives its block up and is read
again later: its answer is the same, only later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from swift.llm.engine.cache import Cache, Held
from swift.llm.engine.protocol import GenerateRequest, Step, TokenLogprob

__all__ = ["PlaceError", "Queue", "Running", "Schedule", "Sight", "Store"]

_SLICE = 256  # tokens of a prompt read at once whose log-probabilities are wanted: each has a whole row of logits


class Queue(Protocol):
    """Where a request stands until it ends."""

    def remove(self, item: Running, *, keep: bool = True) -> None:
        """Take it out, wherever it is; ``keep`` what was read for those that begin alike."""


class Store(Protocol):
    """Where keys and values are, for those that have to leave it for a while."""

    def lift(self, start: int, count: int) -> Any:
        """A copy of ``count`` tokens from ``start`` on, kept elsewhere."""

    def put(self, start: int, layers: Any) -> None:
        """What `lift` gave, back from ``start`` on."""


@dataclass(slots=True)
class Sight:
    """The images of a prompt: ``name`` differs where they do, ``end`` is where the last of them ends in the prompt.

    ``media``: what the model reads of them, until it did; a prompt is read whole then.
    """

    name: str
    end: int
    media: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Aside:
    """The first ``count`` tokens of a request, out of the cache."""

    count: int
    offset: int
    values: Any


class Running:
    """One request in flight. ``tokens`` are prompt and answer; the first ``cached`` of them are in ``held``.

    ``limit`` bounds ``tokens``; ``emit`` takes its steps, or the error that ends it. ``sampler`` is the engine's, ``queue``
    is where it stands, once it does; ``num_reused`` and ``prompt_logprobs`` wait here for the first step, ``is_told`` once it
    went out. ``sight``: the images of one that is answered in steps. When it has to make room, what is cached of it is lost,
    or with images, which are not held any more, put ``aside``.
    """

    __slots__ = (
        "adapter", "aside", "emit", "held", "is_told", "limit", "num_reused", "prompt_logprobs", "queue", "request", "sampler",
        "sight", "tokens",
    )  # fmt: skip

    def __init__(
        self, request: GenerateRequest, limit: int, emit: Callable[[Step | Exception], None], sampler: Any = None
    ) -> None:
        self.request, self.limit, self.emit, self.sampler = request, limit, emit, sampler
        self.tokens = list(request.prompt)
        self.queue: Queue | None = None
        self.held: Held | None = None
        self.adapter: int | None = None
        self.sight: Sight | None = None
        self.aside: _Aside | None = None
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
    def is_unseen(self) -> bool:
        """Whether its images are still to be read."""
        return self.sight is not None and self.sight.media is not None

    @property
    def wants_prompt(self) -> bool:
        """Whether log-probabilities of the prompt are still to be found: all of it must be read."""
        asked = self.request.prompt_logprobs is not None
        return asked and len(self.prompt_logprobs) < len(self.request.prompt) - 1


class PlaceError(Exception):
    """What is cached of ``item`` could not be moved, for ``error``. It stands where it stood, and cannot be answered."""

    def __init__(self, item: Running, error: Exception) -> None:
        super().__init__(f"{item.request.id!r}: {error}")
        self.item, self.error = item, error


class Schedule:
    """Waiting and running requests under three bounds: requests at once, tokens a step, room in the cache.

    ``whole_prompts``: a prompt is read in one step however long it is (for models whose positions depend on its length).
    ``key_of``: what the cached values of a request depend on beside its tokens; where it changes, they are read again.
    ``store``: where they are; only prompts with images need it.
    """

    def __init__(
        self,
        cache: Cache,
        max_running: int,
        max_step_tokens: int,
        *,
        whole_prompts: bool = False,
        key_of: Callable[[Running], Hashable | None] = lambda item: (item.adapter,),
        store: Store | None = None,
    ) -> None:
        self.waiting: deque[Running] = deque()
        self.running: list[Running] = []
        self._cache = cache
        self._max_running = max_running
        self._max_step_tokens = max_step_tokens
        self._whole_prompts = whole_prompts
        self._key_of = key_of
        self._store = store

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
        """Who reads how many tokens now; empty only when nobody is in flight. Raises PlaceError, and may be called again."""
        self._make_room()
        step = [(item, 1) for item in self.running if item.pending == 1]
        budget = self._max_step_tokens - len(step)
        for item in self.running:
            if item.pending > 1 and (budget > 0 or not step):
                step.append((item, self._share(item, budget)))
                budget -= step[-1][1]
        later: list[Running] = []
        try:
            while self.waiting and len(self.running) < self._max_running and (budget > 0 or not step):
                item = self.waiting[0]
                if self.running and self._may_find(item) and self._cache.awaits(item.tokens, self._key_of(item)):
                    later.append(self.waiting.popleft())
                    continue
                if not self._hold(item):
                    break
                self.running.append(self.waiting.popleft())
                step.append((item, self._share(item, budget)))
                budget -= step[-1][1]
        finally:
            self.waiting.extendleft(reversed(later))
        return step

    def _share(self, item: Running, budget: int) -> int:
        if self._whole_prompts or item.is_unseen:
            return item.pending
        return min(item.pending, max(budget, 1), _SLICE if item.wants_prompt else item.pending)

    def _hold(self, item: Running) -> bool:
        """Room for all of a request's tokens. False where there is none. Raises PlaceError."""
        try:
            key = self._key_of(item)
            if item.held is not None and item.held.key != key:
                self._close(item, keep=True)
            if item.held is not None:
                return self._cache.grow(item.held, len(item.tokens))
            reusable = len(item.tokens) - 1 if self._may_find(item) else 0  # the last is read, for what comes after it
            item.held = self._cache.open(item.tokens, key, reusable, item.sight.end if item.sight is not None else 0)
            if len(item.tokens) == len(item.request.prompt) and item.aside is None:
                item.num_reused = item.cached
            if item.held is not None and item.sight is not None:
                self._find_images(item, item.held, item.sight)
            return item.held is not None
        except Exception as error:  # out of memory, for one: on a GPU, what comes back takes some while it does
            raise PlaceError(item, error) from error

    @staticmethod
    def _may_find(item: Running) -> bool:
        """Whether what others have read is of use to it."""
        return not item.wants_prompt and item.aside is None

    def _find_images(self, item: Running, held: Held, sight: Sight) -> None:
        """What is there of the images already is not read again."""
        if item.aside is not None:
            assert self._store is not None, "whoever was put aside was in it"
            self._store.put(held.block.start, item.aside.values)
            held.count, held.offset = item.aside.count, item.aside.offset
            item.aside = None
        if held.count:
            sight.media = None

    def _close(self, item: Running, *, keep: bool) -> None:
        if item.held is not None:
            self._cache.close(item.held, keep=keep)
            item.held = None

    def _make_room(self) -> None:
        """Send the youngest back to the queue until the others fit; the oldest always stays, so that all end."""
        for item in list(self.running):
            while item in self.running and not self._hold(item):
                youngest = self.running[-1]
                self._put_aside(youngest)
                self.running.pop()
                self._close(youngest, keep=False)
                self.waiting.appendleft(youngest)

    def _put_aside(self, item: Running) -> None:
        """Images that were read cannot be read again: what came of them leaves the cache as it is. Raises PlaceError."""
        if item.sight is None or item.is_unseen or item.held is None:
            return
        assert self._store is not None, "prompts with images are taken only where there is one"
        try:
            values = self._store.lift(item.held.block.start, item.cached)
        except Exception as error:
            raise PlaceError(item, error) from error
        item.aside = _Aside(item.cached, item.held.offset, values)
