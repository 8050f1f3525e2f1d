"""Addresses, against a server of this machine."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from swift.llm.dataset.locate import locate
from swift.llm.dataset.remote import fetch, is_address
from swift.llm.dataset.syntax import parse_item
from swift.utils.errors import DataError, MissingPackageError

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

ROWS = b"".join(
    json.dumps({"text": hashlib.sha256(str(i).encode()).hexdigest()}).encode() + b"\n" for i in range(80_000)
)


class Server(BaseHTTPRequestHandler):
    """One file, in parts if asked. ``broken``: the connection ends after so many bytes of an answer."""

    data = ROWS
    etag = '"one"'
    broken: int | None = None
    ranges = True
    sent: list[tuple[int, int]] = []
    running: ThreadingHTTPServer

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def do_GET(self, body: bool = True) -> None:
        status = {"/rows.jsonl": 200, "/denied.jsonl": 403}.get(self.path.split("?")[0], 404)
        data = Server.data if status == 200 else b""
        match = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if Server.ranges else None
        start = int(match[1]) if match else 0
        end = min(int(match[2]) + 1 if match and match[2] else len(data), len(data))
        self.send_response(206 if match and status == 200 else status)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        if Server.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", Server.etag)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if not body:
            return
        if Server.broken is not None and status == 200 and sum(size for _, size in Server.sent) >= Server.broken:
            self.close_connection = True
            self.connection.shutdown(2)
            return
        with suppress(ConnectionError):  # the client has what it wanted of it
            self.wfile.write(data[start:end])
        if status == 200:
            Server.sent.append((start, end - start))

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("SWIFT_CACHE", str(tmp_path / "cache"))
    Server.data, Server.etag, Server.broken, Server.ranges = ROWS, '"one"', None, True
    Server.sent.clear()
    Server.running = running = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()
    thread.join()


def test_an_address_is_fetched_once_while_it_is_the_same(server: str) -> None:
    (source,) = locate(parse_item(f"{server}/rows.jsonl?download=true#5"), {}, use_hf=False)
    assert source.count == 5
    assert source.files[0].name == "rows.jsonl"
    assert source.files[0].read_bytes() == ROWS
    asked = len(Server.sent)
    assert fetch(f"{server}/rows.jsonl?download=true") == source.files
    assert len(Server.sent) == asked
    Server.data, Server.etag = ROWS[:650], '"two"'
    assert fetch(f"{server}/rows.jsonl?download=true")[0].read_bytes() == ROWS[:650]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_fetch_goes_on(
    server: str, tmp_path: Path, ranges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swift.llm.dataset.remote._BLOCK", 1 << 20)
    Server.broken, Server.ranges = (2 << 20) if ranges else 0, ranges
    with pytest.raises(DataError, match="What is fetched stays: run the command again"):
        fetch(f"{server}/rows.jsonl")
    assert not list(tmp_path.rglob("rows.jsonl"))
    Server.broken = None
    begun = len(Server.sent)
    assert fetch(f"{server}/rows.jsonl")[0].read_bytes() == ROWS
    assert (min(start for start, _ in Server.sent[begun:]) > 0) == ranges


def test_without_the_server_the_earlier_copy_is_used(server: str) -> None:
    (copy,) = fetch(f"{server}/rows.jsonl")
    Server.running.shutdown()
    Server.running.server_close()
    assert fetch(f"{server}/rows.jsonl") == (copy,)
    with pytest.raises(DataError, match=r"cannot be fetched .*goes on where it stopped; or give a local file"):
        fetch(f"{server}/other.jsonl")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/absent.jsonl", "there is no such file. Check the address"),
        ("/denied.jsonl", "access is denied"),
        ("/page.html", "files of this kind are not read. Known: .json"),
        ("/*.jsonl", "does not list its files"),
    ],
)
def test_what_cannot_be_fetched_is_told(server: str, path: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        fetch(server + path)


def test_other_protocols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIFT_CACHE", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    for name in ("b.jsonl", "a.jsonl", "c.md", "deep/d.jsonl"):
        memory.pipe(f"/bucket/{name}", name.encode())
    assert [path.name for path in fetch("memory://bucket/*.jsonl")] == ["a.jsonl", "b.jsonl"]
    assert [path.name for path in fetch("memory://bucket")] == ["a.jsonl", "b.jsonl", "d.jsonl"]
    assert fetch("memory://bucket/a.jsonl")[0].read_text() == "a.jsonl"
    with pytest.raises(DataError, match="no data files are there"):
        fetch("memory://nothing")
    with pytest.raises(DataError, match="Known protocols: abfs"):
        fetch("gopher://x/y.jsonl")
    (tmp_path / "x y.jsonl").write_text("{}")
    assert fetch((tmp_path / "x y.jsonl").as_uri()) == (tmp_path / "x y.jsonl",)
    memory.rm("/bucket", recursive=True)


@pytest.mark.parametrize(("address", "package"), [("s3://b/x.jsonl", "s3fs"), ("gs://b/x.jsonl", "gcsfs")])
def test_a_missing_package_is_told_with_its_line(address: str, package: str) -> None:
    try:
        __import__(package)
    except ImportError:
        with pytest.raises(MissingPackageError, match=f"pip install {package}"):
            fetch(address)
    else:
        pytest.skip(f"{package} is installed")


def test_what_an_address_is() -> None:
    assert is_address("s3://bucket/key")
    assert not is_address("HF::acme/faq")
    assert not is_address("C:/x.jsonl")
