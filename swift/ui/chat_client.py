"""A conversation over HTTP, as the chat page needs it: what the server has, and its answers as they grow.

Speaks the OpenAI protocol through the official client, to our own server or to any other. Knows no page.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from openai import APIConnectionError, APIStatusError, AsyncOpenAI, OpenAIError

from swift.utils.errors import SwiftError

__all__ = ["ChatClient", "Growing", "Served", "Settings", "Turn"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as the server takes it: ``role``, text, pictures (data URLs) before it. Reasoning of earlier answers is not
    sent back.
    """

    role: str
    content: str
    pictures: tuple[str, ...] = ()

    def message(self) -> dict[str, Any]:
        """The message in the request."""
        if not self.pictures:
            return {"role": self.role, "content": self.content}
        parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}} for url in self.pictures]
        text = [{"type": "text", "text": self.content}] if self.content else []
        return {"role": self.role, "content": [*parts, *text]}


@dataclass(frozen=True, slots=True)
class Served:
    """A model or adapter of the server: its name, and whether it says that it takes images."""

    name: str
    takes_images: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """What the sliders say; None leaves it to the server. ``thinking`` asks models that can for it, or for none."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    thinking: bool | None = None

    def fields(self) -> dict[str, Any]:
        """The request's fields; those that are not OpenAI's go into ``extra_body``."""
        known = {
            name: getattr(self, name)
            for name in ("max_tokens", "temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")
            if getattr(self, name) is not None
        }
        extra: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("top_k", "min_p", "repetition_penalty")
            if getattr(self, name) is not None
        }
        if self.thinking is not None:
            extra["chat_template_kwargs"] = {"enable_thinking": self.thinking}
        if self.stop:
            known["stop"] = list(self.stop)
        return {**known, "extra_body": extra} if extra else known


@dataclass(slots=True)
class Growing:
    """An answer so far. ``calls``: name and arguments of each tool call. Token counts are None until the server says them."""

    content: str = ""
    reasoning: str = ""
    calls: list[list[str]] = field(default_factory=list)
    finish: str | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    first_after_s: float | None = None
    took_s: float = 0.0

    def counts(self) -> str:
        """One line of numbers: tokens of prompt and answer, tokens a second, seconds until the first one."""
        parts = []
        if self.prompt_tokens is not None and self.answer_tokens is not None:
            parts.append(f"{self.prompt_tokens:,} + {self.answer_tokens:,} tokens")
            if self.took_s > 0:
                parts.append(f"{self.answer_tokens / self.took_s:,.1f} tokens/s")
        if self.first_after_s is not None:
            parts.append(f"{self.first_after_s:.2f} s to the first")
        if self.finish not in (None, "stop"):
            parts.append(f"ended by: {self.finish}")
        return " · ".join(parts)


class ChatClient:
    """One server. Raises SwiftError with the server's own words where it refuses, and with its address where it is away."""

    def __init__(self, base_url: str, api_key: str | None = None, timeout_s: float = 600.0) -> None:
        self.base_url = base_url
        self._client = AsyncOpenAI(base_url=base_url, api_key=api_key or "none", timeout=timeout_s, max_retries=0)

    async def models(self) -> list[Served]:
        """The models and adapters that the server has."""
        try:
            found = [model async for model in self._client.models.list()]
            return [Served(model.id, (model.model_extra or {}).get("is_multimodal") is True) for model in found]
        except OpenAIError as error:
            raise self._readable(error) from error

    async def chat(self, model: str, turns: Sequence[Turn], settings: Settings) -> AsyncIterator[Growing]:
        """The answer, again and again as it grows. Leaving early closes the connection, which ends it on the server."""
        messages: Any = [turn.message() for turn in turns]
        answer, start = Growing(), time.monotonic()
        try:
            stream = await self._client.chat.completions.create(
                model=model, messages=messages, stream=True, stream_options={"include_usage": True}, **settings.fields()
            )
            async with stream:
                async for chunk in stream:
                    if _take_chat(answer, chunk):
                        answer.first_after_s = answer.first_after_s or time.monotonic() - start
                    answer.took_s = time.monotonic() - start
                    yield answer
        except OpenAIError as error:
            raise self._readable(error) from error

    async def complete(self, model: str, text: str, settings: Settings) -> AsyncIterator[Growing]:
        """How the model goes on with a text, without any chat format."""
        answer, start = Growing(), time.monotonic()
        fields = settings.fields()
        fields.get("extra_body", {}).pop("chat_template_kwargs", None)
        try:
            stream = await self._client.completions.create(
                model=model, prompt=text, stream=True, stream_options={"include_usage": True}, **fields
            )
            async with stream:
                async for chunk in stream:
                    for choice in chunk.choices:
                        answer.content += choice.text
                        answer.finish = choice.finish_reason or answer.finish
                        answer.first_after_s = answer.first_after_s or time.monotonic() - start
                    _take_usage(answer, chunk)
                    answer.took_s = time.monotonic() - start
                    yield answer
        except OpenAIError as error:
            raise self._readable(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _readable(self, error: OpenAIError) -> SwiftError:
        if isinstance(error, APIStatusError):
            body = error.body if isinstance(error.body, dict) else {}
            return SwiftError(f"{error.status_code}: {body.get('message') or error.message}")
        if isinstance(error, APIConnectionError):
            return SwiftError(f"no answer from {self.base_url}: {error.__cause__ or error}. Is the server running?")
        return SwiftError(str(error))


def _take_chat(answer: Growing, chunk: Any) -> bool:
    """Add what a chunk of a chat brings; whether that was part of the answer."""
    before = len(answer.content) + len(answer.reasoning) + len(answer.calls)
    for choice in chunk.choices:
        delta = choice.delta
        answer.content += delta.content or ""
        # not in OpenAI's own schema: servers say it under one of two names
        extra = delta.model_extra or {}
        answer.reasoning += extra.get("reasoning_content") or extra.get("reasoning") or ""
        for call in delta.tool_calls or ():
            while len(answer.calls) <= call.index:
                answer.calls.append(["", ""])
            if call.function is not None:
                answer.calls[call.index][0] += call.function.name or ""
                answer.calls[call.index][1] += call.function.arguments or ""
        answer.finish = choice.finish_reason or answer.finish
    _take_usage(answer, chunk)
    return len(answer.content) + len(answer.reasoning) + len(answer.calls) > before


def _take_usage(answer: Growing, chunk: Any) -> None:
    if chunk.usage is not None:
        answer.prompt_tokens, answer.answer_tokens = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
