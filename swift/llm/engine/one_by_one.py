"""Requests that are answered one after the other, each alone with the model: what cannot go into a flat batch.

Belongs to the engine's thread. How one is answered is in `alone`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from swift.llm.engine.alone import embed_alone, generate_alone, score_alone
from swift.llm.engine.flat import FlatModel
from swift.llm.engine.inflight import InFlight
from swift.llm.engine.protocol import Step
from swift.llm.engine.schedule import Running

__all__ = ["OneByOne"]


class OneByOne:
    """``flat`` is the same model for batches, where it can have them.

    ``meanwhile`` does what came in while ``model.generate`` holds the thread, and lets the batch go on; it is called at each
    token, and says False where all is to end.
    """

    def __init__(self, model: Any, flat: FlatModel | None, in_flight: InFlight, meanwhile: Callable[[], bool]) -> None:
        self._model, self._flat, self._in_flight, self._meanwhile = model, flat, in_flight, meanwhile
        self._items: deque[Running] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Running) -> None:
        """Queue a request."""
        item.queue = self
        self._items.append(item)

    def remove(self, item: Running, *, keep: bool = True) -> None:
        """Take a request out; ``keep`` is for queues that have a cache."""
        self._items.remove(item)

    def answer_next(self) -> None:
        """Answer the request that waits longest, from its first token to its last."""
        item = self._items[0]
        try:
            last = self._answer(item)
            if last is not None:
                self._in_flight.send(item, last)
        except Exception as error:
            if self._in_flight.holds(item):
                self._in_flight.drop(item, error)

    def _answer(self, item: Running) -> Step | None:
        """The last step; None where the request left before it."""
        request, goes_on = item.request, True

        def go_on(step: Step) -> bool:
            nonlocal goes_on
            if step.token_ids:
                self._in_flight.send(item, step)
            goes_on = self._meanwhile() and self._in_flight.holds(item)
            return goes_on

        with self._own_attention(item.adapter):
            if request.prompt_logprobs is not None:
                item.prompt_logprobs = score_alone(self._model, request.prompt, request.prompt_logprobs, request.media)
            if len(request.prompt) >= item.limit:
                return Step((), "length")
            last = generate_alone(self._model, item, go_on)
        return last if goes_on else None

    def embed(self, sequence: Sequence[int], pooling: str) -> list[float]:
        """One vector of a sequence."""
        with self._own_attention():
            return embed_alone(self._model, sequence, pooling)

    def _own_attention(self, adapter: int | None = None) -> AbstractContextManager[None]:
        return self._flat.own_attention(adapter) if self._flat is not None else nullcontext()
