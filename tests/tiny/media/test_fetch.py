"""Images from other machines: which addresses are asked, and what is taken from them, on real servers of this machine."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

httpcore = pytest.importorskip("httpcore")

from swift.llm.media.fetch import Network, fetch, is_public  # noqa: E402
from swift.utils.errors import DataError  # noqa: E402

IMAGE = b"\x89PNG not really"
PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.9.9.9",
        "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1",
        "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1",
        "2002:7f00:1::", "2606:4700::5efe:7f00:1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%2",
        "fec0::1", "ff02::1", "localhost", "127.1", "2130706433", "0x7f000001", "",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", PUBLIC, "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00:1450::5"]
)
def test_addresses_that_are(address: str) -> None:
    assert is_public(address)


class _Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append((self.headers["Host"], self.path))  # type: ignore[attr-defined]
        self.server.pages[self.path.partition("?")[0]](self)  # type: ignore[attr-defined]

    def log_message(self, *_: Any) -> None:
        pass


def send(
    body: bytes = IMAGE, status: int = 200, kind: str = "image/png", **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    def page(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in ({"Content-Type": kind, "Content-Length": str(len(body))} | headers).items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return page


def drip(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "image/png")
    request.send_header("Connection", "close")
    request.end_headers()
    while not request.server.is_over.wait(0.05):  # type: ignore[attr-defined]
        request.wfile.write(b"x")


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "image/png")
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    while True:
        request.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")


def short(request: BaseHTTPRequestHandler) -> None:
    send(Content_Length="1000", Connection="close")(request)
    request.close_connection = True


class Quiet(ThreadingHTTPServer):
    """A server whose clients may leave in the middle."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for pictures.example and cdn.example, and what trusts it."""
    trust = pytest.importorskip("trustme", reason="trustme is not installed: pip install swift[dev]")
    authority = trust.CA()
    folder = tmp_path_factory.mktemp("tls")
    authority.issue_cert("pictures.example", "cdn.example").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "server.pem")
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return folder / "server.pem", context


def serve(pages: dict[str, Any], certificate: Path | None) -> Quiet:
    server = Quiet(("127.0.0.1", 0), _Pages)
    server.pages, server.asked, server.is_over = pages, [], threading.Event()  # type: ignore[attr-defined]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def server(certificates: tuple[Path, ssl.SSLContext]) -> Iterator[Any]:
    def to(where: str, status: int = 302) -> Any:
        return send(b"", status, Location=where)

    found = serve(
        {
            "/a.png": send(), "/jpeg": send(kind="Image/JPEG; charset=x"), "/missing": send(status=404), "/html": send(kind="text/html"),
            "/none": send(kind=""), "/gzip": send(gzip.compress(IMAGE), Content_Encoding="gzip"), "/long": send(b"x" * 5000),
            "/drip": drip, "/endless": endless, "/short": short, "/lost": send(b"", 302), "/loop": to("/loop"),
            "/to/a": to("/a.png"), "/to/cdn": to("https://cdn.example/a.png", 307), "/to/1": to("/to/2"), "/to/2": to("/to/a"),
            "/to/0": to("/to/1"), "/to/inside": to("https://inside.example/a.png"), "/to/literal": to("https://127.0.0.1/a.png"),
            "/to/metadata": to("http://169.254.169.254/latest"), "/to/file": to("file:///etc/passwd"), "/to/odd": to("https://[/"),
            "/to/user": to("https://a:b@cdn.example/a.png"),
        },
        certificates[0],
    )  # fmt: skip
    yield found
    found.is_over.set()
    found.shutdown()
    found.server_close()


class _ToHere(httpcore.AsyncNetworkBackend):
    """The internet as the tests have it: every public address is the server of the test; it writes down who was asked."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[tuple[str, int]] = []

    async def connect_tcp(self, host: str, port: int, *rest: Any, **options: Any) -> Any:
        self.asked.append((host, port))
        assert is_public(host)
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", self.port, *rest, **options)


NAMES = {
    "pictures.example": [PUBLIC], "cdn.example": ["2606:4700::1111", PUBLIC], "stranger.example": [PUBLIC],
    "inside.example": ["10.0.0.1"], "mixed.example": [PUBLIC, "127.0.0.1"], "empty.example": [],
}  # fmt: skip


class World:
    def __init__(self, server: Any, context: ssl.SSLContext) -> None:
        self.backend = _ToHere(server.server_port)
        self.looked_up: list[str] = []
        self.network = Network(self.look_up, self.backend, context)

    async def look_up(self, host: str, port: int) -> Sequence[str]:
        self.looked_up.append(host)
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        if host not in NAMES:
            raise socket.gaierror("no such name")
        return NAMES[host]

    def get(self, url: str, hosts: Sequence[str] | None = None, max_bytes: int = 1000, timeout_s: float = 10) -> bytes:
        return asyncio.run(fetch(url, hosts=hosts, max_bytes=max_bytes, timeout_s=timeout_s, network=self.network))

    def expect_refusal(self, url: str, said: str, **options: Any) -> None:
        with pytest.raises(DataError, match=said):
            self.get(url, **options)


@pytest.fixture
def world(server: Any, certificates: tuple[Path, ssl.SSLContext]) -> World:
    return World(server, certificates[1])


def test_an_image_is_read_from_the_address_that_was_looked_at(world: World, server: Any) -> None:
    assert world.get("https://pictures.example/a.png?key=1#part") == IMAGE
    assert server.asked[-1] == ("pictures.example", "/a.png?key=1")
    assert (world.backend.asked, world.looked_up) == ([(PUBLIC, 443)], ["pictures.example"])
    assert world.get("https://PICTURES.example/jpeg") == IMAGE


def test_names_that_stand_for_an_inner_address_are_not_asked(world: World) -> None:
    for name in ("inside", "mixed", "empty", "unknown"):
        world.expect_refusal(f"https://{name}.example/a.png", f"{name}.example: has no public address")
    assert world.backend.asked == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "10.1.2.3", "169.254.169.254",
        "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "1.2.3.4.5", "127.0.0.1.", "pictures.example.", ".example",
        "a..example", "ex%61mple.org", "[fe80::1%25eth0]", "localhost", "",
    ],
)  # fmt: skip
def test_spellings_of_hosts(world: World, host: str) -> None:
    with pytest.raises(DataError):
        world.get(f"https://{host}/a.png")
    assert world.backend.asked == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://pictures.example/a.png", "not among those"),
        ("https://pictures.example:8443/a.png", "not among those"),
        ("https://user@pictures.example/a.png", "user's name"),
        ("https://user:secret@pictures.example/a.png", "user's name"),
        ("https://pictures.example\\@inside.example/a.png", "%xx"),
        ("https://pictures.example/a b.png", "%xx"),
        ("https://pictures.example/a\r\nHost: inside.example", "%xx"),
        ("\thttps://pictures.example/a.png", "%xx"),
        ("https://pictures.exámple/a.png", "xn--"),
        ("https://pictures.example:99999/a.png", "cannot be read"),
        ("https://pictures.example:x/a.png", "cannot be read"),
        ("file:///etc/passwd", "file address"),
        ("ftp://pictures.example/a.png", "ftp address"),
        ("/etc/passwd", "no address"),
        ("https:///a.png", "no host's name"),
        ("https://pictures.example/" + "x" * 9000, "characters; at most"),
    ],
)
def test_urls_that_are_refused(world: World, url: str, said: str) -> None:
    world.expect_refusal(url, said)
    assert world.looked_up == []


def test_only_hosts_that_are_allowed(world: World, server: Any) -> None:
    world.expect_refusal("https://pictures.example/a.png", "no host may be asked", hosts=())
    world.expect_refusal(
        "https://pictures.example/a.png", "not among those", hosts=["other.example", "*.pictures.example"]
    )
    world.expect_refusal("https://evil-pictures.example/a.png", "not among those", hosts=["pictures.example"])
    world.expect_refusal("https://inside.example/a.png", "no public address", hosts=["inside.example", "*"])
    assert world.backend.asked == []
    for hosts in (["pictures.example"], ["Pictures.Example:443"], ["*.example"], ["*"]):
        assert world.get("https://pictures.example/a.png", hosts=hosts) == IMAGE
    assert world.get("https://pictures.example:8443/a.png", hosts=["pictures.example:8443"]) == IMAGE
    assert world.backend.asked[-1] == (PUBLIC, 8443)
    assert server.asked[-1][0] == "pictures.example:8443"


def test_without_tls_only_where_it_is_said(certificates: tuple[Path, ssl.SSLContext]) -> None:
    plain = serve({"/a.png": send()}, None)
    try:
        world = World(plain, certificates[1])
        world.expect_refusal("http://pictures.example/a.png", "not among those", hosts=["pictures.example", "*"])
        assert world.get("http://pictures.example/a.png", hosts=["http://pictures.example"]) == IMAGE
        world.expect_refusal("http://inside.example/a.png", "no public address", hosts=["http://inside.example"])
    finally:
        plain.shutdown()
        plain.server_close()


def test_the_name_is_verified(world: World) -> None:
    world.expect_refusal("https://stranger.example/a.png", "stranger.example: cannot be read from .*certificate")


def test_redirects(world: World) -> None:
    for path in ("to/a", "to/cdn", "to/1"):
        assert world.get(f"https://pictures.example/{path}") == IMAGE
    for path in ("to/0", "loop"):
        world.expect_refusal(f"https://pictures.example/{path}", "more than 3 redirects")
    world.backend.asked.clear()
    for path, said in (
        ("inside", "inside.example: has no public address"), ("literal", "127.0.0.1: has no public address"),
        ("metadata", "169.254.169.254: has no public"), ("file", "file address"), ("odd", "no address"), ("user", "user's name"),
    ):  # fmt: skip
        world.expect_refusal(f"https://pictures.example/to/{path}", said)
    world.expect_refusal("https://pictures.example/to/cdn", "not among those", hosts=["pictures.example"])
    assert {address for address, _ in world.backend.asked} == {PUBLIC}
    world.expect_refusal("https://pictures.example/lost", "redirects to nowhere")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing", "status 404"),
        ("html", "sends text/html"),
        ("none", "not an image"),
        ("gzip", "compressed"),
        ("long", "longer than 1,000 bytes"),
        ("endless", "longer than 1,000 bytes"),
        ("short", "cannot be read from"),
    ],
)
def test_answers_that_are_no_image(world: World, path: str, said: str) -> None:
    world.expect_refusal(f"https://pictures.example/{path}?token=secret", f"pictures.example: .*{said}")


def test_a_slow_answer_ends_in_time(world: World) -> None:
    began = time.monotonic()
    world.expect_refusal("https://pictures.example/drip", r"did not arrive within 0.3 seconds", timeout_s=0.3)
    assert time.monotonic() - began < 5


def test_whoever_asked_may_leave(world: World) -> None:
    async def leave() -> None:
        task = asyncio.ensure_future(
            fetch("https://pictures.example/drip", hosts=None, max_bytes=10**6, timeout_s=60, network=world.network)
        )
        while not world.backend.asked:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())


def test_a_proxy_of_the_environment_is_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert world.get("https://pictures.example/a.png") == IMAGE


def test_the_systems_own_network_is_closed_to_inner_addresses(server: Any) -> None:
    async def ask(host: str) -> bytes:
        return await fetch(f"https://{host}/a.png", hosts=["*", f"{host}:443"], max_bytes=1000, timeout_s=10)

    for host in ("localhost", "127.0.0.1"):
        with pytest.raises(DataError, match="has no public address"):
            asyncio.run(ask(host))
