"""``/v1/chat/completions``: one request to the deltas of its answers, and these to a response or to events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from swift.llm.chat.service import Delta
from swift.llm.core import Conversation, Grammar, Sampling
from swift.llm.serve.convert import conversation_of, form_of, refuse_unsupported, sampling_for
from swift.llm.serve.errors import invalid, refused
from swift.llm.serve.pictures import Pictures
from swift.llm.serve.replies import DONE, ChatAnswer, Head, Usage, chat_deltas, chat_logprobs, dumps, event, finish_of
from swift.llm.serve.schema import ChatRequest
from swift.llm.serve.site import Site
from swift.llm.serve.stream import EventStream
from swift.utils.errors import DataError

__all__ = ["answer_chat", "prepare_chat", "told_to_template"]

OWN_NAMES = ("messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "chat_template")


async def answer_chat(site: Site, request: ChatRequest, http: Request) -> Response:
    """The response. Raises ApiError and SwiftError."""
    streams = await prepare_chat(site, request, http)
    if request.stream:
        return EventStream(_events(site, request, streams), site.desk)
    return await site.desk.attend(http.receive, _whole(site, request, streams))


async def prepare_chat(site: Site, request: ChatRequest, http: Request) -> list[AsyncIterator[Delta]]:
    """The answers, none of them begun. Raises ApiError and SwiftError for a request that can have none."""
    pictures = site.pictures(request.images)
    asked = await site.apart(http, partial(_read, site, request, pictures))
    if pictures is not None and pictures.places:
        asked = replace(asked, conversation=await site.seen(http, asked.conversation, pictures))
    return await site.apart(http, partial(_streams, site, request, asked, pictures))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request as far as it can be read without its images' pixels."""

    conversation: Conversation
    sampling: Sampling
    adapter: str | None
    logprobs: int | None
    grammar: Grammar | None
    forced: str | bool


def _read(site: Site, request: ChatRequest, pictures: Pictures | None) -> _Asked:
    adapter = site.adapter_of(request.model)
    refuse_unsupported(request)
    logprobs = _alternatives(site, request)
    grammar, forced = form_of(request)
    if (grammar is not None or forced) and not site.engine.limits.grammars:
        raise refused("tool_choice" if forced else "response_format", "this engine cannot hold an answer to a form.")
    _check_ending(request)
    tools = None if request.tool_choice == "none" else request.tools
    if request.images and pictures is None:
        raise refused("images", "the model of this server takes text only.")
    conversation = conversation_of(request.messages, tools, told_to_template(site, request), pictures)
    if site.service.template.plan.truncation != "truncation_left":
        site.check_length(sum(len(message.content) for message in conversation.messages), "messages")
    sampling = sampling_for(request, site.sampling, _max_tokens(site, request), site.service.tokenizer.vocab_size)
    return _Asked(conversation, sampling, adapter, logprobs, grammar, forced)


def _streams(site: Site, request: ChatRequest, asked: _Asked, pictures: Pictures | None) -> list[AsyncIterator[Delta]]:
    conversation, grammar = asked.conversation, asked.grammar
    prompt = site.prepare(conversation, pictures)  # one that cannot be is refused before anything is begun
    if asked.forced:
        name = asked.forced if isinstance(asked.forced, str) else None
        grammar = site.service.tool_grammar(conversation, prompt, name)
    elif grammar is not None:
        grammar = site.service.form_grammar(conversation, prompt, grammar)
    out = []
    for number in range(request.n or 1):
        stream = site.service.stream(
            conversation, nth(asked.sampling, number), adapter=asked.adapter, logprobs=asked.logprobs, grammar=grammar,
            prompt=prompt,
        )  # fmt: skip
        if grammar is not None:
            stream = _bound(stream, "tools" if asked.forced else "response_format")
        out.append(_first_call(stream) if request.parallel_tool_calls is False else stream)
    return out


def _check_ending(request: ChatRequest) -> None:
    """Raises ApiError where the client says that something else is to be done with the last message than what is done."""
    goes_on = request.messages[-1].role == "assistant"
    for field, wanted in (
        ("continue_final_message", request.continue_final_message),
        ("add_generation_prompt", None if request.add_generation_prompt is None else not request.add_generation_prompt),
    ):
        if wanted is not None and wanted != goes_on:
            raise invalid(
                field, "a last message of the assistant is always gone on with, and any other answered. Leave it out, or end the"
                f" messages with one of {'the assistant' if wanted else 'the user'}.",
            )  # fmt: skip


async def _bound(stream: AsyncIterator[Delta], field: str) -> AsyncIterator[Delta]:
    """The answer. Raises ApiError where its grammar, made of ``field``, cannot be followed."""
    try:
        async with aclosing(stream) as deltas:  # type: ignore[type-var]
            async for delta in deltas:
                yield delta
    except DataError as error:  # the conversation itself has been encoded before
        raise invalid(field, str(error)) from None


def nth(sampling: Sampling, number: int) -> Sampling:
    """The sampling of answer ``number``: with a seed each has its own."""
    return sampling if sampling.seed is None or number == 0 else replace(sampling, seed=sampling.seed + number)


def _alternatives(site: Site, request: ChatRequest) -> int | None:
    if not request.logprobs:
        if request.top_logprobs:
            raise invalid("top_logprobs", "has a meaning only with logprobs true.")
        return None
    return check_logprobs(site, request.top_logprobs or 0, "top_logprobs")


def check_logprobs(site: Site, wanted: int, field: str) -> int:
    """The number that was asked for. Raises ApiError where the engine gives fewer."""
    most = site.engine.limits.logprobs
    if most is None:
        raise refused("logprobs", "this engine gives no log-probabilities.")
    if wanted > most:
        raise invalid(field, f"{wanted}; this engine gives at most {most}.")
    return wanted


def _max_tokens(site: Site, request: ChatRequest) -> int | None:
    old, new = request.max_tokens, request.max_completion_tokens
    if old is not None and new is not None and old != new:
        raise invalid("max_tokens", f"{old}, and max_completion_tokens {new}: two answers to one question.")
    return check_max_tokens(site, new if new is not None else old)


def check_max_tokens(site: Site, wanted: int | None) -> int | None:
    """The number that was asked for. Raises ApiError where it is over --max_tokens_limit."""
    most = site.http.max_tokens_limit
    if most is not None and wanted is not None and wanted > most:
        raise invalid("max_tokens", f"{wanted:,}; this server gives at most {most:,} tokens to an answer.")
    return wanted


def told_to_template(site: Site, request: Any) -> dict[str, Any]:
    """What the client tells the template. Raises ApiError for what is not its to say, or has no effect on this template."""
    kwargs = dict(request.chat_template_kwargs or {})
    for name in kwargs:
        if name in OWN_NAMES:
            raise refused(f"chat_template_kwargs.{name}", "is said elsewhere in the request.")
    effort = getattr(request, "reasoning_effort", None)
    if effort == "none" and site.knows_thinking:
        kwargs.setdefault("enable_thinking", False)
    elif effort is not None and effort != "none" and site.knows_effort:
        kwargs.setdefault("reasoning_effort", effort)
    elif effort is not None:
        raise refused("reasoning_effort", f"the model's template knows no such setting ({effort}). Leave it out.")
    return kwargs


async def _first_call(stream: AsyncIterator[Delta]) -> AsyncIterator[Delta]:
    """The answer up to the end of its first tool call."""
    async with aclosing(stream) as deltas:  # type: ignore[type-var]
        async for delta in deltas:
            if any(call.index > 0 for call in delta.calls):
                calls = tuple(call for call in delta.calls if call.index == 0)
                yield replace(delta, content="", calls=calls, finish="stop")
                return
            yield delta


async def _whole(site: Site, request: ChatRequest, streams: list[AsyncIterator[Delta]]) -> Response:
    answers = [ChatAnswer() for _ in streams]
    usage = Usage()
    async with aclosing(site.answer(streams)) as deltas:  # type: ignore[type-var]
        async for number, delta in deltas:
            answers[number].add(delta)
            usage.add(number, 0, delta)
    head = Head.of("chatcmpl", "chat.completion", request.model)
    choices = [answer.choice(number, bool(request.logprobs)) for number, answer in enumerate(answers)]
    return Response(dumps(head.body(choices, usage=usage.body())), media_type="application/json")


async def _events(site: Site, request: ChatRequest, streams: list[AsyncIterator[Delta]]) -> AsyncIterator[bytes]:
    head = Head.of("chatcmpl", "chat.completion.chunk", request.model)
    with_usage = bool(request.stream_options and request.stream_options.include_usage)
    always = with_usage and bool(request.stream_options and request.stream_options.continuous_usage_stats)
    usage = Usage()
    begun: set[int] = set()
    calling: set[int] = set()

    def chunk(number: int, delta: dict[str, Any], logprobs: Any = None, finish: str | None = None) -> bytes:
        choice = {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        more = {"usage": usage.body() if always else None} if with_usage else {}
        return event(head.body([choice], **more))

    async with aclosing(site.answer(streams)) as deltas:  # type: ignore[type-var]
        async for number, delta in deltas:
            usage.add(number, 0, delta)
            if number not in begun:
                begun.add(number)
                yield chunk(number, {"role": "assistant", "content": ""})
            if delta.calls:
                calling.add(number)
            told = chat_logprobs(delta.logprobs) if request.logprobs and delta.logprobs else None
            for said in chat_deltas(delta) or ([{}] if told else []):
                yield chunk(number, said, told)
                told = None
            if delta.finish is not None:
                yield chunk(number, {}, None, finish_of(delta.finish, number in calling))
    if with_usage:
        yield event(head.body([], usage=usage.body()))
    yield DONE
