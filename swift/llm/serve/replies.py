"""Answers as OpenAI's objects: log-probabilities, usage, chunks. Knows no request and no connection."""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from swift.llm.chat.service import CallDelta, Delta, TextLogprob
from swift.llm.engine.protocol import Finish

__all__ = ["DONE", "ChatAnswer", "Head", "TextAnswer", "Usage", "chat_deltas", "event"]

DONE = b"data: [DONE]\n\n"
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # `json.dumps` would make one for every token
LEAST = -9999.0  # JSON has no minus infinity; clients of OpenAI know this number for it


def event(value: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + dumps(value) + b"\n\n"


def dumps(value: Any) -> bytes:
    """JSON in UTF-8, without blanks."""
    return _ENCODER.encode(value).encode(errors="replace")


@dataclass(frozen=True, slots=True)
class Head:
    """What all chunks of a response have in common."""

    id: str
    object: str
    created: int
    model: str

    @classmethod
    def of(cls, prefix: str, kind: str, model: str) -> Head:
        """A head with a new id."""
        return cls(f"{prefix}-{secrets.token_hex(12)}", kind, int(time.time()), model)

    def body(self, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """A response or a chunk."""
        return {
            "id": self.id, "object": self.object, "created": self.created, "model": self.model, "choices": choices, **more,
        }  # fmt: skip


@dataclass(slots=True)
class Usage:
    """Tokens of a response: each prompt counts once, however many answers it has."""

    prompts: dict[int, int] = field(default_factory=dict)
    reused: dict[int, int] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)

    def add(self, number: int, prompt: int, delta: Delta) -> None:
        """Take note of a delta of answer ``number`` to prompt ``prompt``."""
        self.prompts[prompt] = delta.num_prompt_tokens
        self.reused[prompt] = max(self.reused.get(prompt, 0), delta.num_reused)
        self.answers[number] = delta.num_tokens

    def body(self) -> dict[str, Any]:
        """The usage object."""
        prompt, answer = sum(self.prompts.values()), sum(self.answers.values())
        return {
            "prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer,
            "prompt_tokens_details": {"cached_tokens": sum(self.reused.values())},
        }  # fmt: skip


def finish_of(finish: Finish, has_calls: bool) -> str:
    """OpenAI's word for how an answer ended."""
    return "tool_calls" if has_calls and finish == "stop" else finish


def _finite(value: float) -> float:
    return value if math.isfinite(value) else LEAST


def chat_logprobs(given: Sequence[TextLogprob]) -> dict[str, Any]:
    """Of chat: each list of likeliest tokens holds the token itself, too."""
    content = []
    for one in given:
        top = [_token(text, data, value) for _, text, data, value in one.top]
        if one.top and all(token != one.token_id for token, *_ in one.top):
            top.append(_token(one.text, one.bytes, one.logprob))
        content.append({**_token(one.text, one.bytes, one.logprob), "top_logprobs": top})
    return {"content": content, "refusal": None}


def _token(text: str, data: bytes, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": _finite(logprob), "bytes": list(data)}


def _call(call: CallDelta) -> dict[str, Any]:
    if call.name is None:
        return {"index": call.index, "function": {"arguments": call.arguments}}
    function = {"name": call.name, "arguments": call.arguments}
    return {"index": call.index, "id": call.id, "type": "function", "function": function}


def chat_deltas(delta: Delta) -> list[dict[str, Any]]:
    """What chunks add to the message; reasoning under both names that clients read.

    Each piece of a call is a chunk of its own: clients read the first of a chunk's list and no other.
    """
    out: dict[str, Any] = {}
    if delta.content:
        out["content"] = delta.content
    if delta.reasoning:
        out["reasoning_content"] = out["reasoning"] = delta.reasoning
    return [*([out] if out else []), *({"tool_calls": [_call(call)]} for call in delta.calls)]


@dataclass(slots=True)
class ChatAnswer:
    """One choice of a chat completion, put together."""

    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    logprobs: list[TextLogprob] = field(default_factory=list)
    finish: Finish | None = None

    def add(self, delta: Delta) -> None:
        """Take a delta."""
        self.content.append(delta.content)
        self.reasoning.append(delta.reasoning)
        self.logprobs += delta.logprobs
        for call in delta.calls:
            known = self.calls.setdefault(call.index, {"id": call.id, "name": call.name, "arguments": []})
            known["arguments"].append(call.arguments)
        self.finish = delta.finish or self.finish

    def choice(self, index: int, has_logprobs: bool) -> dict[str, Any]:
        """The choice object."""
        content, reasoning = "".join(self.content), "".join(self.reasoning)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content or (None if self.calls else ""),
            "refusal": None,
        }
        if reasoning:
            message["reasoning_content"] = message["reasoning"] = reasoning
        if self.calls:
            message["tool_calls"] = [
                {
                    "id": call["id"], "type": "function",
                    "function": {"name": call["name"], "arguments": "".join(call["arguments"])},
                }
                for _, call in sorted(self.calls.items())
            ]  # fmt: skip
        assert self.finish is not None
        return {
            "index": index, "message": message, "finish_reason": finish_of(self.finish, bool(self.calls)),
            "logprobs": chat_logprobs(self.logprobs) if has_logprobs else None,
        }  # fmt: skip


class TextAnswer:
    """One choice of a plain completion; ``prompt`` (None: it is not repeated) is what ``echo`` puts in front."""

    def __init__(self, index: int, *, prompt: str | None, first: tuple[int, str] | None, logprobs: int | None) -> None:
        self._index = index
        self._prompt = prompt
        self._first = first
        self._logprobs = logprobs
        self._offset = 0

    def choice(self, deltas: Sequence[Delta], *, finish: str | None, drop_answer: bool = False) -> dict[str, Any]:
        """The choice object of these deltas; offsets go on from call to call. ``drop_answer``: only the prompt was asked for."""
        text = "" if drop_answer else "".join(delta.content for delta in deltas)
        entries: list[TextLogprob | None] = [one for delta in deltas for one in delta.prompt_logprobs]
        if self._prompt is not None:
            text = self._prompt + text
            if self._first is not None:
                entries.insert(0, None)
        if not drop_answer:
            entries += [one for delta in deltas for one in delta.logprobs]
        self._prompt = None
        told = self._told(entries) if self._logprobs is not None else None
        return {"index": self._index, "text": text, "logprobs": told, "finish_reason": finish}

    def _told(self, entries: Sequence[TextLogprob | None]) -> dict[str, Any]:
        out: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        for one in entries:
            if one is None:  # the first token of a prompt follows nothing
                assert self._first is not None
                text, logprob, top = self._first[1], None, None
            else:
                text, logprob = _name(one.text, one.bytes), _finite(one.logprob)
                top = {_name(other, data): _finite(value) for _, other, data, value in one.top}
                top.setdefault(text, logprob)
            out["tokens"].append(text)
            out["token_logprobs"].append(logprob)
            out["top_logprobs"].append(top if self._logprobs else None)
            out["text_offset"].append(self._offset)
            self._offset += len(text if one is None else one.text)
        return out


def _name(text: str, data: bytes) -> str:
    """A token's text; one that is part of a character is told by its bytes, so that two of them differ."""
    return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data) if "\ufffd" in text else text
