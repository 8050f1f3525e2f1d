"""Images in requests: the rows of docs/serving.md with the official client, and what happens below it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

httpx = pytest.importorskip("httpx")
openai = pytest.importorskip("openai")
pytest.importorskip("PIL")
pytest.importorskip("fastapi")

sys.path.insert(0, str(Path(__file__).parent))
from listed import Listed  # noqa: E402
from seeing import Glimpse, inline, internet, picture, pictures  # noqa: E402

from swift.llm.engine.protocol import Limits  # noqa: E402

LISTED = Listed(r"images\.[a-z_]+")
check = LISTED.check
SEES = Limits(context=2048, logprobs=5, media=True)


@dataclass
class Seeing:
    """The client of a server whose model takes images, the server, and a web server with pictures."""

    client: Any
    server: Any
    web: Any

    def ask(self, *parts: Any, **options: Any) -> Any:
        content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
        messages = [{"role": "user", "content": content}]
        return self.client.chat.completions.create(**{"model": "tiny", "messages": messages, **options})

    def said(self, *parts: Any, **options: Any) -> str:
        return str(self.ask(*parts, **options).choices[0].message.content)

    def refuse(self, param: str, code: str, *parts: Any, **options: Any) -> str:
        with pytest.raises(openai.BadRequestError) as caught:
            self.ask(*parts, **options)
        assert (caught.value.body["param"], caught.value.body["code"]) == (param, code), caught.value.body
        return str(caught.value.body["message"])


@pytest.fixture(scope="module")
def seeing(opened: Any) -> Iterator[Seeing]:
    hosts = ("http://pictures.example", "http://router.inside", "cdn.example")
    with (
        pictures() as web,
        internet(web.server_port) as network,
        opened(limits=SEES, eyes=Glimpse(), allowed_image_hosts=hosts, max_images=3) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-test", max_retries=0) as client,
    ):
        server.site.network = network
        yield Seeing(client, server, web)


@pytest.mark.parametrize("name", LISTED.names)
def test_conformance(name: str, seeing: Seeing) -> None:
    assert name in LISTED.checks, "the page lists what no test checks"
    LISTED.checks[name](seeing)


def test_the_page_lists_every_check() -> None:
    assert sorted(LISTED.checks) == sorted(LISTED.names)


def at(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


WHERE = "messages.0.content.0.image_url"


@check("images.text_model")
def _(seeing: Seeing) -> None:
    assert [one.model_extra["is_multimodal"] for one in seeing.client.models.list().data] == [True, True]
    seeing.server.site.service.eyes, eyes = None, seeing.server.site.service.eyes
    try:
        assert "text only" in seeing.refuse(WHERE, "unsupported_parameter", at(inline(2, 2)))
        assert "text only" in seeing.refuse(
            "images", "unsupported_parameter", "x", extra_body={"images": [inline(2, 2)]}
        )
        assert not any(one.model_extra["is_multimodal"] for one in seeing.client.models.list().data)
    finally:
        seeing.server.site.service.eyes = eyes


@check("images.inline")
def _(seeing: Seeing) -> None:
    answer = seeing.ask("one", at(inline(8, 6)), "two", "three", at(inline(3, 4, "JPEG"), detail="high"), "<image>")
    assert answer.choices[0].message.content == "one[8 x 6]two\nthree[3 x 4]<image>"
    request = seeing.server.engine.requests[-1]
    assert request.media == {"sizes": [(8, 6), (3, 4)], "num_ids": answer.usage.prompt_tokens}
    assert answer.usage.prompt_tokens == len(request.prompt)
    chunks = list(seeing.ask(at(inline(5, 5)), "?", stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == "[5 x 5]?"
    assert chunks[-1].usage.prompt_tokens == len(seeing.server.engine.requests[-1].prompt)
    assert seeing.said({"type": "image_url", "image_url": inline(2, 1, "GIF")}, n=2) == "[2 x 1]"
    earlier = [{"role": "user", "content": [at(inline(4, 4))]}, {"role": "assistant", "content": "Red."}]
    again = [*earlier, {"role": "user", "content": [{"type": "text", "text": "And "}, at(inline(6, 6))]}]
    assert seeing.said(messages=again) == "And [6 x 6]"
    assert seeing.server.engine.requests[-1].media["sizes"] == [(4, 4), (6, 6)]


@check("images.listed")
def _(seeing: Seeing) -> None:
    two = [inline(2, 3), inline(4, 5)]
    assert seeing.said("<image> or <image>?", extra_body={"images": two}) == "[2 x 3] or [4 x 5]?"
    for text in ("<image>", "<image><image><image>"):
        seeing.refuse("images", "invalid_value", text, extra_body={"images": two})
    seeing.refuse("images.0", "unsupported_parameter", "<image>", extra_body={"images": ["/etc/passwd"]})


@check("images.fetched")
def _(seeing: Seeing) -> None:
    seeing.web.asked.clear()
    url = "http://pictures.example/7x3.png"
    assert seeing.said(at(url), at(inline(1, 1)), at(url)) == "[7 x 3][1 x 1][7 x 3]"
    assert seeing.web.asked == ["/7x3.png"]


@check("images.refused")
def _(seeing: Seeing) -> None:
    for url in ("/etc/passwd", "file:///etc/passwd", "ftp://pictures.example/a.png", "x.png", "FILE:///etc/passwd"):
        seeing.refuse(WHERE, "unsupported_parameter", at(url))
    for url in ("data:text/html;base64,AAAA", "data:image/png,AAAA", "data:,"):
        seeing.refuse(WHERE, "invalid_value", at(url))
    for url, why in (
        ("http://router.inside/1x1.png", "no public address"), ("https://127.0.0.1/a.png", "no public address"),
        ("https://other.example/1x1.png", "not among those"), ("http://cdn.example/1x1.png", "not among those"),
        ("https://u:p@cdn.example/1x1.png", "password"), ("http://pictures.example:8080/1x1.png", "not among those"),
    ):  # fmt: skip
        assert why in seeing.refuse(WHERE, "invalid_image", at(url))
    seeing.refuse(f"{WHERE}.detail", "unsupported_parameter", at(inline(2, 2), detail="low"))
    seeing.refuse("messages.0.content.3.image_url", "invalid_value", *[at(inline(2, 2))] * 4)
    for kind in ("input_audio", "video_url", "file"):
        assert kind in seeing.refuse(f"messages.0.content.0.{kind}", "unsupported_parameter", {"type": kind, kind: {}})
    seeing.refuse(WHERE, "invalid_value", {"type": "image_url"})
    system = [{"role": "system", "content": [at(inline(2, 2))]}, {"role": "user", "content": "x"}]
    seeing.refuse(WHERE, "unsupported_parameter", messages=system)


@check("images.broken")
def _(seeing: Seeing) -> None:
    for url in ("data:image/png;base64,AAAA", "data:image/png;base64,=", inline(9, 9)[:80]):
        place = "messages.0.content.1.image_url"
        seeing.refuse(place, "invalid_image", at(inline(2, 2)), at(url), stream=True)
    seeing.refuse(WHERE, "invalid_image", at("http://pictures.example/none"))


def post(server: Any, path: str, body: Any) -> Any:
    return httpx.post(server.url + path, json=body, headers={"Authorization": "Bearer sk-test"}, timeout=20)


def test_without_hosts_nothing_is_fetched(opened: Any) -> None:
    with opened(limits=SEES, eyes=Glimpse()) as server:
        messages = [{"role": "user", "content": [at("https://pictures.example/1x1.png")]}]
        answer = post(server, "/v1/chat/completions", {"model": "tiny", "messages": messages})
        assert answer.status_code == 400
        assert "this server fetches no images" in answer.json()["error"]["message"]


def test_tokens_of_an_image(seeing: Seeing) -> None:
    messages = [{"role": "user", "content": [at(inline(6, 2)), {"type": "text", "text": "?"}]}]
    tokens = post(seeing.server, "/tokenize", {"messages": messages}).json()["tokens"]
    seeing.ask(messages=messages)
    assert tuple(tokens) == seeing.server.engine.requests[-1].prompt
    text = post(seeing.server, "/detokenize", {"tokens": tokens}).json()["prompt"]
    assert "[6 x 2]?" in text


def test_images_of_one_request_share_the_room_of_a_body(opened: Any) -> None:
    size = len(picture(300, 300))
    with (
        pictures() as web,
        internet(web.server_port) as network,
        opened(
            limits=SEES, eyes=Glimpse(), max_body_bytes=size * 3 // 2, allowed_image_hosts=("http://a.example",)
        ) as server,
    ):
        server.site.network = network
        parts = [at(f"http://a.example/{name}.png") for name in ("300x300", "301x300")]

        def ask(count: int) -> Any:
            messages = [{"role": "user", "content": parts[:count]}]
            return post(server, "/v1/chat/completions", {"model": "tiny", "messages": messages})

        assert ask(1).status_code == 200
        error = ask(2).json()["error"]
        assert (error["param"], error["code"]) == ("messages.0.content.1.image_url", "invalid_image")


def test_a_client_that_leaves_ends_the_fetch_and_holds_no_place(seeing: Seeing) -> None:
    messages = [{"role": "user", "content": [at("http://pictures.example/never.png")]}]
    site = seeing.server.site
    seeing.web.asked.clear()

    def ask() -> None:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                seeing.server.url + "/v1/chat/completions", json={"model": "tiny", "messages": messages},
                headers={"Authorization": "Bearer sk-test"}, timeout=httpx.Timeout(20, read=0.5),
            )  # fmt: skip

    thread = threading.Thread(target=ask)
    thread.start()
    end = time.monotonic() + 10
    while not seeing.web.asked and time.monotonic() < end:
        time.sleep(0.01)
    assert (seeing.web.asked, site.desk.num_answers, site.desk.num_open) == (["/never.png"], 0, 1)
    thread.join(10)
    while site.desk.num_open and time.monotonic() < end:
        time.sleep(0.01)
    assert site.desk.num_open == 0


def test_a_fetch_that_is_slow_is_told(opened: Any) -> None:
    with (
        pictures() as web,
        internet(web.server_port) as network,
        opened(limits=SEES, eyes=Glimpse(), allowed_image_hosts=("http://a.example",), image_timeout_s=0.2) as server,
    ):
        server.site.network = network
        messages = [{"role": "user", "content": [at("http://a.example/never.png")]}]
        error = post(server, "/v1/chat/completions", {"model": "tiny", "messages": messages}).json()["error"]
        assert "did not arrive within 0.2 seconds" in error["message"]


def test_small_files_do_not_become_many_pixels(seeing: Seeing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swift.llm.chat.service.MOST_TOGETHER", 25_000)
    assert seeing.said(*[at(inline(100, 100))] * 2) == "[100 x 100]" * 2
    message = seeing.refuse("messages.0.content.2.image_url", "invalid_image", *[at(inline(100, 100))] * 3)
    assert "together" in message
