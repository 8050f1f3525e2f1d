"""What the chat page shows and what it keeps in the browser, as plain values. Knows no widget and no server.

A shown message is Gradio's dictionary: ``role``, ``content`` and, for thoughts and tool calls, ``metadata`` with a title.
The kept value is ``{"chats": [{"id", "title", "system", "shown"}, …], "current": id}``, newest chat first.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from swift.ui.chat_client import Growing, Turn

__all__ = ["current", "empty", "keep", "labels", "open_chat", "remove", "show", "start", "text_of", "turns_of"]

MOST_CHATS = 50
MOST_CHARACTERS = 2_000_000  # browsers give a page about five million for its storage
TITLE = 40

Shown = dict[str, Any]


def text_of(content: Any) -> str:
    """The text of a message's content, which Gradio hands back as a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return str(content.get("text", ""))
    return "".join(text_of(part) for part in content or ())


def turns_of(shown: Sequence[Shown], system: str) -> list[Turn]:
    """The messages to send: the system prompt, if any, and all that is no thought and no call."""
    turns = [Turn("system", system.strip())] if system.strip() else []
    for message in shown:
        if not (message.get("metadata") or {}).get("title"):
            turns.append(Turn(message["role"], text_of(message["content"])))
    return turns


def show(before: Sequence[Shown], answer: Growing, thought: str, call: str) -> list[Shown]:
    """``before`` and the answer behind it: its thought, its calls, its text, as far as there are any."""
    shown = list(before)
    if answer.reasoning:
        is_done = bool(answer.content or answer.calls or answer.finish)
        state = "done" if is_done else "pending"
        shown.append(_titled(answer.reasoning, {"title": thought, "status": state}))
    for name, arguments in answer.calls:
        shown.append(_titled(f"```json\n{arguments}\n```", {"title": f"{call}: {name}"}))
    if answer.content or not (answer.reasoning or answer.calls):
        shown.append({"role": "assistant", "content": answer.content})
    return shown


def _titled(content: str, metadata: dict[str, str]) -> Shown:
    return {"role": "assistant", "content": content, "metadata": metadata}


def empty() -> dict[str, Any]:
    """What the browser keeps at first: one chat without a message."""
    return start({"chats": [], "current": None})


def start(kept: dict[str, Any]) -> dict[str, Any]:
    """A new chat in front; chats without a message are not kept."""
    chats = [chat for chat in kept["chats"] if chat["shown"]]
    new = {"id": secrets.token_hex(6), "title": "", "system": "", "shown": []}
    return {"chats": [new, *chats][:MOST_CHATS], "current": new["id"]}


def keep(kept: dict[str, Any], shown: Sequence[Shown], system: str) -> dict[str, Any]:
    """The current chat as it is now, in front; the oldest ones go where there is no room."""
    plain = [_plain(message) for message in shown]
    first = next((message["content"] for message in plain if message["role"] == "user"), "")
    title = " ".join(first.split())
    title = title if len(title) <= TITLE else title[: TITLE - 1] + "…"
    now = {"id": kept["current"], "title": title, "system": system, "shown": plain}
    room, chats = MOST_CHARACTERS, []
    for chat in [now, *(chat for chat in kept["chats"] if chat["id"] != kept["current"])][:MOST_CHATS]:
        room -= sum(len(message["content"]) for message in chat["shown"])
        if room < 0 and chat is not now:
            break
        chats.append(chat)
    return {"chats": chats, "current": now["id"]}


def _plain(message: Shown) -> Shown:
    plain = {"role": message["role"], "content": text_of(message["content"])}
    title = (message.get("metadata") or {}).get("title")
    return {**plain, "metadata": {"title": title, "status": "done"}} if title else plain


def open_chat(kept: dict[str, Any], identity: str) -> dict[str, Any]:
    """Make another chat the current one; an unknown one changes nothing."""
    known = any(chat["id"] == identity for chat in kept["chats"])
    return {**kept, "current": identity} if known else kept


def current(kept: dict[str, Any]) -> tuple[list[Shown], str]:
    """Messages and system prompt of the current chat."""
    for chat in kept["chats"]:
        if chat["id"] == kept["current"]:
            return chat["shown"], chat["system"]
    return [], ""


def remove(kept: dict[str, Any]) -> dict[str, Any]:
    """Without the current chat; the next one is current then, or a new one."""
    rest = [chat for chat in kept["chats"] if chat["id"] != kept["current"]]
    return {"chats": rest, "current": rest[0]["id"]} if rest else empty()


def labels(kept: dict[str, Any]) -> list[tuple[str, str]]:
    """(title, id) of all chats, the newest first; a chat without a message is called by a dash."""
    return [(chat["title"] or "–", chat["id"]) for chat in kept["chats"]]
