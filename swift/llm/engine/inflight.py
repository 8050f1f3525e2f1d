"""The requests between their submission and their last step: what they are told, and what of it is counted.

Knows no model, and of where a request stands only that it can be taken out of there.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from swift.llm.engine.failures import readable
from swift.llm.engine.protocol import EngineStats, Step
from swift.llm.engine.schedule import Running
from swift.utils.errors import EngineError

__all__ = ["InFlight"]


class InFlight:
    """`enter` and `len` may be called from anywhere, all else belongs to the engine's thread.

    ``counted``: tokens of prompts and answers so far; the other fields of it are not filled.
    """

    def __init__(self) -> None:
        self._items: dict[str, Running] = {}
        self._lock = threading.Lock()
        self.counted = EngineStats()

    def __len__(self) -> int:
        return len(self._items)

    def enter(self, item: Running) -> None:
        """Take a request in. Raises EngineError where another of its id is in flight."""
        with self._lock:
            if item.request.id in self._items:
                raise EngineError(f"request {item.request.id!r} is running already; ids must differ.")
            self._items[item.request.id] = item

    def holds(self, item: Running) -> bool:
        """Whether it has not left yet."""
        return self._items.get(item.request.id) is item

    def uses(self, adapter: int) -> bool:
        """Whether a request is answered with this adapter."""
        with self._lock:
            return any(item.adapter == adapter for item in self._items.values())

    def send(self, item: Running, step: Step) -> None:
        """The next step of a request; it leaves with the last one."""
        is_first, item.is_told = not item.is_told, True
        if is_first:
            step = replace(step, prompt_logprobs=tuple(item.prompt_logprobs), num_reused=item.num_reused)
        self.counted = replace(
            self.counted,
            prompt_tokens=self.counted.prompt_tokens + is_first * len(item.request.prompt),
            reused_tokens=self.counted.reused_tokens + is_first * item.num_reused,
            answer_tokens=self.counted.answer_tokens + len(step.token_ids),
        )
        if step.finish is not None:
            self._leave(item)
        item.emit(step)

    def drop(self, item: Running, error: Exception) -> None:
        """End a request with an error; what it read is not kept."""
        self._leave(item, keep=False)
        item.emit(readable(error))

    def abort(self, request_id: str) -> None:
        """End a request, if it is in flight."""
        item = self._items.get(request_id)
        if item is not None and item.queue is not None:  # without a place it came after the wish: another of this id
            self._leave(item)
            item.emit(Step((), "abort"))

    def abort_all(self) -> None:
        """End all requests."""
        for request_id in list(self._items):
            self.abort(request_id)

    def _leave(self, item: Running, *, keep: bool = True) -> None:
        assert item.queue is not None, "whoever is answered stands in a queue"
        item.queue.remove(item, keep=keep)
        with self._lock:
            del self._items[item.request.id]
