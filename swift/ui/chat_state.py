"""What the chat page shows, as plain values. Knows no widget and no server; what is kept, the browser keeps (scripts/chat.js).

A shown message is Gradio's dictionary: ``role``, ``content`` and, for thoughts and tool calls, ``metadata`` with a title. A
picture is a user's message of its own, in front of the text that it was sent with: Markdown with a data URL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from swift.ui.chat_client import Growing, Turn

__all__ = ["picture_of", "show", "show_picture", "split_pictures", "text_of", "turns_of"]

PICTURE = re.compile(r"!\[[^\]]*\]\((data:image/[a-z]+;base64,[A-Za-z0-9+/=]+)\)")

Shown = dict[str, Any]


def text_of(content: Any) -> str:
    """The text of a message's content, which Gradio hands back as a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return str(content.get("text", ""))
    return "".join(text_of(part) for part in content or ())


def show_picture(url: str, name: str) -> Shown:
    """A user's picture; ``name`` is what is read aloud for it."""
    return {"role": "user", "content": f"![{name}]({url})"}


def picture_of(message: Shown) -> str | None:
    """The data URL of a message that is a picture."""
    found = PICTURE.fullmatch(text_of(message["content"])) if message["role"] == "user" else None
    return found[1] if found else None


def split_pictures(shown: Sequence[Shown]) -> tuple[list[Shown], list[str]]:
    """The messages without the pictures at their end, and these."""
    first = len(shown)
    while first and picture_of(shown[first - 1]) is not None:
        first -= 1
    return list(shown[:first]), [picture_of(message) or "" for message in shown[first:]]


def turns_of(shown: Sequence[Shown], system: str) -> list[Turn]:
    """The messages to send: the system prompt, if any, and all that is no thought and no call; pictures with their text."""
    turns = [Turn("system", system.strip())] if system.strip() else []
    pictures: tuple[str, ...] = ()
    for message in shown:
        if (message.get("metadata") or {}).get("title"):
            continue
        url = picture_of(message)
        if url is not None:
            pictures = (*pictures, url)
            continue
        if pictures and message["role"] != "user":
            turns.append(Turn("user", "", pictures))
            pictures = ()
        turns.append(Turn(message["role"], text_of(message["content"]), pictures))
        pictures = ()
    return [*turns, Turn("user", "", pictures)] if pictures else turns


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
