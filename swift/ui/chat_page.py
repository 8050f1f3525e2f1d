"""The chat page: a Gradio page that talks to a server over HTTP. ``open_page`` builds it, ``launch`` shows it.

The history and the pictures are in the browser (scripts/chat.js); this program holds nothing between two events. Texts follow
the browser's language.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import gradio as gr

from swift.ui import chat_state as state
from swift.ui.chat_client import ChatClient, Growing, Settings
from swift.utils.errors import SwiftError

__all__ = ["Page", "open_page", "texts"]

_SHORTEST = 0.05  # seconds between two redraws of a growing answer: each sends the whole chat
_CSS = """
.gradio-container {max-width: 1100px !important; width: 100% !important; margin: 0 auto !important}
.gradio-container > main, .gradio-container .column {width: 100%}
#counts {min-height: 1.5em; opacity: .7; font-size: .85em}
#chat {min-height: 260px}
#chat .user img {max-height: 220px; max-width: min(100%, 420px); width: auto; border-radius: 6px; margin: 0}
#attached:not(:has(button, #attached-notice:not(:empty))) {display: none}
#attached-pictures {display: flex; overflow-x: auto; gap: 6px}
#attached-pictures button {position: relative; flex: none; padding: 0; line-height: 0}
#attached-pictures img {height: 64px; max-width: 160px; object-fit: cover; border-radius: 6px}
#attached-pictures button::after {content: "×"; position: absolute; top: 2px; right: 2px; width: 18px; line-height: 18px;
  border-radius: 9px; background: #000a; color: #fff; font-size: 14px}
#attach {min-width: 48px; max-width: 48px; align-self: stretch; padding: 0; font-size: 0}
#attach::before {content: ""; width: 22px; height: 22px; background: currentColor; mask: center/contain no-repeat url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='black' stroke-width='2'%3E%3Crect x='3' y='4' width='18' height='16' rx='2'/%3E%3Ccircle cx='9' cy='10' r='2'/%3E%3Cpath d='M4 19l6-5 3 3 4-5 4 5'/%3E%3C/svg%3E")}
footer {display: none !important}
"""
# An answer may hold the address of a picture; loading it would tell another machine what the address says.
_POLICY = (
    """<meta http-equiv="Content-Security-Policy" content="img-src 'self' data: blob:; media-src 'self' data: blob:">"""
)
_ATTACHED = '<div id="attached-pictures"></div><div id="attached-notice" role="status"></div>'
_BROWSER_TEXTS = ("picture", "take_off", "no_picture", "too_large", "too_many", "not_kept", "no_room")


@cache
def texts() -> dict[str, dict[str, str]]:
    """All texts of the page, by language."""
    folder = files("swift.ui").joinpath("texts")
    return {code: json.loads(folder.joinpath(f"{code}.json").read_text("utf-8")) for code in ("en", "zh")}


def _head() -> str:
    """What the page begins with: what it may load, and its script with the texts that it says."""
    said = {code: {name: of[name] for name in _BROWSER_TEXTS} for code, of in texts().items()}
    script = files("swift.ui").joinpath("scripts", "chat.js").read_text("utf-8")
    return f"{_POLICY}<script>const SWIFT_TEXTS = {json.dumps(said)};\n{script}</script>"


def _language(request: gr.Request) -> dict[str, str]:
    """The texts for what is written here and not by the browser, which only knows those of widgets."""
    wanted = (request.headers.get("accept-language") or "en").lower()
    return texts()["zh" if wanted.startswith("zh") else "en"]


@dataclass(frozen=True, slots=True)
class Page:
    """The page and what it has to be launched with."""

    blocks: gr.Blocks
    client: ChatClient
    i18n: gr.I18n

    def launch(self, host: str, port: int, *, share: bool = False, block: bool = True) -> tuple[str, str | None]:
        """Serve the page; returns its own address and the public one. Raises OSError where the port is taken."""
        _, local, public = self.blocks.launch(
            server_name=host, server_port=port, share=share, prevent_thread_lock=not block, quiet=True, show_error=True,
            i18n=self.i18n, theme=gr.themes.Default(), css=_CSS, head=_head(), ssr_mode=False, footer_links=[], enable_monitoring=False,
        )  # fmt: skip
        return local, public


@dataclass(frozen=True, slots=True)
class _Controls:
    """The widgets that say how to answer, in the order in which `_settings` takes their values."""

    own: gr.Checkbox
    sliders: tuple[gr.Slider, ...]
    seed: gr.Number
    stop: gr.Textbox
    thinking: gr.Radio

    @property
    def all(self) -> list[Any]:
        return [self.own, *self.sliders, self.seed, self.stop, self.thinking]


_SLIDERS = (
    ("temperature", 0.0, 2.0, 0.05, 0.7),
    ("top_p", 0.05, 1.0, 0.05, 0.9),
    ("top_k", 0, 200, 1, 0),
    ("min_p", 0.0, 1.0, 0.01, 0.0),
    ("repetition_penalty", 0.8, 2.0, 0.05, 1.0),
    ("presence_penalty", -2.0, 2.0, 0.1, 0.0),
    ("frequency_penalty", -2.0, 2.0, 0.1, 0.0),
    ("max_tokens", 1, 8192, 1, 1024),
)


def _settings(own: bool, *values: Any) -> Settings:
    sliders, (seed, stop, thinking) = values[: len(_SLIDERS)], values[len(_SLIDERS) :]
    given = {} if own else dict(zip((name for name, *_ in _SLIDERS), sliders, strict=True))
    return Settings(
        **given,
        seed=None if seed is None else int(seed),
        stop=tuple(line for line in (stop or "").splitlines() if line),
        thinking={"on": True, "off": False}.get(thinking),
    )


def _controls(say: Any) -> _Controls:
    with gr.Accordion(say("sampling"), open=False):
        own = gr.Checkbox(value=True, label=say("own"), info=say("own_hint"), elem_id="own")
        sliders = tuple(
            gr.Slider(low, high, step=step, value=value, label=say(name), elem_id=name, interactive=True)
            for name, low, high, step, value in _SLIDERS
        )
        seed = gr.Number(value=None, precision=0, label=say("seed"), info=say("seed_hint"), elem_id="seed")
        stop = gr.Textbox(lines=2, label=say("stop"), elem_id="stop-texts")
    choices = [(say("thinking_model"), "model"), (say("thinking_on"), "on"), (say("thinking_off"), "off")]
    return _Controls(own, sliders, seed, stop, gr.Radio(choices, value="model", label=say("thinking")))


def open_page(client: ChatClient, *, title: str, is_base: bool = False) -> Page:
    """The page for the server of ``client``. ``is_base``: a model without a chat format begins with the text to go on with."""
    i18n = gr.I18n(**texts())
    with gr.Blocks(title=title, analytics_enabled=False, fill_height=True) as blocks:
        with gr.Sidebar(label=i18n("settings"), open=False, elem_id="settings"):
            model = gr.Dropdown([], label=i18n("model"), interactive=True, elem_id="model")
            new = gr.Button(i18n("new"), variant="primary", elem_id="new")
            system = gr.Textbox(
                lines=3, label=i18n("system"), info=i18n("system_hint"), elem_id="system", interactive=True
            )
            controls = _controls(i18n)
            chats = gr.Radio([], label=i18n("chats"), elem_id="chats", interactive=True)
            delete = gr.Button(i18n("delete"), variant="stop", size="sm", elem_id="delete")
        gr.Markdown(f"### {title}")
        with gr.Tabs(selected="complete" if is_base else "chat"):
            with gr.Tab(i18n("chat"), id="chat"):
                parts = _ChatTab(client, i18n, model, system, chats, controls)
            with gr.Tab(i18n("complete"), id="complete"):
                _completion_tab(client, i18n, model, controls)

        seeing = gr.State(())  # names of the models that take images
        chosen = gr.BrowserState(None, storage_key="swift.model", secret="a name is none")

        async def models(before: str | None) -> tuple[Any, ...]:
            try:
                found = await client.models()
            except SwiftError as error:
                gr.Warning(str(error))
                return gr.update(), (), gr.update()
            names = [one.name for one in found]
            able = tuple(one.name for one in found if one.takes_images)
            name = before if before in names else names[0] if names else None
            return gr.update(choices=names, value=name), able, gr.update(visible=name in able)

        blocks.load(models, chosen, [model, seeing, parts.attach], show_progress="hidden")
        model.input(
            lambda name, able: (gr.update(visible=name in able), name), [model, seeing], [parts.attach, chosen],
            show_progress="hidden",
        )  # fmt: skip
        loaded = blocks.load(None, None, parts.all, js="swiftChat.open")
        loaded.then(lambda: gr.update(interactive=True), None, parts.message, show_progress="hidden")
        here = [parts.chat, system]
        parts.interrupt(new.click, here, parts.all, "swiftChat.start")
        parts.interrupt(delete.click, None, parts.all, "swiftChat.remove")
        parts.interrupt(chats.input, [chats, *here], parts.all, "swiftChat.choose")
    return Page(blocks, client, i18n)


class _ChatTab:
    """The chat itself: its widgets, and what happens when somebody sends, stops, edits or asks again."""

    def __init__(self, client: ChatClient, say: Any, model: Any, system: Any, chats: Any, controls: _Controls) -> None:
        self._client = client
        self.chat = gr.Chatbot(
            show_label=False, editable="user", buttons=["copy"], placeholder=say("empty"), elem_id="chat", scale=1,
            height="62vh", reasoning_tags=None, feedback_options=None,
        )  # fmt: skip
        self.counts = gr.Markdown("", elem_id="counts")
        gr.HTML(_ATTACHED, elem_id="attached", padding=False)
        with gr.Row(equal_height=True):
            self.attach = gr.Button(say("attach"), scale=0, visible=False, elem_id="attach")
            self.message = gr.Textbox(
                placeholder=say("write"), show_label=False, lines=1, max_lines=8, submit_btn=True, autofocus=True,
                elem_id="message", interactive=False,  # until the browser's own chats are shown: they would replace a message
            )  # fmt: skip
        pictures = gr.Textbox(visible=False)  # a list of data URLs as JSON, on its way from the browser or back to it
        refresh = gr.Button(visible="hidden", elem_id="refresh")  # pressed by the script when another tab has written
        self.attach.click(None, js="swiftChat.pick")
        refresh.click(None, [self.chat, system], [self.chat, system, chats], js="swiftChat.refresh")
        self.all = [self.chat, system, chats, self.counts]
        shown = [self.chat, self.counts, self.message]
        asked = [self.chat, model, system, *controls.all]
        with_pictures = "async (text, shown) => [text, shown, await swiftChat.take()]"
        kept: dict[str, Any] = {"fn": None, "inputs": [self.chat, system], "outputs": chats}
        keep = {**kept, "js": "swiftChat.keep"}
        self.running: list[Any] = []  # the answers that are being written, to cancel them
        for begin in (
            self.message.submit(
                self._add, [self.message, self.chat, pictures], shown, js=with_pictures, show_progress="hidden"
            ),
            self.chat.retry(self._ask_again, self.chat, shown, show_progress="hidden"),
            self.chat.edit(self._edit, self.chat, shown, show_progress="hidden"),
        ):
            saved = begin.then(**kept, js="swiftChat.ask")
            answering = saved.then(
                self._answer, asked, [self.chat, self.counts], show_progress="hidden", concurrency_limit=None
            )
            self.rest_after(answering.then(**kept, js="swiftChat.answered"))
            self.running.append(answering)
        for other in (self.chat.retry, self.chat.edit):  # the answer that they replace
            other(None, None, None, cancels=self.running)
        # what a cancelled event was followed by does not happen: keep what there is, and give the box back
        self.rest_after(self.message.stop(**keep, cancels=self.running))
        self.interrupt(self.chat.clear, system, [self.chat, chats], "swiftChat.clear")
        undone = self.chat.undo(self._undo, self.chat, [self.chat, self.message, pictures], cancels=self.running)
        self.rest_after(undone.then(None, pictures, None, js="swiftChat.giveBack").then(**keep))

    def interrupt(self, event: Any, inputs: Any, outputs: Any, js: str) -> None:
        """At ``event`` the answer that is being written ends, and then ``js`` says what is shown.

        Between the two there is a way to the server and back, in which a piece of the answer that was on its way arrives; one that
        is later still is painted over what is shown, and put right by ``settle``.
        """
        ended = event(lambda: None, None, None, cancels=self.running, show_progress="hidden")
        changed = ended.then(None, inputs, outputs, js=js)
        self.rest_after(changed)
        changed.then(None, None, [self.chat, self.counts], js="swiftChat.settle")

    def rest_after(self, event: Any) -> None:
        """Let the next message be sent when ``event`` is over."""
        event.then(self._rest, None, self.message, show_progress="hidden")

    @staticmethod
    def _busy(text: str = "") -> Any:
        return gr.update(value=text, submit_btn=False, stop_btn=True)

    @staticmethod
    def _rest() -> Any:
        return gr.update(submit_btn=True, stop_btn=False)

    def _add(self, request: gr.Request, text: str, shown: list[Any], pictures: str) -> tuple[Any, ...]:
        name = _language(request)["picture"]
        added = [state.show_picture(url, name) for url in json.loads(pictures or "[]")]
        if text.strip():
            added.append({"role": "user", "content": text})
        return [*shown, *added], "", self._busy() if added else gr.update(value="")

    def _ask_again(self, shown: list[Any], data: gr.RetryData) -> tuple[Any, ...]:
        return shown[: _place(data.index) + 1], "", self._busy()

    def _edit(self, shown: list[Any], data: gr.EditData) -> tuple[Any, ...]:
        place = _place(data.index)
        return [*shown[:place], {"role": "user", "content": state.text_of(data.value)}], "", self._busy()

    def _undo(self, shown: list[Any], data: gr.UndoData) -> tuple[Any, ...]:
        place = _place(data.index)
        if state.picture_of(shown[place]) is not None:  # sent without a text
            place += 1
        text = state.text_of(shown[place]["content"]) if place < len(shown) and shown[place]["role"] == "user" else ""
        before, pictures = state.split_pictures(shown[:place])
        return before, text, json.dumps(pictures)

    async def _answer(
        self, request: gr.Request, shown: list[Any], model: str, system: str, *values: Any
    ) -> AsyncIterator[tuple[list[Any], str]]:
        """The chat with the answer to its last message, as it grows."""
        say = _language(request)
        if not shown or shown[-1]["role"] != "user":
            yield shown, ""
            return
        answer: Growing | None = None
        last = 0.0
        try:
            turns = state.turns_of(shown, system)
            async with aclosing(self._client.chat(model, turns, _settings(*values))) as steps:  # type: ignore[type-var]
                async for answer in steps:
                    if answer.took_s - last >= _SHORTEST:
                        last = answer.took_s
                        yield state.show(shown, answer, say["thought"], say["call"]), answer.counts()
        except SwiftError as error:
            gr.Warning(str(error))
            yield (shown if answer is None else state.show(shown, answer, say["thought"], say["call"])), f"⚠️ {error}"
            return
        if answer is not None:
            yield state.show(shown, answer, say["thought"], say["call"]), answer.counts()


def _completion_tab(client: ChatClient, say: Any, model: Any, controls: _Controls) -> None:
    text = gr.Textbox(lines=12, max_lines=24, label=say("text"), info=say("text_hint"), elem_id="text")
    counts = gr.Markdown("", elem_id="text-counts")
    with gr.Row():
        go_on = gr.Button(say("go_on"), variant="primary", elem_id="go-on")
        stop = gr.Button(say("stop_now"), variant="stop", elem_id="text-stop")

    async def complete(written: str, chosen: str, *values: Any) -> AsyncIterator[tuple[str, str]]:
        if not written:
            yield written, ""
            return
        last, answer = 0.0, None
        try:
            async with aclosing(client.complete(chosen, written, _settings(*values))) as steps:  # type: ignore[type-var]
                async for answer in steps:
                    if answer.took_s - last >= _SHORTEST:
                        last = answer.took_s
                        yield written + answer.content, answer.counts()
        except SwiftError as error:
            gr.Warning(str(error))
            yield written + (answer.content if answer else ""), f"⚠️ {error}"
            return
        if answer is not None:
            yield written + answer.content, answer.counts()

    running = go_on.click(
        complete, [text, model, *controls.all], [text, counts], show_progress="hidden", concurrency_limit=None
    )
    stop.click(None, None, None, cancels=[running])


def _place(index: int | tuple[int, int]) -> int:
    return index if isinstance(index, int) else index[0]
