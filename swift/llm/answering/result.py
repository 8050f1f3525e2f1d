"""One answered conversation as the JSON object that result files hold: the keys that peers write."""

from __future__ import annotations

from typing import Any

from swift.llm.core import Conversation, Message
from swift.llm.template import Template

__all__ = ["result_row", "system_of"]


def system_of(conversation: Conversation, template: Template) -> str | None:
    """The system text that the prompt had: the row's, else the plan's, else the format's own."""
    first = conversation.messages[0] if conversation.messages else None
    if first is not None and first.role == "system":
        return first.content
    if template.plan.system is not None:
        return template.plan.system
    return template.row.default_system if template.row is not None else None


def result_row(conversation: Conversation, response: str, label: str | None, template: Template) -> dict[str, Any]:
    """``system``, ``query``, ``response``, ``label``, ``history`` ([question, answer] pairs), ``images`` where there are any.

    In front of them the columns that the data set's registration keeps (``remove_useless_columns`` false).
    """
    turns = [message for message in conversation.messages if message.role != "system"]
    row: dict[str, Any] = {
        **conversation.extra,
        "system": system_of(conversation, template),
        "query": turns[-1].content if turns else "",
        "response": response,
        "label": label,
        "history": _pairs(turns[:-1]),
    }
    images = [media.source for media in conversation.media if media.kind == "image"]
    return {**row, "images": images} if images else row


def _pairs(turns: list[Message]) -> list[list[str]]:
    """Questions (and what tools said) with the answers that followed them."""
    pairs: list[list[str]] = []
    asked: list[str] = []
    for message in turns:
        if message.role == "assistant":
            pairs.append(["\n".join(asked), message.content])
            asked = []
        else:
            asked.append(message.content)
    return pairs
