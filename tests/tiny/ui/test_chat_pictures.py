"""Pictures on the chat page, and two pages in one browser: in a real browser, on a real server whose model has stand-in eyes."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the pages' packages are not installed: pip install swift[ui]")
pytest.importorskip("fastapi")
pytest.importorskip("PIL")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # gradio's use of pandas, at every event
    pytest.mark.filterwarnings(
        "ignore:unclosed resource:ResourceWarning"
    ),  # the page's connections to the server, at its end
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

from swift.environments.spawn import free_port  # noqa: E402
from swift.llm.chat.service import ChatService  # noqa: E402
from swift.llm.engine.fake import FakeEngine  # noqa: E402
from swift.llm.engine.protocol import Limits  # noqa: E402
from swift.llm.plan.plans import TemplatePlan  # noqa: E402
from swift.llm.template import open_template  # noqa: E402
from swift.llm.tokenizer import load_tokenizer  # noqa: E402
from swift.ui.chat_client import ChatClient  # noqa: E402
from swift.ui.chat_page import open_page  # noqa: E402

PATIENCE_MS = 30_000
SERVE = Path(__file__).resolve().parents[1] / "serve"


def of_server_tests(name: str) -> ModuleType:
    """A file of the server's tests."""
    sys.path.insert(0, str(SERVE))
    spec = importlib.util.spec_from_file_location(f"of_server_tests_{name}", SERVE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


seeing, server_tests = of_server_tests("seeing"), of_server_tests("conftest")


@pytest.fixture(scope="module")
def engine(model_folder: Path) -> FakeEngine:
    tokenizer = load_tokenizer(model_folder)
    limits = Limits(context=4096, media=True)
    return FakeEngine(server_tests.repeat_last(tokenizer), limits=limits, delay_s=0.02)


@pytest.fixture(scope="module")
def address(model_folder: Path, engine: FakeEngine) -> Iterator[str]:
    """A page for a server that repeats what is said, and says sizes of pictures."""
    tokenizer = load_tokenizer(model_folder)
    template = open_template("qwen3", tokenizer, TemplatePlan(template_type="qwen3"))
    service = ChatService(template, tokenizer, engine, seeing.Glimpse())
    with server_tests.running(service, server_tests.http_plan()) as server:
        page = open_page(ChatClient(f"{server.url}/v1", "sk-test"), title="tiny")
        try:
            yield page.launch("127.0.0.1", free_port(), block=False)[0]
        finally:
            page.blocks.close()


def visit(context: Any, address: str) -> Any:
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.wait_for_selector("#message textarea:not([disabled])")
    page.wait_for_selector("#attach")
    return page


def say(page: Any, text: str) -> None:
    page.fill("#message textarea", text)
    page.press("#message textarea", "Enter")


def wait_for_answer(page: Any, text: str) -> None:
    page.wait_for_function(
        "text => [...document.querySelectorAll('#chat .bot.message')].some(x => x.innerText.includes(text))", arg=text
    )
    page.wait_for_selector("#message button.submit-button")


def pick(page: Any, *files: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.click("#attach")
    chooser.value.set_files(list(files))


GONE = """text => {
  if (document.querySelector('#chat').innerText.includes(text)) window.goneSince = 0;
  else window.goneSince ||= Date.now();
  return window.goneSince && Date.now() - window.goneSince > 1200;
}"""

DROP = """([base64, kind]) => {
  const data = new DataTransfer();
  const bytes = Uint8Array.from(atob(base64), one => one.charCodeAt(0));
  data.items.add(new File([bytes], 'one.png', {type: 'image/png'}));
  const options = {bubbles: true, cancelable: true};
  const place = document.querySelector('#message textarea');
  place.dispatchEvent(kind == 'paste' ? new ClipboardEvent('paste', {...options, clipboardData: data})
                                      : new DragEvent('drop', {...options, dataTransfer: data}));
}"""


def give(page: Any, kind: str, width: int, height: int) -> None:
    """Paste or drop a picture of that size."""
    page.evaluate(DROP, [seeing.inline(width, height).partition(",")[2], kind])


@pytest.mark.parametrize(("width", "height"), [(1280, 860), (390, 844)])
def test_pictures_are_attached_sent_kept_and_taken_back(
    browser: Any, address: str, engine: FakeEngine, tmp_path: Path, width: int, height: int
) -> None:
    (tmp_path / "wide.png").write_bytes(seeing.picture(3200, 800))
    (tmp_path / "note.png").write_text("no picture")
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-US")
    page = visit(context, address)
    pick(page, tmp_path / "wide.png", tmp_path / "note.png")
    page.wait_for_function("document.querySelector('#attached-notice').innerText.startsWith('note.png: is no picture')")
    give(page, "paste", 40, 30)
    give(page, "drop", 20, 10)
    page.wait_for_function("document.querySelectorAll('#attached-pictures img').length == 3")
    page.screenshot(path=tmp_path / "attached.png")
    page.locator("#attached-pictures button").nth(1).click()
    say(page, "what is it?")
    wait_for_answer(page, "[1600 x 400][20 x 10]what is it?")
    request = engine.requests[-1]
    assert request.media is not None
    assert request.media["sizes"] == [(1600, 400), (20, 10)]
    assert page.locator("#attached-pictures img").count() == 0
    assert page.locator("#chat .user img").evaluate_all("all => all.map(one => one.naturalWidth)") == [1600, 20]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=tmp_path / "answered.png")
    page.reload()
    page.wait_for_selector("#chat .bot.message")
    assert page.locator("#chat .user img").count() == 2
    page.wait_for_selector("#message textarea:not([disabled])")
    say(page, "and now?")
    wait_for_answer(page, "and now?")
    assert engine.requests[-1].media is not None
    assert engine.requests[-1].media["sizes"] == [(1600, 400), (20, 10)]
    page.get_by_label("Undo").last.click()
    page.wait_for_function("document.querySelector('#message textarea').value == 'and now?'")
    page.get_by_label("Undo").last.click()
    page.wait_for_function("document.querySelectorAll('#attached-pictures img').length == 2")
    assert page.input_value("#message textarea") == "what is it?"
    context.close()


def test_a_picture_without_a_text_asked_again(browser: Any, address: str, engine: FakeEngine) -> None:
    context = browser.new_context(locale="en-US")
    page = visit(context, address)
    give(page, "drop", 33, 44)
    page.wait_for_selector("#attached-pictures img")
    say(page, "")
    wait_for_answer(page, "[33 x 44]")
    before = len(engine.requests)
    page.get_by_label("Retry").click()
    page.wait_for_selector("#message button.stop-button", state="attached")
    page.wait_for_selector("#message button.submit-button")
    assert [request.media["sizes"] for request in engine.requests[before:] if request.media] == [[(33, 44)]]
    context.close()


def chats_of(page: Any) -> list[str]:
    """The chats that the list shows, sorted."""
    return sorted(page.locator("#chats label").all_inner_texts())


def kept(page: Any) -> dict[str, list[str]]:
    """What the browser keeps: titles, and what users said in them."""
    script = (
        "() => Object.keys(localStorage).filter(x => x.startsWith('swift-chat/')).map(x => localStorage.getItem(x))"
    )
    chats = [json.loads(text) for text in page.evaluate(script)]
    return {chat["title"]: [one["content"] for one in chat["shown"] if one["role"] == "user"] for chat in chats}


def test_two_pages_keep_their_chats_side_by_side(browser: Any, address: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-US")
    one, other = visit(context, address), visit(context, address)
    for page, text in ((one, "first page"), (other, "second page"), (one, "first again")):
        say(page, text)
        wait_for_answer(page, text)
    assert kept(one) == {"first page": ["first page", "first again"], "second page": ["second page"]}
    one.click(".toggle-button")
    one.wait_for_function("document.querySelectorAll('#chats label').length == 2")  # told of the other page's
    assert chats_of(one) == ["first page", "second page"]
    third = visit(context, address)  # shows the newest one
    assert "first again" in third.inner_text("#chat")
    say(third, "from the third")
    wait_for_answer(third, "from the third")
    one.wait_for_function(
        "document.querySelector('#chat').innerText.includes('from the third')"
    )  # it shows that chat, too
    one.click("#chats label:has-text('second page')")
    one.wait_for_function("document.querySelector('#chat').innerText.includes('second page')")
    one.click("#delete")
    one.wait_for_function("document.querySelectorAll('#chats label').length == 1")
    assert kept(one) == {"first page": ["first page", "first again", "from the third"]}
    context.close()


def test_what_is_done_while_an_answer_is_written(browser: Any, address: str) -> None:
    """A text waits in its box, other pages do not wait, and nothing of the answer gets into another chat."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-US")
    page, other = visit(context, address), visit(context, address)

    def begin(text: str) -> None:
        """An answer that takes many seconds."""
        say(page, text + " one two three" * 200)
        page.wait_for_selector(f"#chat .bot.message:has-text('{text}')")

    def wait_until_gone(text: str) -> None:
        """For good: a piece that is on its way may show it once more, for a moment."""
        page.wait_for_function(GONE, arg=text)
        page.wait_for_selector("#message button.submit-button")

    begin("alpha")
    say(page, "waits")
    assert page.input_value("#message textarea") == "waits"
    say(other, "beta")
    wait_for_answer(other, "beta")
    assert page.locator("#message .stop-button").count() == 1  # the first is still being written
    page.click(".toggle-button")
    page.click("#new")
    wait_until_gone("alpha")
    page.evaluate("window.goneSince = 0")
    page.click(".toggle-button")
    begin("gamma")
    page.get_by_label("Clear").click()
    wait_until_gone("gamma")
    assert sorted(said[0].split()[0] for said in kept(page).values() if said) == ["alpha", "beta"]
    context.close()


def test_two_pages_that_go_on_with_one_chat_lose_nothing(browser: Any, address: str) -> None:
    context = browser.new_context(locale="en-US")
    one = visit(context, address)
    say(one, "begin")
    wait_for_answer(one, "begin")
    other = visit(context, address)
    one.evaluate("document.querySelector('#refresh').remove()")  # it is not told in time
    for page, text in ((other, "one way"), (one, "another way")):
        say(page, text)
        wait_for_answer(page, text)
    found = [chat["shown"] for chat in json.loads(one.evaluate(
        "JSON.stringify(Object.keys(localStorage).filter(x => x.startsWith('swift-chat/')).map(x => JSON.parse(localStorage.getItem(x))))"
    ))]  # fmt: skip
    assert sorted(shown[2]["content"] for shown in found) == ["another way", "one way"]
    context.close()


def test_a_full_browser_keeps_the_newest_and_says_what_it_does_not(browser: Any, address: str) -> None:
    context = browser.new_context(locale="en-US")
    page = visit(context, address)
    picture = "data:image/jpeg;base64," + "A" * 1_500_000

    def keep(text: str, *pictures: str) -> None:
        shown = [{"role": "user", "content": f"![x]({url})"} for url in pictures]
        page.evaluate(
            "([shown]) => { swiftChat.start(); swiftChat.keep(shown, '') }",
            [[*shown, {"role": "user", "content": text}]],
        )

    for number in range(4):
        keep(f"chat {number}", picture)
    assert {title: len(said) for title, said in kept(page).items()} == {f"chat {number}": 2 for number in range(4)}
    assert [said[0][:3] == "![x" for _, said in sorted(kept(page).items())] == [False, False, True, True]
    for number in range(4, 8):
        keep(f"chat {number} " + "y" * 1_100_000)
    assert [title[:6] for title in sorted(kept(page))] == ["chat 5", "chat 6", "chat 7"]
    keep("too much", *[picture] * 3)
    assert kept(page)["too much"][-1] == "too much"
    assert "not kept" in page.inner_text("#attached-notice")
    context.close()


def test_the_model_that_was_chosen_stays(browser: Any, address: str) -> None:
    page = visit(browser.new_context(locale="en-US"), address)
    page.click(".toggle-button")
    page.click("#model input")
    page.click("[role=option]:has-text('gpt-4o')")
    page.wait_for_function("'swift.model' in localStorage")
    page.reload()
    page.wait_for_function("document.querySelector('#model input')?.value")
    assert page.input_value("#model input") == "gpt-4o"
