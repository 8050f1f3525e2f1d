"""Who may come in, who is inside, and when the house closes: places, time-outs, clients that leave, the end. Knows no HTTP text."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from swift.llm.serve.errors import ApiError, ClientGoneError

__all__ = ["Desk"]

T = TypeVar("T")
Receive = Callable[[], Awaitable[Any]]


class Desk:
    """Counts answers under way and requests that are open; ends them when it is told to.

    ``max_answers``: answers that run or wait at the same time, over all requests; more are refused with 429.
    ``timeout_s``: the longest that one request may take, None without bound.
    """

    def __init__(self, max_answers: int, timeout_s: float | None) -> None:
        self.max_answers = max_answers
        self.timeout_s = timeout_s
        self.num_answers = 0
        self.num_open = 0
        self.is_draining = False
        self._ending = asyncio.Event()
        self._changed = asyncio.Event()

    @contextmanager
    def places(self, num: int) -> Iterator[None]:
        """Room for ``num`` answers. Raises ApiError 503 when the server is about to end, 429 when it is full."""
        if self.is_draining:
            raise ApiError(
                503, "the server is about to end and takes no more requests.", code="draining", headers={"Retry-After": "5"}
            )  # fmt: skip
        if num > self.max_answers:
            raise ApiError(400, f"n: {num} answers at once; this server gives at most {self.max_answers}.", param="n")
        if self.num_answers + num > self.max_answers:
            raise ApiError(
                429, f"{self.num_answers} answers run or wait already. Try again later.", code="queue_full",
                headers={"Retry-After": "1"},
            )  # fmt: skip
        self.num_answers += num
        try:
            yield
        finally:
            self.num_answers -= num

    @contextmanager
    def open(self) -> Iterator[None]:
        """A request that must be answered before the server may end."""
        self.num_open += 1
        try:
            yield
        finally:
            self.num_open -= 1
            self._changed.set()

    async def quiet(self) -> None:
        """Returns when no request is open."""
        while self.num_open:
            self._changed.clear()
            await self._changed.wait()

    def end(self) -> None:
        """End all requests that are open: each is told so."""
        self.is_draining = True
        self._ending.set()

    async def attend(self, receive: Receive, work: Awaitable[T]) -> T:
        """The result of ``work``, which is cancelled when the client leaves (ClientGoneError), when its time is over or when
        the server ends (ApiError 503).
        """
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(_until_gone(receive))
        ending = asyncio.ensure_future(self._ending.wait())
        others: tuple[asyncio.Future[Any], ...] = (gone, ending)
        try:
            await asyncio.wait((task, *others), timeout=self.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if gone.done():
                raise ClientGoneError
            if ending.done():
                raise ApiError(503, "the server ended before the answer did.", code="draining")
            raise ApiError(503, f"the answer took longer than {self.timeout_s:g} seconds.", code="timeout")
        finally:
            for one in (task, *others):
                one.cancel()
            await asyncio.gather(task, *others, return_exceptions=True)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
