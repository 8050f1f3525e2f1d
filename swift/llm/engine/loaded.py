"""Which adapters can be asked for by name, and when one that was unloaded may go."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from itertools import count

from swift.llm.engine.adapters import Layers
from swift.llm.engine.cache import Cache
from swift.llm.engine.inflight import InFlight
from swift.utils.errors import EngineError

__all__ = ["Loaded"]


class Loaded:
    """Each adapter has a number of its own, never given again: a name may come back for other factors.

    `number` and `forget` may be called from anywhere, all else belongs to the engine's thread.
    """

    def __init__(self, layers: Layers, cache: Cache, in_flight: InFlight) -> None:
        self._layers, self._cache, self._in_flight = layers, cache, in_flight
        self._names: dict[str, int] = {}
        self._leaving: dict[int, Future[None] | None] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()

    def number(self, name: str) -> int:
        """The adapter of this name. Raises EngineError for an unknown one."""
        with self._lock:
            if name not in self._names:
                raise EngineError(_unknown(name, self._names))
            return self._names[name]

    def load(self, name: str, folder: str) -> None:
        """Lay an adapter beside the layers. Raises EngineError where it does not fit, or its name is taken."""
        if name in self._names:
            raise EngineError(f"adapter {name!r} is loaded already; unload it first, or take another name.")
        number = next(self._numbers)
        self._layers.add(number, folder)
        with self._lock:
            self._names[name] = number

    def forget(self, name: str) -> int:
        """Take a name away; its adapter is still there for the requests that have it. Raises EngineError for an unknown one."""
        with self._lock:
            if name not in self._names:
                raise EngineError(_unknown(name, self._names))
            return self._names.pop(name)

    def retire(self, number: int, future: Future[None]) -> None:
        """Let an adapter without a name go as soon as nobody uses it, and say so to ``future``."""
        # From here on it cannot be cancelled; whoever gave up waiting before is not told, and the adapter goes all the same.
        self._leaving[number] = future if future.set_running_or_notify_cancel() else None

    def sweep(self) -> None:
        """Let those go that nobody uses any more."""
        for number in [number for number in self._leaving if not self._in_flight.uses(number)]:
            self._remove(number, self._leaving.pop(number))

    def _remove(self, number: int, future: Future[None] | None) -> None:
        self._layers.remove(number)
        self._cache.drop(lambda key: isinstance(key, tuple) and key[0] == number)
        if future is not None:
            future.set_result(None)


def _unknown(name: str, loaded: dict[str, int]) -> str:
    return f"adapter {name!r} is not loaded; loaded are: {', '.join(sorted(loaded)) or 'none'}."
