"""Jobs for the engine's thread: they come from anywhere and are done between two steps, in the order they came."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeAlias

from swift.llm.engine.failures import readable
from swift.utils.errors import EngineError

__all__ = ["Inbox", "Job"]

Job: TypeAlias = Callable[[], None]


class Inbox:
    """`take` belongs to the thread, all else to everybody.

    ``is_ended``: the thread came to where `close` was called; what had been put in before it is done.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self.is_ended = False

    @contextmanager
    def open(self) -> Iterator[Callable[[Job], None]]:
        """Put jobs in, and nobody else meanwhile. Raises EngineError once it is closed."""
        with self._lock:
            if self._is_closed:
                raise EngineError("the engine is closed.")
            yield self._jobs.put

    def post(self, job: Job) -> None:
        """Put a job in; once it is closed, nothing happens."""
        with self._lock:
            if not self._is_closed:
                self._jobs.put(job)

    def call(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Let the thread call ``function``, and have its result. Raises EngineError once it is closed."""
        future: Future[Any] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function(*args))
            except Exception as error:
                future.set_exception(readable(error))

        with self.open() as put:
            put(job)
        return future

    def close(self) -> None:
        """Take nothing more."""
        with self._lock:
            self._is_closed = True
            self._jobs.put(self._end)

    def _end(self) -> None:
        self.is_ended = True

    def take(self, *, wait: bool) -> Job | None:
        """The next job; None where there is none and nobody is to ``wait``."""
        try:
            return self._jobs.get(block=wait)
        except queue.Empty:
            return None
