"""The door: keys, the request log, and that whatever goes wrong behind it becomes one answer. Knows no route's body."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from swift.llm.serve.errors import ApiError, ClientGoneError, answer_error, to_api_error
from swift.llm.serve.site import Site
from swift.utils.log import logger

__all__ = ["ADMIN", "OPEN", "Gate", "is_known"]

OPEN = frozenset({"/health", "/ready", "/openapi.json"})
ADMIN = frozenset({"/v1/load_lora_adapter", "/v1/unload_lora_adapter"})
UNCOUNTED = frozenset({"/health", "/ready", "/metrics"})
GONE = 499  # what web servers log for a client that left; nobody is sent it


def is_known(key: bytes, digests: Sequence[str]) -> bool:
    """Whether a key's SHA-256 is among ``digests``; takes the same time wherever it stands, and if it does not."""
    given = hashlib.sha256(key).hexdigest()
    found = False
    for digest in digests:
        found |= hmac.compare_digest(given, digest)
    return found


class Gate:
    """ASGI, around the whole application."""

    def __init__(self, app: ASGIApp, site: Site, paths: Sequence[str]) -> None:
        self._app = app
        self._site = site
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return  # a web socket is refused by not being accepted
        if scope["path"] in UNCOUNTED:
            await self._guarded(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._site.desk.open():
            if not await self._guarded(scope, receive, watched):
                status = GONE
                self._site.metrics.num_gone += 1
        seconds = time.monotonic() - started
        path = scope["path"] if scope["path"] in self._paths else "other"
        self._site.metrics.responses[path, status] += 1
        self._site.metrics.request.observe(seconds)
        if self._site.http.log_requests:
            client = scope.get("client") or ("-", 0)
            logger.info(
                "%s %s %d %.2f s from %s", scope["method"], quote(scope["path"])[:200], status, seconds, client[0]
            )

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """False: the client left."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            self._check_key(scope)
            await self._app(scope, receive, noted)
        except ClientGoneError:
            return False
        except Exception as error:
            told = to_api_error(error)
            if told.status == 500:
                logger.exception("%s %s failed", scope["method"], quote(scope["path"])[:200])
            if not begun:
                await answer_error(told)(scope, receive, send)
        return True

    def _check_key(self, scope: Scope) -> None:
        """Raises ApiError 401."""
        keys = self._site.http.keys
        if scope["path"] in OPEN or scope["method"] == "OPTIONS":
            return
        wanted = (keys.admin,) if scope["path"] in ADMIN else keys.clients
        if scope["path"] in ADMIN and keys.admin is None:
            raise ApiError(
                401, "this server has no admin key. Start it with --admin_api_key_file.", code="invalid_api_key"
            )
        if not wanted:
            return
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        kind, _, key = given.partition(b" ")
        if kind.lower() != b"bearer" or not is_known(key.strip(), [one for one in wanted if one is not None]):
            why = "no key was sent" if not given else "the key is not known"
            raise ApiError(401, f"{why}. Send the header Authorization: Bearer <key>.", code="invalid_api_key")
