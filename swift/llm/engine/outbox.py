"""Steps from the engine's thread to event loops: what one step made crosses to a loop in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from swift.llm.engine.protocol import Step

__all__ = ["Outbox"]


class Outbox:
    """Collects events until `flush`. `sink` may be called from a loop; all else belongs to the engine's thread."""

    def __init__(self) -> None:
        self._waiting: dict[
            asyncio.AbstractEventLoop, list[tuple[asyncio.Queue[Step | Exception], Step | Exception]]
        ] = {}

    def sink(
        self, loop: asyncio.AbstractEventLoop, events: asyncio.Queue[Step | Exception]
    ) -> Callable[[Step | Exception], None]:
        """Where a request's events go: into ``events``, at the next flush."""

        def emit(event: Step | Exception) -> None:
            self._waiting.setdefault(loop, []).append((events, event))

        return emit

    def flush(self) -> None:
        """Send what was collected: waking a loop costs more than a token, so once a loop and step."""
        waiting, self._waiting = self._waiting, {}
        for loop, pairs in waiting.items():
            with suppress(RuntimeError):  # the loop was closed under a running request: nobody is left to tell
                loop.call_soon_threadsafe(_deliver, pairs)


def _deliver(pairs: list[tuple[asyncio.Queue[Step | Exception], Step | Exception]]) -> None:
    for events, event in pairs:
        events.put_nowait(event)
