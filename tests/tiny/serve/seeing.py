"""Stand-ins for what sees and for the internet, so that whatever the server does with images shows in its answers."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from swift.llm.media.fetch import Network


@dataclass(frozen=True)
class Glance:
    """What `Glimpse` makes of images."""

    texts: tuple[str, ...]
    inputs: dict[str, Any] = field(default_factory=dict)


class Glimpse:
    """Eyes that say of an image what size it has; the model is given the sizes."""

    placeholder = "<|nothing writes this|>"
    max_pixels = -1

    def look(self, images: Sequence[Any]) -> Glance:
        """See `Eyes.look`."""
        sizes = [image.size for image in images]
        return Glance(tuple(f"[{width} x {height}]" for width, height in sizes), {"sizes": sizes})

    def beside(self, look: Glance, ids: Sequence[int]) -> dict[str, Any]:
        """See `Eyes.beside`."""
        return {**look.inputs, "num_ids": len(ids)}


def picture(width: int, height: int, form: str = "PNG") -> bytes:
    """An image of that size."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(out, form)
    return out.getvalue()


def inline(width: int, height: int, form: str = "PNG") -> str:
    """The same as a data URL."""
    return f"data:image/{form.lower()};base64,{base64.b64encode(picture(width, height, form)).decode()}"


@contextmanager
def internet(port: int) -> Iterator[Network]:
    """Every name ends in a public address, and that is the server at ``port``; names below ``.inside`` are private."""
    import httpcore

    class Here(httpcore.AsyncNetworkBackend):
        async def connect_tcp(self, host: str, _: int, *rest: Any, **options: Any) -> Any:
            assert host == "93.184.216.34"
            return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", port, *rest, **options)

    async def look_up(host: str, _: int) -> list[str]:
        return ["10.0.0.7" if host.endswith(".inside") else "93.184.216.34"]

    yield Network(look_up, Here())


class _Pictures(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append(self.path)
        if self.path == "/never.png":
            server.is_over.wait(30)
            return
        body = picture(*map(int, self.path.strip("/").partition(".")[0].split("x")))
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def pictures() -> Iterator[Any]:
    """A web server without TLS: ``/7x3.png`` is an image of that size, ``/never.png`` never comes; ``asked`` lists the paths."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Pictures)
    server.daemon_threads = True
    server.asked, server.is_over = [], threading.Event()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.is_over.set()
        server.shutdown()
        server.server_close()
