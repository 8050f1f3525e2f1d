"""What happens below the official client: bodies that are none, keys, limits, clients that leave or stall, the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

httpx = pytest.importorskip("httpx")
pytest.importorskip("fastapi")

from swift.llm.engine.protocol import Limits  # noqa: E402
from swift.llm.serve.server import bind, serve  # noqa: E402
from swift.utils.errors import EngineFailedError, PlanError  # noqa: E402

AUTH = {"Authorization": "Bearer sk-test"}
ADMIN = {"Authorization": "Bearer sk-admin"}
CHAT = "/v1/chat/completions"


def question(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": [{"role": "user", "content": text}], **more}


def send(server: Any, method: str, path: str, **options: Any) -> Any:
    options.setdefault("headers", AUTH)
    return httpx.request(method, server.url + path, timeout=20, **options)


def expect_error(answer: Any, status: int, code: str | None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["message"]


def wait_for(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"model": "\xff"}', b'"\\ud800"', b"[]", b"null", b'{"model": NaN}', b"[" * 100_000]
)
@pytest.mark.parametrize(
    "path", [CHAT, "/v1/responses", "/v1/completions", "/v1/embeddings", "/tokenize", "/detokenize"]
)
def test_bodies_that_are_none(server: Any, path: str, body: bytes) -> None:
    answer = send(server, "POST", path, content=body)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_paths_and_methods(server: Any) -> None:
    expect_error(send(server, "GET", "/v1/nothing"), 404, "unknown_path")
    expect_error(send(server, "GET", "/v1/models/../../etc/passwd"), 404, "unknown_path")
    wrong = send(server, "DELETE", "/v1/models")
    expect_error(wrong, 405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET"
    expect_error(send(server, "POST", CHAT, content=b"x", headers={**AUTH, "Content-Encoding": "gzip"}), 400, "unsupported_encoding")  # fmt: skip


def test_what_needs_no_key(server: Any) -> None:
    for path in ("/health", "/ready", "/openapi.json"):
        assert send(server, "GET", path, headers={}).status_code == 200
    for path in ("/v1/models", "/metrics", "/v1/nothing"):
        refused = send(server, "GET", path, headers={})
        expect_error(refused, 401, "invalid_api_key")
        assert refused.headers["www-authenticate"] == "Bearer"


def test_a_body_is_measured_while_it_comes(opened: Any) -> None:
    with opened(max_body_bytes=1000) as server:
        expect_error(send(server, "POST", CHAT, content=b"x" * 1001), 413, "body_too_large")
        expect_error(send(server, "POST", CHAT, content=iter([b"x" * 600] * 2)), 413, "body_too_large")
        assert send(server, "POST", CHAT, json=question()).status_code == 200


def test_tokens_and_back(server: Any) -> None:
    found = send(server, "POST", "/tokenize", json={"prompt": "one <|im_end|> 七"}).json()
    assert found["count"] == len(found["tokens"])
    assert send(server, "POST", "/detokenize", json={"tokens": found["tokens"]}).json() == {
        "prompt": "one <|im_end|> 七"
    }
    chat = send(server, "POST", "/tokenize", json={"messages": question("x")["messages"]}).json()["tokens"]
    send(server, "POST", CHAT, json=question("x"))
    assert tuple(chat) == server.engine.requests[-1].prompt
    expect_error(send(server, "POST", "/tokenize", json={}), 400, "invalid_value")
    expect_error(send(server, "POST", "/detokenize", json={"tokens": [99999]}), 400, "invalid_value")


def test_metrics_are_what_prometheus_reads(server: Any) -> None:
    parser = pytest.importorskip("prometheus_client.parser")

    def read() -> dict[str, float]:
        text = send(server, "GET", "/metrics").text
        families = parser.text_string_to_metric_families(text)
        return {sample.name + str(sample.labels): sample.value for one in families for sample in one.samples}

    before = read()
    usage = send(server, "POST", CHAT, json=question("one two")).json()["usage"]
    after = read()
    assert after["swift_prompt_tokens_total{}"] - before["swift_prompt_tokens_total{}"] == usage["prompt_tokens"]
    assert after["swift_answer_tokens_total{}"] - before["swift_answer_tokens_total{}"] == usage["completion_tokens"]
    assert after["swift_first_token_seconds_count{}"] - before["swift_first_token_seconds_count{}"] == 1
    label = "swift_responses_total{'path': '/v1/chat/completions', 'status': '200'}"
    assert after[label] - before.get(label, 0) == 1
    assert {"swift_answers_running{}", "swift_answers_waiting{}", "swift_cache_used_ratio{}"} <= after.keys()


def test_adapters_come_and_go(opened: Any, tmp_path: Path) -> None:
    root, outside = tmp_path / "adapters", tmp_path / "outside"
    for folder in (root / "one", outside):
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text("{}")
        (folder / "adapter_model.safetensors").write_bytes(b"")
    (root / "pickle").mkdir()
    (root / "pickle" / "adapter_config.json").write_text("{}")
    (root / "pickle" / "adapter_model.bin").write_bytes(b"")
    (root / "link").symlink_to(outside)
    (root / "circle").symlink_to(root / "circle")
    with opened(adapter_roots=(str(root),)) as server:

        def load(name: str, path: Path | str, headers: dict[str, str] = ADMIN) -> Any:
            body = {"lora_name": name, "lora_path": str(path)}
            return send(server, "POST", "/v1/load_lora_adapter", json=body, headers=headers)

        expect_error(load("a", root / "one", AUTH), 401, "invalid_api_key")
        for path in (outside, root / "link", root / ".." / "outside", "/etc"):
            expect_error(load("a", path), 403, None)
        for path in (root / "none", root / "pickle", root / "circle", root / ("x" * 3000)):
            expect_error(load("a", path), 400, "invalid_value")
        for name in ("../a", "a/b", "", ".a", "tiny"):
            expect_error(load(name, root / "one"), 400, "invalid_value")
        assert load("a", root / "one").json() == {"status": "ok", "model": "a"}
        assert server.engine.adapters == {"a": str(root / "one")}
        assert [one["id"] for one in send(server, "GET", "/v1/models").json()["data"]] == ["tiny", "gpt-4o", "a"]
        assert send(server, "POST", CHAT, json={**question(), "model": "a"}).status_code == 200
        assert server.engine.requests[-1].adapter == "a"
        gone = {"lora_name": "a"}
        assert send(server, "POST", "/v1/unload_lora_adapter", json=gone, headers=ADMIN).status_code == 200
        expect_error(send(server, "POST", CHAT, json={**question(), "model": "a"}), 404, "model_not_found")
        expect_error(send(server, "POST", "/v1/unload_lora_adapter", json=gone, headers=ADMIN), 404, "model_not_found")


def test_an_adapter_that_is_still_in_use_keeps_no_other_waiting(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    with opened(adapter_roots=(str(tmp_path),)) as server, ThreadPoolExecutor(1) as other:

        def change(path: str, name: str, **more: str) -> int:
            return int(send(server, "POST", path, json={"lora_name": name, **more}, headers=ADMIN).status_code)

        asked, unused, unload = threading.Event(), threading.Event(), server.engine.unload_adapter

        async def when_unused(name: str) -> None:
            asked.set()
            await asyncio.to_thread(unused.wait, 30)
            await unload(name)

        assert change("/v1/load_lora_adapter", "a", lora_path=str(tmp_path)) == 200
        monkeypatch.setattr(server.engine, "unload_adapter", when_unused)
        try:
            leaving = other.submit(change, "/v1/unload_lora_adapter", "a")
            assert asked.wait(30)
            assert change("/v1/load_lora_adapter", "b", lora_path=str(tmp_path)) == 200
            assert change("/v1/unload_lora_adapter", "a") == 404  # it is on its way
        finally:
            unused.set()
        assert leaving.result(30) == 200
        assert server.engine.adapters == {"b": str(tmp_path)}


def test_what_the_engine_cannot_do_is_refused_by_name(opened: Any) -> None:
    with opened(limits=Limits(context=2048)) as server:
        tool = {"type": "function", "function": {"name": "f"}}
        for field, body in (
            ("logprobs", question(logprobs=True)), ("response_format", question(response_format={"type": "json_object"})),
            ("tool_choice", question(tools=[tool], tool_choice="required")),
        ):  # fmt: skip
            answer = send(server, "POST", CHAT, json=body)
            expect_error(answer, 400, "unsupported_parameter")
            assert answer.json()["error"]["param"] == field
        answer = send(server, "POST", "/v1/embeddings", json={"model": "tiny", "input": "x"})
        expect_error(answer, 400, "unsupported_parameter")


def test_an_engine_for_vectors_is_ready_and_answers_no_prompt(opened: Any) -> None:
    with opened(limits=Limits(context=64, embeddings=True, answers=False)) as server:
        vectors = send(server, "POST", "/v1/embeddings", json={"model": "tiny", "input": ["x", "y"]})
        assert [one["index"] for one in vectors.json()["data"]] == [0, 1]
        refused = send(server, "POST", CHAT, json={"model": "tiny", "messages": [{"role": "user", "content": "x"}]})
        expect_error(refused, 400, "refused_by_engine")


def test_pages_of_other_hosts(opened: Any) -> None:
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    with opened(allowed_origins=("https://page.example",)) as server:
        allowed = send(server, "OPTIONS", CHAT, headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://page.example"
        denied = send(server, "OPTIONS", CHAT, headers={**asked, "Origin": "https://other.example"})
        assert "access-control-allow-origin" not in denied.headers
        theirs = "authorization,content-type,x-stainless-arch,x-stainless-lang"
        assert send(server, "OPTIONS", CHAT, headers={**asked, "Access-Control-Request-Headers": theirs}).is_success


def test_the_limit_of_tokens_holds_for_requests_that_name_none(opened: Any) -> None:
    with opened(max_tokens_limit=5) as server:
        chat = send(server, "POST", CHAT, json=question("a b c d e f g h i j k"))
        text = send(server, "POST", "/v1/completions", json={"model": "tiny", "prompt": "a b c d e f g h i j k"})
        for answer in (chat, text):
            assert answer.json()["usage"]["completion_tokens"] == 5
        expect_error(send(server, "POST", CHAT, json=question(max_tokens=6)), 400, "invalid_value")


def test_of_a_field_with_several_forms_the_right_one_is_told(server: Any) -> None:
    answer = send(server, "POST", CHAT, json=question(stop=["a"] * 17))
    assert answer.json()["error"]["message"] == "stop: List should have at most 16 items after validation, not 17"


class Slow:
    """A server whose engine takes its time, and answers held open on it."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self._open = contextlib.ExitStack()
        self._client = self._open.enter_context(httpx.Client(timeout=20))

    def begin(self) -> Any:
        """An answer of many tokens that has begun to stream."""
        asked = self._client.stream(
            "POST", self.server.url + CHAT, json=question("a b c " * 60, stream=True), headers=AUTH
        )
        answer = self._open.enter_context(asked)
        self.lines = answer.iter_lines()
        assert next(self.lines).startswith("data: ")
        return answer

    def __enter__(self) -> Slow:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def test_a_full_server_says_so_and_recovers(opened: Any) -> None:
    with opened(delay_s=0.01, max_running=1, max_queue=0) as server:
        with Slow(server) as slow:
            slow.begin()
            refused = send(server, "POST", CHAT, json=question())
            expect_error(refused, 429, "queue_full")
            assert refused.headers["retry-after"]
            expect_error(send(server, "POST", CHAT, json=question(stream=True)), 429, "queue_full")
            expect_error(send(server, "POST", CHAT, json=question(n=2)), 400, None)
        wait_for(lambda: server.site.desk.num_answers == 0)
        assert send(server, "POST", CHAT, json=question()).status_code == 200


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_place(opened: Any, stream: bool) -> None:
    with opened(delay_s=0.01) as server:
        own = len(server.engine.requests)  # the server's, before it was ready
        body = json.dumps(question("a b c " * 60, stream=stream)).encode()
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-test\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            wait_for(lambda: server.site.desk.num_answers == 1)
            wait_for(lambda: len(server.engine.requests) > own)
        wait_for(lambda: server.site.desk.num_answers == 0, 2.0)
        wait_for(lambda: server.site.metrics.num_gone == 1)
        assert server.engine.aborted == [server.engine.requests[-1].id]


def test_a_reader_that_stalls_holds_no_place(opened: Any) -> None:
    with opened(send_buffer=8192) as server:
        own = len(server.engine.requests)
        body = json.dumps(question("a b c " * 60, stream=True, logprobs=True, top_logprobs=5, n=8)).encode()
        parts = urlsplit(server.url)
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((parts.hostname, parts.port))
            head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-test\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            wait_for(lambda: len(server.engine.requests) == own + 8)
            wait_for(lambda: server.site.desk.num_answers == 0)
            assert server.site.desk.num_open == 1
            assert server.engine.aborted == []
            assert send(server, "POST", CHAT, json=question()).status_code == 200
            received = b""
            while b"data: [DONE]" not in received:
                received = received[-100:] + connection.recv(65536)
        wait_for(lambda: server.site.desk.num_open == 0)


def test_an_answer_that_takes_too_long(opened: Any) -> None:
    with opened(delay_s=0.05, request_timeout_s=0.3) as server:
        expect_error(send(server, "POST", CHAT, json=question("a b c " * 60)), 503, "timeout")
        with Slow(server) as slow:
            slow.begin()
            lines = [line for line in slow.lines if line]
        assert json.loads(lines[-2].removeprefix("data: "))["error"]["code"] == "timeout"
        assert lines[-1] == "data: [DONE]"
        wait_for(lambda: server.site.desk.num_answers == 0)


def test_a_server_that_is_about_to_end(opened: Any) -> None:
    with opened(delay_s=0.005) as server, Slow(server) as slow:
        slow.begin()
        server.site.desk.is_draining = True
        expect_error(send(server, "POST", CHAT, json=question()), 503, "draining")
        expect_error(send(server, "GET", "/ready", headers={}), 503, "not_ready")
        assert send(server, "GET", "/health", headers={}).status_code == 200
        lines = [line for line in slow.lines if line]
        assert (lines[-1], '"finish_reason":"length"' in lines[-2]) == ("data: [DONE]", True)


def test_an_engine_that_breaks_tells_nothing_of_the_inside(opened: Any, caplog: pytest.LogCaptureFixture) -> None:
    with opened() as server:

        def broken(_: object) -> list[int]:
            raise RuntimeError("secret path /home/ann")

        server.engine._script = broken
        for stream in (False, True):
            answer = send(server, "POST", CHAT, json=question(stream=stream))
            expect_error(answer, 500, "internal_error")
            assert "secret" not in answer.text


def test_a_server_whose_engine_dies_says_so_and_ends(site: Any) -> None:
    async def run() -> list[str]:
        listener, ready = bind("127.0.0.1", 0), asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(site, listener, ready.set_result))
        asked = {"json": question("a b c " * 60, stream=True), "headers": AUTH, "timeout": 20}
        async with httpx.AsyncClient(base_url=await ready) as client, client.stream("POST", CHAT, **asked) as answer:
            lines = answer.aiter_lines()
            told = [await anext(lines)]
            site.engine.fail("it fell over at /home/ann")
            told += [line async for line in lines if line]
        with pytest.raises(EngineFailedError, match="it fell over"):
            await serving
        listener.close()
        return told

    *_, error, end = asyncio.run(run())
    assert (json.loads(error.removeprefix("data: "))["error"]["code"], end) == ("engine_failed", "data: [DONE]")
    assert "/home/ann" not in error
    assert site.failure is not None


def test_many_at_once(server: Any) -> None:
    answers: list[str] = []

    def ask(number: int) -> None:
        answer = send(server, "POST", CHAT, json=question(f"number {number}"))
        answers.append(answer.json()["choices"][0]["message"]["content"])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted(f"number {number}" for number in range(16))


def test_long_bodies_hold_nobody_up(opened: Any) -> None:
    long = "one two " * 20_000
    with opened() as server:
        tokens = send(server, "POST", "/tokenize", json={"prompt": long}).json()
        assert send(server, "POST", "/detokenize", json={"tokens": tokens["tokens"]}).json() == {"prompt": long}
        for path, body in ((CHAT, question(long * 4)), ("/v1/completions", {"model": "tiny", "prompt": long * 4})):
            expect_error(send(server, "POST", path, json=body), 400, "context_length_exceeded")
        expect_error(send(server, "POST", CHAT, json=question(long)), 400, "context_length_exceeded")


@pytest.mark.parametrize(
    "arguments", ['{"a":' * 3000 + "1" + "}" * 3000, '{"a": "\\ud800"}', '{"a": NaN}', '{"a": 1e999}']
)
def test_arguments_of_calls_that_are_no_json(server: Any, arguments: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [
        {"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "1"},
    ]  # fmt: skip
    answer = send(server, "POST", CHAT, json={"model": "tiny", "messages": messages})
    assert answer.status_code in (200, 400, 422), answer.text


def test_a_head_that_does_not_come(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swift.llm.serve.server.HEAD_TIMEOUT_S", 0.3)
    with opened(delay_s=0.01) as server, httpx.Client(base_url=server.url, headers=AUTH) as client:
        parts = urlsplit(server.url)
        with (
            socket.create_connection((parts.hostname, parts.port), 10) as silent,
            socket.create_connection((parts.hostname, parts.port), 10) as slow,
        ):
            slow.sendall(b"GET /health HTTP/1.1\r\nX-A: ")
            assert (
                client.post(CHAT, json=question("a b c " * 20)).status_code == 200
            )  # longer than the time for the head
            assert client.get("/v1/models").status_code == 200  # on the same connection
            assert (silent.recv(100), slow.recv(100)) == (b"", b"")


def test_a_port_that_is_taken_while_the_model_is_loaded(opened: Any) -> None:
    listener = bind("127.0.0.1", 0)
    with opened(port=0) as server, contextlib.closing(listener):
        other = bind("127.0.0.1", listener.getsockname()[1])
        with contextlib.closing(other):
            listener.listen()
            with pytest.raises(PlanError, match="was taken while the model was loaded"):
                asyncio.run(serve(server.site, other, lambda url: None))
