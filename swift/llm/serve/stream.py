"""Reading a request's body within its bounds, and writing an answer as events while the engine goes on. Knows no field by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from swift.llm.serve.desk import Desk
from swift.llm.serve.errors import ApiError, ClientGoneError, answer_error, error_event, to_api_error
from swift.utils.log import logger

__all__ = ["EventStream", "read"]

ModelT = TypeVar("ModelT", bound=BaseModel)
BODY_TIMEOUT_S = 60.0
LONG = 2**16  # bytes of a body from which on whatever is made of it is made in a thread
LINGER = 4 * 2**20
AT_ONCE = 2**16
MAX_UNREAD = 8 * 2**20
"""Bytes of one answer that wait for a client to read them; one that lets more pile up is cut off."""


async def read(http: Request, model: type[ModelT], max_bytes: int) -> ModelT:
    """The body as ``model``. Raises ApiError 413 as soon as it is too long, ValidationError, ClientGoneError."""
    if http.headers.get("content-encoding", "identity") != "identity":
        raise ApiError(400, "Content-Encoding: compressed bodies are not read.", code="unsupported_encoding")
    try:
        body = await asyncio.wait_for(_bytes(http, max_bytes), BODY_TIMEOUT_S)
    except TimeoutError:
        raise ApiError(
            400, f"the body did not arrive within {BODY_TIMEOUT_S:g} seconds.", code="body_timeout", headers={"Connection": "close"}
        ) from None  # fmt: skip
    except ClientDisconnect:
        raise ClientGoneError from None
    http.state.is_long = len(body) > LONG
    return model.model_validate_json(body)


async def _bytes(http: Request, max_bytes: int) -> bytes:
    """The body; nothing over its limit is kept. A client in the middle of sending would not see the answer if the connection
    were closed under it, so that a little more is read and thrown away.
    """
    too_long = ApiError(
        413, f"the body is longer than {max_bytes:,} bytes.", code="body_too_large", headers={"Connection": "close"}
    )
    told = http.headers.get("content-length", "")
    if told.isdecimal() and (int(told) > max_bytes + LINGER or ("expect" in http.headers and int(told) > max_bytes)):
        raise too_long
    parts: list[bytes] = []
    size = 0
    async for part in http.stream():
        size += len(part)
        if size <= max_bytes:
            parts.append(part)
            continue
        parts.clear()
        if size > max_bytes + LINGER:
            break
    if size > max_bytes:
        raise too_long
    return b"".join(parts)


def last_events(error: ApiError) -> bytes:
    """How a stream of chat or of a completion ends with an error."""
    return error_event(error) + b"data: [DONE]\n\n"


class EventStream(Response):
    """Server-sent events. What goes wrong before the first one is an error response; afterwards it is an event.

    Writing to the client and making events are two tasks, so that a slow reader holds no place in the engine. ``failed``: the
    last events of a stream that ends with an error.
    """

    def __init__(
        self, events: AsyncIterator[bytes], desk: Desk, failed: Callable[[ApiError], bytes] = last_events
    ) -> None:
        super().__init__(media_type="text/event-stream; charset=utf-8", headers={"Cache-Control": "no-cache"})
        del self.headers["content-length"]
        self._events = events
        self._desk = desk
        self._failed = failed
        self._has_begun = False
        self._unread = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        try:
            await self._desk.attend(receive, self._write(send))
        except ClientGoneError:
            raise
        except Exception as error:
            told = to_api_error(error)
            if told.status == 500:
                logger.exception("an answer failed", exc_info=error)
            if not self._has_begun:
                await answer_error(told)(scope, receive, send)
                return
            await _body(send, self._failed(told), is_last=True)

    async def _write(self, send: Send) -> None:
        waiting: list[bytes] = []
        news = asyncio.Event()
        pump = asyncio.create_task(self._pump(waiting, news))
        try:
            while True:
                await news.wait()
                news.clear()
                is_last = pump.done()
                piece = b"".join(waiting)
                waiting.clear()
                self._unread = 0
                if is_last and pump.exception() is not None:
                    if piece:
                        await self._send(send, piece)
                    await pump
                await self._send(send, piece, is_last=is_last)
                if is_last:
                    return
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)

    async def _pump(self, waiting: list[bytes], news: asyncio.Event) -> None:
        asyncio.current_task().add_done_callback(lambda _: news.set())  # type: ignore[union-attr]
        async with aclosing(self._events) as events:  # type: ignore[type-var]
            async for event in events:
                waiting.append(event)
                self._unread += len(event)
                if self._unread > MAX_UNREAD:
                    raise ClientGoneError
                news.set()

    async def _send(self, send: Send, piece: bytes, *, is_last: bool = False) -> None:
        if not self._has_begun:
            self._has_begun = True
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for start in range(0, len(piece), AT_ONCE):  # whatever is handed over at once the connection must hold
            await _body(send, piece[start : start + AT_ONCE], is_last=False)
        if is_last:
            await _body(send, b"", is_last=True)


async def _body(send: Send, piece: bytes, *, is_last: bool) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": not is_last})
