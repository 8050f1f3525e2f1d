"""The images of one request: what may be one, the text that stands for each, and their bytes from other machines."""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import replace

from swift.llm.core import Conversation, Media
from swift.llm.media.fetch import Network, fetch
from swift.llm.plan.deploy import HttpPlan
from swift.llm.serve.errors import ApiError, invalid, refused
from swift.llm.serve.schema import ImageUrl
from swift.utils.errors import DataError

__all__ = ["Pictures", "fetched"]

TAG = "<image>"
INLINE = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)


class Pictures:
    """Collects the images of a request in the order in which they stand. Each has a tag that no client can guess, so that
    whatever else a client writes stays text.

    ``listed``: those of the field ``images``, which stand where a user's text says ``<image>``; None: it says nothing.
    """

    def __init__(self, http: HttpPlan, listed: Sequence[str] | None = None) -> None:
        self._http = http
        self._listed = listed
        self._next = 0
        self._media: list[Media] = []
        self.places: dict[str, str] = {}
        """Tag to the field that the image came in."""

    def taken(self, given: ImageUrl | str | None, place: str) -> str:
        """What stands for this image in the text. Raises ApiError for what is no image that this server reads."""
        if given is None:
            raise invalid(place, "is missing.")
        url, detail = (given, None) if isinstance(given, str) else (given.url, given.detail)
        if detail == "low":
            raise refused(f"{place}.detail", "images are read in one size. Leave it out, or send a smaller image.")
        if len(self._media) == self._http.max_images:
            raise invalid(place, f"a request has at most {self._http.max_images} images here.")
        head = url[:64].lower()
        if head.startswith("data:"):
            if not INLINE.match(url):
                raise invalid(place, "is no data URL of an image, as data:image/png;base64,…")
        elif not head.startswith(("https://", "http://")):
            raise refused(place, "is neither a data URL nor an https address. Files of the server are not read.")
        elif not self._http.allowed_image_hosts:
            raise refused(place, "this server fetches no images. Send it as a data URL (data:image/png;base64,…).")
        tag = f"image-{secrets.token_hex(16)}"
        self._media.append(Media("image", url, tag))
        self.places[tag] = place
        return tag

    def placed(self, text: str) -> str:
        """A user's text with the listed images where it says ``<image>``."""
        if self._listed is None or TAG not in text:
            return text
        first, *others = text.split(TAG)
        out = [first]
        for other in others:
            if self._next == len(self._listed):
                raise invalid("images", f"{len(self._listed)} of them, and the users' texts have more {TAG}.")
            out += [self.taken(self._listed[self._next], f"images.{self._next}"), other]
            self._next += 1
        return "".join(out)

    def whole(self) -> tuple[Media, ...]:
        """All of them. Raises ApiError where listed ones have no place."""
        if self._next < len(self._listed or ()):
            raise invalid("images", f"{len(self._listed or ())} of them, and the users' texts have {self._next} {TAG}.")
        return tuple(self._media)


async def fetched(
    conversation: Conversation, pictures: Pictures, http: HttpPlan, turns: asyncio.Semaphore, network: Network
) -> Conversation:
    """The conversation with all images as data URLs: those at an address are fetched, one after the other.

    Together they may be as long as a body, as if they had come in it. Raises ApiError.
    """
    room, known = http.max_body_bytes, dict[str, str]()
    media = []
    for one in conversation.media:
        if one.source[:5].lower() != "data:" and one.source not in known:
            try:
                async with turns:
                    data = await fetch(
                        one.source, hosts=http.allowed_image_hosts, max_bytes=room, timeout_s=http.image_timeout_s,
                        network=network,
                    )  # fmt: skip
            except DataError as error:
                raise unreadable(error, pictures.places[one.tag or ""]) from None
            room -= len(data)
            known[one.source] = "data:image/unknown;base64," + base64.b64encode(data).decode()
        media.append(replace(one, source=known.get(one.source, one.source)))
    return replace(conversation, media=tuple(media))


def unreadable(error: DataError, place: str) -> ApiError:
    """An image that cannot be had or read, as an error of the field it came in."""
    return ApiError(400, f"{place}: {error}", param=place, code="invalid_image")
