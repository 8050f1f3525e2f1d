"""One answer as server-sent events, with as little as can be between the socket and the event.

A whole HTTP client spends more on each token of an answer than all that our server does with it; `h11` reads the protocol, the
rest is asyncio's own. One connection an answer: closing it is what tells the engine that nobody waits any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

import h11

__all__ = ["Arrival", "RefusedError", "Wire", "open_wire"]


class RefusedError(Exception):
    """An answer that is no stream: its status and its body."""

    def __init__(self, status: int, content: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.content = content


Arrival: TypeAlias = bytes | Exception
"""What comes of an event (the text behind ``data:``), or last of all the error that ended the stream."""


async def open_wire(
    url: str, body: bytes, headers: Mapping[str, str], on_arrival: Callable[[Arrival], None]
) -> asyncio.Transport:
    """Send a JSON body to ``url`` and give every event of the answer to ``on_arrival``; returns what to close.

    The stream's end, however it comes, arrives as an exception: `RefusedError` for a status other than 200, EOFError for a whole
    answer, OSError or h11.RemoteProtocolError for a broken one. Raises OSError where nobody can be reached.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    transport, wire = await asyncio.get_running_loop().create_connection(
        lambda: Wire(on_arrival), parts.hostname or "", parts.port or (443 if secure else 80), ssl=secure or None
    )
    told = {"host": parts.netloc, "content-type": "application/json", "content-length": str(len(body)), **headers}
    transport.write(wire.request(parts.path or "/", list(told.items()), body))
    return transport


class Wire(asyncio.Protocol):
    """The reading end of one connection."""

    def __init__(self, on_arrival: Callable[[Arrival], None]) -> None:
        self._arrive = on_arrival
        self._http = h11.Connection(h11.CLIENT)
        self._status = 0
        self._rest = b""  # of a line that is not whole yet, or of an error's body
        self._has_ended = False

    def request(self, path: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
        """The bytes of a POST."""
        events = (h11.Request(method="POST", target=path, headers=headers), h11.Data(data=body), h11.EndOfMessage())
        return b"".join(self._http.send(event) or b"" for event in events)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._has_ended:
            return
        self._http.receive_data(data)
        try:
            while (event := self._http.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Data):
                    self._take(bytes(event.data))
                elif isinstance(event, h11.Response):
                    self._status = event.status_code
                elif isinstance(event, h11.EndOfMessage):
                    self._end(
                        EOFError("the stream ended") if self._status == 200 else RefusedError(self._status, self._rest)
                    )
                    return
        except h11.RemoteProtocolError as error:
            self._end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._end(exc or ConnectionResetError("the connection was closed in the middle of an answer"))

    def _take(self, data: bytes) -> None:
        if self._status != 200:
            self._rest += data
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            # Others are the empty line between events, and comments that keep a connection alive.
            if line.startswith(b"data:"):
                self._arrive(line[5:].strip())

    def _end(self, error: Exception) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._arrive(error)
