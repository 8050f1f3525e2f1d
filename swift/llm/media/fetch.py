"""An image from another machine, asked for by somebody who is not trusted: from public addresses only.

A client that may name an address can make a server ask for it what only the server may ask: the page of a router, the
credentials of a cloud machine. So every address that a name stands for is looked at before anything is sent; the connection goes to the
address that was looked at, as a second look-up could say another (DNS rebinding), while TLS checks the name; and each
redirect begins anew. Proxies of the environment are not used: they would do the look-up themselves. Knows no pixels.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from swift.utils.errors import DataError

if TYPE_CHECKING:
    import httpcore

__all__ = ["SYSTEM", "Network", "fetch", "is_public"]

MAX_URL = 8192
MAX_REDIRECTS = 3
MAX_ADDRESSES = 8  # that one name may stand for; the rest would only be tried one after the other
PORTS = {"https": 443, "http": 80}
REDIRECTS = (301, 302, 303, 307, 308)
_RESOLVERS = ThreadPoolExecutor(4, "swift-resolver")  # apart: names that nobody answers for would fill the loop's own

_NOT_PUBLIC_4 = tuple(map(ip_network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
    "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "168.63.129.16/32",  # looks public; it is the host of each machine in Azure, as 169.254.169.254 is elsewhere
)))  # fmt: skip
_PUBLIC_6 = ip_network(
    "2000::/3"
)  # what is given out: no mapped, compatible, NAT64, unique local, link-local, multicast
_NOT_PUBLIC_6 = tuple(map(ip_network, (
    "2001::/23",  # protocols, Teredo (2001::/32) among them
    "2001:db8::/32", "2002::/16",  # examples; 6to4
    "3fff::/20",
)))  # fmt: skip


def is_public(address: str) -> bool:
    """Whether an address (a literal) is one that anybody in the internet may have; all that hide another one inside are not.

    Written out from IANA's registries of special addresses: `ipaddress.is_global` differs between Python's releases, and calls
    multicast and NAT64 global.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return not any(found in net for net in _NOT_PUBLIC_4)
    is_tunnel = found.packed[8:12] in (
        b"\x00\x00\x5e\xfe",
        b"\x02\x00\x5e\xfe",
    )  # ISATAP: an IPv4 address in the last half
    return found in _PUBLIC_6 and not is_tunnel and not any(found in net for net in _NOT_PUBLIC_6)


async def _look_up(host: str, port: int) -> Sequence[str]:
    import socket

    def ask() -> list[str]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(one[4][0]) for one in found))

    return await asyncio.get_running_loop().run_in_executor(_RESOLVERS, ask)


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that are trusted; reading them takes tens of milliseconds."""
    import httpcore

    return httpcore.default_ssl_context()


@dataclass(frozen=True, slots=True)
class Network:
    """How the world is reached: a name to its addresses (raises OSError), connections to them, certificates that are trusted.

    ``backend`` and ``certificates`` None: the system's.
    """

    look_up: Callable[[str, int], Awaitable[Sequence[str]]] = _look_up
    backend: httpcore.AsyncNetworkBackend | None = None
    certificates: ssl.SSLContext | None = None


SYSTEM = Network()


@dataclass(frozen=True, slots=True)
class _Target:
    """A URL that may be asked, in the parts that a request is made of."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def has_own_port(self) -> bool:
        return self.port == PORTS[self.scheme]


async def fetch(
    url: str, *, hosts: Sequence[str] | None, max_bytes: int, timeout_s: float, network: Network = SYSTEM
) -> bytes:
    """The bytes of an image at an https address.

    ``hosts``: names that may be asked, as ``example.org``, ``example.org:8443``, ``*.example.org`` (all below it) or ``*``; one
    written ``http://example.org`` may be asked without TLS. None is any public host. ``timeout_s`` holds for all of it,
    redirects included. Raises DataError, which names the host and nothing else of the URL: the rest may be a secret.
    """
    target = _parse(url, hosts)
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(MAX_REDIRECTS + 1):
                found = await _ask(target, max_bytes, network)
                if isinstance(found, bytes):
                    return found
                target = _parse(_joined(target, found), hosts)
    except TimeoutError:
        raise DataError(f"{target.host}: the image did not arrive within {timeout_s:g} seconds.") from None
    raise DataError(f"{target.host}: more than {MAX_REDIRECTS} redirects. Give the address that they lead to.")


def _parse(url: str, hosts: Sequence[str] | None) -> _Target:
    """The URL, if it may be asked. Python's parser drops and repairs what others do not, so that is refused before."""
    if len(url) > MAX_URL:
        raise DataError(f"a URL of {len(url):,} characters; at most {MAX_URL:,}.")
    if not url.isascii() or any(ord(char) <= 32 or char in '\\\x7f"<>^`{|}' for char in url):
        raise DataError("the URL holds characters that must be written as %xx (a host's name as xn--…).")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DataError(f"the URL cannot be read ({error}).") from None
    host = parts.hostname or ""
    if parts.scheme not in PORTS:
        raise DataError(f"{parts.scheme or 'no'} address: images are fetched over https, or come as data URLs.")
    if "@" in parts.netloc:
        raise DataError("the URL holds a user's name or password. Leave it out.")
    _check_host(host)
    target = _Target(
        parts.scheme,
        host,
        PORTS[parts.scheme] if port is None else port,
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )
    _check_allowed(target, hosts)
    return target


def _check_host(host: str) -> None:
    """Raises DataError for a name that means an address to some readers and a name to others (2130706433, 0x7f.1, 127.1)."""
    if ":" in host:
        _check_public(host, [host])
        return
    labels = host.split(".")
    if not all(label and label.replace("-", "").replace("_", "").isalnum() for label in labels) or len(host) > 253:
        raise DataError(f"{host[:80]!r} is no host's name.")
    last = labels[-1]
    if last.isdecimal() or last.startswith("0x"):
        try:
            IPv4Address(host)
        except ValueError:
            raise DataError(f"{host}: is neither a name nor an address in its usual form.") from None
        _check_public(host, [host])


def _check_public(host: str, addresses: Sequence[str]) -> None:
    """One sentence for a name without addresses and for one with private ones: which names there are inside is not told."""
    if not addresses or not all(map(is_public, addresses)):
        raise DataError(f"{host}: has no public address. Images are fetched from public addresses only.")


def _check_allowed(target: _Target, hosts: Sequence[str] | None) -> None:
    rules = ("*",) if hosts is None else tuple(hosts)
    if not any(_allows(rule, target) for rule in rules):
        why = "no host may be asked" if not rules else "this address is not among those that may be asked"
        raise DataError(f"{target.scheme}://{target.host}:{target.port}: {why}. Send the image as a data URL.")


def _allows(rule: str, target: _Target) -> bool:
    scheme, _, place = rule.rpartition("://")
    name, _, port = place.lower().partition(":")
    if (scheme or "https") != target.scheme or not (port == str(target.port) if port else target.has_own_port):
        return False
    if name == "*":
        return True
    return target.host.endswith(name[1:]) if name.startswith("*.") else target.host == name


async def _ask(target: _Target, max_bytes: int, network: Network) -> bytes | str:
    """The image, or where a redirect leads to."""
    import httpcore

    try:
        addresses = await network.look_up(target.host, target.port)
    except (OSError, UnicodeError):
        addresses = []
    _check_public(target.host, addresses)
    url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    name = f"[{target.host}]" if ":" in target.host else target.host
    headers: dict[bytes | str, bytes | str] = {
        "Host": name if target.has_own_port else f"{name}:{target.port}",
        "Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "swift",
    }  # fmt: skip
    try:
        async with httpcore.AsyncConnectionPool(
            network.certificates or _trusted(),
            network_backend=_checked_backend(addresses[:MAX_ADDRESSES], network.backend or httpcore.AnyIOBackend()),
        ) as pool, pool.stream("GET", url, headers=headers) as answer:  # fmt: skip
            return await _read(answer, target.host, max_bytes)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ssl.SSLError) as error:
        said = str(error).splitlines()
        raise DataError(f"{target.host}: cannot be read from ({said[0] if said else type(error).__name__}).") from None


async def _read(answer: Any, host: str, max_bytes: int) -> bytes | str:
    headers = {name.lower(): value.decode("latin-1").strip() for name, value in answer.headers}
    if answer.status in REDIRECTS:
        if b"location" not in headers:
            raise DataError(f"{host}: redirects to nowhere.")
        return str(headers[b"location"])
    if answer.status != 200:
        raise DataError(f"{host}: answers with status {answer.status}.")
    kind = headers.get(b"content-type", "none").partition(";")[0].strip().lower()
    if not kind.startswith("image/"):
        raise DataError(f"{host}: sends {kind[:80]}, not an image.")
    if headers.get(b"content-encoding", "identity").lower() != "identity":
        raise DataError(f"{host}: sends a compressed body, which was not asked for.")
    too_long = DataError(f"{host}: the image is longer than {max_bytes:,} bytes.")
    told = headers.get(b"content-length", "")
    if told.isdecimal() and int(told) > max_bytes:
        raise too_long
    body = bytearray()
    async for part in answer.aiter_stream():
        body += part
        if len(body) > max_bytes:
            raise too_long
    return bytes(body)


def _joined(target: _Target, location: str) -> str:
    name = f"[{target.host}]" if ":" in target.host else target.host
    try:
        return urljoin(f"{target.scheme}://{name}:{target.port}{target.path}", location)
    except ValueError:
        raise DataError(f"{target.host}: redirects to what is no address.") from None


def _checked_backend(addresses: Sequence[str], backend: httpcore.AsyncNetworkBackend) -> httpcore.AsyncNetworkBackend:
    """Connections go to these addresses whatever name they are asked for; TLS still verifies the name."""
    import httpcore

    class Checked(httpcore.AsyncNetworkBackend):
        async def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore.AsyncNetworkStream:
            for number, address in enumerate(addresses, 1):
                try:
                    return await backend.connect_tcp(address, port, timeout, local_address, socket_options)
                except (httpcore.ConnectError, httpcore.ConnectTimeout):
                    if number == len(addresses):
                        raise
            raise AssertionError("no address")

    return Checked()
