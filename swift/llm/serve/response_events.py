"""An answer as OpenAI's response object, and the events that tell how it grows. Knows no request and no connection."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from swift.llm.chat.service import CallDelta, Delta, TextLogprob
from swift.llm.engine.protocol import Finish
from swift.llm.serve.errors import ApiError
from swift.llm.serve.replies import chat_logprobs, event

__all__ = ["Event", "Reply", "typed"]

Event: TypeAlias = dict[str, Any]
PARTS = {"message": "output_text", "reasoning": "reasoning_text"}


def typed(told: Event) -> bytes:
    """One server-sent event with its type before it."""
    return f"event: {told['type']}\n".encode() + event(told)


class Reply:
    """One answer: its items in the order in which the model writes them, at most the last one of them open.

    ``settings``: what the response repeats of the request. An event is to be written before the next one is asked for: what
    it holds goes on growing.
    """

    def __init__(self, settings: dict[str, Any], *, has_logprobs: bool) -> None:
        self._settings = settings
        self._id = _new_id("resp")
        self._created = int(time.time())
        self._tokens = _Tokens() if has_logprobs else None
        self._num_events = 0
        self._output: list[dict[str, Any]] = []
        self._pieces: list[str] = []
        self._is_open = False
        self._call = -1
        self._finish: Finish | None = None
        self._thoughts: list[str] = []

    @property
    def reasoning(self) -> str:
        """What the model has thought so far."""
        return "".join(self._thoughts)

    def take(self, delta: Delta) -> Iterator[Event]:
        """What a delta adds."""
        if not self._num_events:
            yield self._event("created", response=self._body("in_progress"))
            yield self._event("in_progress", response=self._body("in_progress"))
        if self._tokens is not None:
            self._tokens.add(delta.logprobs)
        if delta.reasoning:
            self._thoughts.append(delta.reasoning)
            yield from self._said("reasoning", delta.reasoning)
        if delta.content:
            yield from self._said("message", delta.content)
        for call in delta.calls:
            yield from self._called(call)
        self._finish = delta.finish or self._finish

    def end(self, usage: dict[str, Any], num_reasoning: int) -> Iterator[Event]:
        """The last events; the very last one holds the whole response.

        ``usage`` as chat tells it, ``num_reasoning``: how many of the answer's tokens are reasoning.
        """
        is_whole = self._finish == "stop"
        if is_whole and all(item["type"] == "reasoning" for item in self._output):
            yield from self._said("message", "")
        status = "completed" if is_whole else "incomplete"
        yield from self._close(status)
        more: dict[str, Any] = {"completed_at": int(time.time())}
        if not is_whole:
            more = {"incomplete_details": {"reason": "max_output_tokens"}}
        told = {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": usage["prompt_tokens_details"],
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": min(num_reasoning, usage["completion_tokens"])},
            "total_tokens": usage["total_tokens"],
        }
        yield self._event(status, response=self._body(status, usage=told, **more))

    def failed(self, error: ApiError) -> bytes:
        """The last event of an answer that comes to nothing."""
        # The codes are a closed list; this is the one for any failure.
        told = {"code": "server_error", "message": error.message}
        return typed(self._event("failed", response=self._body("failed", error=told)))

    def _body(self, status: str, **more: Any) -> dict[str, Any]:
        return {
            "id": self._id, "object": "response", "created_at": self._created, "status": status, "error": None,
            "incomplete_details": None, "output": self._output, "usage": None, **self._settings, **more,
        }  # fmt: skip

    def _event(self, kind: str, **more: Any) -> Event:
        told = {"type": f"response.{kind}", "sequence_number": self._num_events, **more}
        self._num_events += 1
        return told

    def _of_item(self, kind: str, **more: Any) -> Event:
        return self._event(kind, item_id=self._output[-1]["id"], output_index=len(self._output) - 1, **more)

    def _open(self, item: dict[str, Any]) -> Iterator[Event]:
        yield from self._close("completed")
        self._output.append(item)
        self._pieces, self._is_open = [], True
        yield self._event("output_item.added", output_index=len(self._output) - 1, item=item)

    def _said(self, kind: str, text: str) -> Iterator[Event]:
        name = PARTS[kind]
        if not self._is_open or self._output[-1]["type"] != kind:
            item: dict[str, Any] = {"id": _new_id("msg"), "type": kind, "status": "in_progress", "role": "assistant"}
            part: dict[str, Any] = {"type": name, "text": "", "annotations": [], "logprobs": []}
            if kind == "reasoning":
                item = {"id": _new_id("rs"), "type": kind, "status": "in_progress", "summary": []}
                part = {"type": name, "text": ""}
            yield from self._open({**item, "content": []})
            self._output[-1]["content"].append(part)
            yield self._of_item("content_part.added", content_index=0, part=part)
        tokens = self._tokens.of(text) if self._tokens is not None else []
        if not text:
            return
        self._pieces.append(text)
        more = {}
        if kind == "message":
            more["logprobs"] = chat_logprobs(tokens)["content"]
            self._output[-1]["content"][0]["logprobs"] += more["logprobs"]
        yield self._of_item(f"{name}.delta", content_index=0, delta=text, **more)

    def _called(self, call: CallDelta) -> Iterator[Event]:
        if call.index != self._call:
            self._call = call.index
            yield from self._open(
                {"id": _new_id("fc"), "type": "function_call", "status": "in_progress", "call_id": call.id, "name": call.name,
                 "arguments": ""}
            )  # fmt: skip
        if call.arguments:
            self._pieces.append(call.arguments)
            yield self._of_item("function_call_arguments.delta", delta=call.arguments)

    def _close(self, status: str) -> Iterator[Event]:
        if not self._is_open:
            return
        self._is_open = False
        item, text = self._output[-1], "".join(self._pieces)
        if item["type"] == "function_call":
            item["arguments"] = text
            yield self._of_item("function_call_arguments.done", name=item["name"], arguments=text)
        else:
            part = item["content"][0]
            part["text"] = text
            more = {"logprobs": part["logprobs"]} if "logprobs" in part else {}
            yield self._of_item(f"{part['type']}.done", content_index=0, text=text, **more)
            yield self._of_item("content_part.done", content_index=0, part=part)
        item["status"] = status
        yield self._event("output_item.done", output_index=len(self._output) - 1, item=item)


class _Tokens:
    """Which tokens a piece of the message was made of: what lies between the pieces is markup of the model's own format."""

    def __init__(self) -> None:
        self._waiting: list[TextLogprob] = []
        self._rest = b""  # of a token whose beginning has been given

    def add(self, tokens: Sequence[TextLogprob]) -> None:
        """Take tokens whose text is out, or will be."""
        self._waiting += tokens

    def of(self, text: str) -> list[TextLogprob]:
        """The tokens that begin in or reach into ``text``; those before it are forgotten."""
        wanted = text.encode(errors="replace")
        start = (self._rest + b"".join(one.bytes for one in self._waiting)).find(wanted)
        if start < 0:  # bytes that are no text have become replacement characters
            out, self._waiting, self._rest = self._waiting, [], b""
            return out
        end, at, out = start + len(wanted), len(self._rest), []
        self._rest = self._rest[end:]
        while self._waiting and at < end:
            one = self._waiting.pop(0)
            at += len(one.bytes)
            if at > start:
                out.append(one)
            self._rest = one.bytes[len(one.bytes) - (at - end) :] if at > end else b""
        return out


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(24)}"
