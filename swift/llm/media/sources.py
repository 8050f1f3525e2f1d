"""Where a medium comes from, to its bytes: data URLs, files, addresses. Knows no picture.

Who asks decides what may be read: without a folder no file of this machine is, and addresses go through `fetch`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from swift.llm.core import Media
from swift.utils.errors import DataError

__all__ = ["MAX_BYTES", "located", "read_source", "shown"]

MAX_BYTES = 64 * 2**20
"""The largest file that is read: photographs have a few MiB."""
TIMEOUT_S = 30.0

_DATA = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)


def read_source(media: Media, *, root: Path | None) -> bytes:
    """The bytes of an image. ``root``: the folder that relative paths begin in; None: no file may be read.

    Waits for the network where the source is an address. Raises DataError.
    """
    if media.kind != "image":
        raise DataError(
            f"{shown(media.source)}: is a medium of kind {media.kind}, and this version answers about images only."
        )
    source = media.source.strip()
    if source[:5].lower() == "data:":
        return _inline(source)
    if source[:8].lower().startswith(("http://", "https://")):
        from swift.llm.media.fetch import fetch  # late: needs an HTTP client

        return asyncio.run(fetch(source, hosts=None, max_bytes=MAX_BYTES, timeout_s=TIMEOUT_S))
    if root is None:
        raise DataError(f"image {shown(source)}: files are not read here. Give a data URL.")
    return _file(root / _path(source), source)


def located(media: Media, folders: tuple[Path, ...]) -> Media:
    """The medium with a relative path made absolute: in the first of the folders that has it, else in the last."""
    source = media.source.strip()
    if re.match(r"(data|https?):", source, re.IGNORECASE):
        return media
    path = Path(_path(source)).expanduser()
    if not path.is_absolute():
        places = [folder / path for folder in folders]
        path = next((place for place in places if _is_file(place)), places[-1])
    return replace(media, source=str(path))


def shown(source: str) -> str:
    """A source as a message can hold it: data URLs have millions of letters."""
    return repr(source if len(source) <= 120 else source[:60] + "…")


def _path(source: str) -> str:
    return unquote(source[7:]) if source.startswith("file://") else source


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _inline(source: str) -> bytes:
    head = _DATA.match(source)
    if head is None:
        raise DataError(f"image {shown(source)}: is no data URL. Its form is data:image/png;base64,...")
    if head[1] and not head[1].lower().startswith(("image/", "application/octet-stream")):
        raise DataError(f"image {shown(source)}: is of type {head[1]}, and an image was expected.")
    body = source[head.end() :]
    if len(body) > 4 * MAX_BYTES // 3 + 4:
        raise DataError(f"image {shown(source)}: is larger than {MAX_BYTES // 2**20} MiB.")
    if ";base64" not in head[2].lower():
        return unquote_to_bytes(body)
    try:
        return base64.b64decode("".join(unquote(body).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"image {shown(source)}: is no base64 ({error}).") from None


def _file(path: Path, source: str) -> bytes:
    try:
        if path.is_file() and path.stat().st_size <= MAX_BYTES:
            return path.read_bytes()
        is_there = path.is_file()
    except (OSError, ValueError) as error:
        raise DataError(f"image {shown(source)}: cannot be read ({error}).") from None
    if is_there:
        raise DataError(f"image {path}: is larger than {MAX_BYTES // 2**20} MiB.")
    at = "" if str(path) == source else f" ({path})"
    raise DataError(f"image {shown(source)}: there is no such file{at}. A path begins at the rows' file, or here.")
