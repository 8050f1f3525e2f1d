"""The chat page in a real browser, on a real server with the embedded model."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the pages' packages are not installed: pip install swift[ui]")

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    said = folder / "said.txt"
    with said.open("w") as output:
        page = subprocess.Popen(
            [sys.executable, "-m", "swift", "app-ui", "--model_type", "demo-chat", "--port", "0", "--max_new_tokens", "60"],
            stdout=output, stderr=output, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "SWIFT_CACHE": str(folder / "cache")},
        )  # fmt: skip
    try:
        until = time.monotonic() + 180
        found = None
        while found is None and page.poll() is None and time.monotonic() < until:
            time.sleep(0.3)
            found = re.search(r"the page: (\S+)", said.read_text())
        assert found, said.read_text()
        yield found[1]
        page.send_signal(signal.SIGTERM)
        assert page.wait(60) == 0, said.read_text()
    finally:
        page.kill()
        page.wait()


def visit(browser: Any, address: str, **context: Any) -> Any:
    """The page, and under ``strangers`` what it asked of other machines."""
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.strangers = []
    page.on(
        "request",
        lambda one: page.strangers.append(one.url) if "//127.0.0.1" not in one.url and one.url[:4] == "http" else None,
    )
    page.goto(address)
    page.wait_for_selector("#message textarea:not([disabled])")
    return page


def say(page: Any, text: str) -> None:
    page.fill("#message textarea", text)
    page.press("#message textarea", "Enter")


def wait_for_counts(page: Any) -> str:
    page.wait_for_function("/tokens\\/s/.test(document.querySelector('#counts').innerText)")
    return str(page.inner_text("#counts"))


def test_a_chat_is_answered_kept_in_the_browser_and_asked_again(browser: Any, address: str, tmp_path: Path) -> None:
    page = visit(browser, address, viewport={"width": 1280, "height": 860}, locale="en-US")
    say(page, "Hello! Who are you?")
    assert re.match(r"\d+ \+ \d+ tokens · ", wait_for_counts(page))
    answer = page.inner_text("#chat .bot.message")
    assert answer.strip()
    page.wait_for_selector("#message button.submit-button")  # nothing is written any more
    page.screenshot(path=tmp_path / "wide.png")
    page.get_by_label("Retry").click()
    page.wait_for_selector("#message button.stop-button")
    page.wait_for_selector("#message button.submit-button")  # kept, too
    page.reload()
    page.wait_for_selector("#chat .bot.message")
    assert "Who are you?" in page.inner_text("#chat")
    page.click(".toggle-button")
    page.wait_for_function("document.querySelector('#model input').value == 'demo-chat'")
    assert page.locator("#chats label").all_inner_texts() == ["Hello! Who are you?"]
    page.click("#new")
    page.wait_for_function("!document.querySelector('#chat').innerText.includes('Who are you?')")
    assert page.locator("#attach").count() == 0  # the model reads text
    assert page.strangers == []


def test_an_answer_can_be_stopped(browser: Any, address: str) -> None:
    page = visit(browser, address)
    page.click(".toggle-button")
    page.click("text=Sampling")
    page.uncheck("#own input")
    page.fill("#max_tokens input[type=number]", "1800")
    page.fill("#stop-texts textarea", "")
    page.click(".toggle-button")
    say(page, "Tell me a very long story.")
    page.wait_for_selector("#chat .bot.message")
    page.click("#message button.stop-button")
    page.wait_for_selector("#message button.submit-button")
    before = page.inner_text("#chat .bot.message")
    page.wait_for_timeout(400)
    assert page.inner_text("#chat .bot.message") == before


def test_what_is_written_is_no_page_of_its_own(browser: Any, address: str) -> None:
    page = visit(browser, address)
    say(page, '<img src=x onerror="window.taken=1"><script>window.taken=2</script>[x](javascript:window.taken=3)')
    wait_for_counts(page)
    page.wait_for_selector("#message button.submit-button")
    with socket.create_server(("127.0.0.1", 0)) as other:
        say(page, f"![a](http://127.0.0.1:{other.getsockname()[1]}/what-was-said.png)")
        page.wait_for_selector("#chat .user.message img[alt=a]", state="attached")
        page.wait_for_selector("#message button.submit-button")
        other.settimeout(0.5)
        with pytest.raises(TimeoutError):  # an address could carry away what was said here
            other.accept()
    assert page.evaluate("window.taken") is None
    assert page.locator("#chat a[href^=javascript]").count() == 0


def test_a_phone_shows_it_in_its_own_language(browser: Any, address: str, tmp_path: Path) -> None:
    page = visit(browser, address, viewport={"width": 390, "height": 844}, locale="zh-CN")
    page.screenshot(path=tmp_path / "phone.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "续写" in page.inner_text("body")
    page.get_by_role("tab", name="续写").click()
    page.fill("#text textarea", "Once upon a time")
    page.click("#go-on")
    page.wait_for_function("/tokens\\/s/.test(document.querySelector('#text-counts').innerText)")
    assert len(page.input_value("#text textarea")) > len("Once upon a time")


def test_a_server_that_is_away_is_told_on_the_page(browser: Any, tmp_path: Path) -> None:
    from swift.environments.spawn import free_port
    from swift.ui.chat_client import ChatClient
    from swift.ui.chat_page import open_page

    page_of_none = open_page(ChatClient("http://127.0.0.1:9/v1"), title="away")
    address, _ = page_of_none.launch("127.0.0.1", free_port(), block=False)
    try:
        page = visit(browser, address)
        page.wait_for_function("document.body.innerText.includes('Is the server running?')")
        assert "http://127.0.0.1:9/v1" in page.inner_text("body")
    finally:
        page_of_none.blocks.close()
