"""``/v1/responses``: a request of OpenAI's Responses API as one of chat, and chat's deltas as a response. Nothing is stored."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from swift.llm.chat.service import Delta
from swift.llm.serve.chat import prepare_chat
from swift.llm.serve.convert import refuse_unsupported
from swift.llm.serve.errors import ApiError, invalid, refused, to_api_error
from swift.llm.serve.replies import Usage, dumps
from swift.llm.serve.response_events import Event, Reply, typed
from swift.llm.serve.response_schema import (
    LOGPROBS,
    REFUSED_HERE,
    CallItem,
    InputPart,
    Item,
    MessageItem,
    NamedFunctionTool,
    OutputItem,
    ReasoningItem,
    ResponsesRequest,
    TextFormat,
)
from swift.llm.serve.schema import (
    AssistantMessage,
    CallMessage,
    ChatMessage,
    ChatRequest,
    Function,
    FunctionCall,
    ImageUrl,
    JsonSchema,
    NamedFunction,
    NamedTool,
    Part,
    ResponseFormat,
    SystemMessage,
    Tool,
    ToolMessage,
    UserMessage,
)
from swift.llm.serve.site import Site
from swift.llm.serve.stream import EventStream
from swift.utils.errors import SwiftError

__all__ = ["answer_response"]

OWN_WORDS = {
    "messages": "input", "max_tokens": "max_output_tokens", "response_format": "text.format", "logprobs": "include",
    "response_format.json_schema.schema": "text.format.schema", "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
}  # fmt: skip
"""Fields of chat by the names that they have here."""
PART_TYPES: dict[str, Any] = {"input_text": "text", "output_text": "text", "input_file": "file"}


async def answer_response(site: Site, request: ResponsesRequest, http: Request) -> Response:
    """The response. Raises ApiError and SwiftError."""
    asked, places = await site.apart(http, partial(_as_chat, site, request))
    with _in_own_words(places):
        streams = await prepare_chat(site, asked, http)
    reply = Reply(_settings(site, request), has_logprobs=bool(asked.logprobs))
    answer = _Answer(site, reply, streams, places)
    if request.stream:
        return EventStream(answer.written(), site.desk, reply.failed)
    return await site.desk.attend(http.receive, answer.whole())


class _Answer:
    """One answer on its way from the engine into its reply."""

    def __init__(
        self, site: Site, reply: Reply, streams: Sequence[AsyncIterator[Delta]], places: Sequence[str]
    ) -> None:
        self._site = site
        self._reply = reply
        self._streams = streams
        self._places = places
        self._usage = Usage()

    async def whole(self) -> Response:
        """The response object."""
        last: Event = {}
        async with aclosing(self._events()) as events:  # type: ignore[type-var]
            async for event in events:
                last = event
        return Response(dumps(last["response"]), media_type="application/json")

    async def written(self) -> AsyncIterator[bytes]:
        """The same as events."""
        async with aclosing(self._events()) as events:  # type: ignore[type-var]
            async for event in events:
                yield typed(event)

    async def _events(self) -> AsyncIterator[Event]:
        with _in_own_words(self._places):
            async with aclosing(self._site.answer(self._streams)) as deltas:  # type: ignore[type-var]
                async for _, delta in deltas:
                    self._usage.add(0, 0, delta)
                    for event in self._reply.take(delta):
                        yield event
        thought: Sequence[int] = ()
        if self._reply.reasoning:  # deltas do not say whose their tokens are: those of its text are counted
            thought = await asyncio.to_thread(self._site.service.tokenizer.encode, self._reply.reasoning)
        for event in self._reply.end(self._usage.body(), len(thought)):
            yield event


@contextmanager
def _in_own_words(places: Sequence[str]) -> Iterator[None]:
    """Errors of chat name the field that it came from; ``places``: of each message of chat, where its content stands here."""
    try:
        yield
    except (ApiError, SwiftError) as error:
        told = to_api_error(error)
        if told.param is None:
            raise
        name = OWN_WORDS.get(told.param, told.param)
        if found := re.fullmatch(r"messages\.(\d+)\.content(.*)", told.param):
            name = places[int(found[1])] + found[2].replace(".image_url.detail", ".detail")
        said = told.message.removeprefix(f"{told.param}: ")
        said = said if said == told.message else f"{name}: {said}"
        raise ApiError(told.status, said, param=name, code=told.code, headers=told.headers) from error


def _as_chat(site: Site, request: ResponsesRequest) -> tuple[ChatRequest, list[str]]:
    """The request as one of chat, and `_in_own_words`' places. Raises ApiError."""
    refuse_unsupported(request, REFUSED_HERE)
    for name in request.include or ():
        if name == "reasoning.encrypted_content":
            raise refused(
                "include", f"{name}: reasoning is not encrypted; its text is in the answer, and may be sent back."
            )
        if name != LOGPROBS:
            raise refused("include", f"{name[:200]!r} is nothing that an answer holds here. Known is {LOGPROBS}.")
    if request.top_logprobs and not request.include:
        raise invalid("top_logprobs", f"has a meaning only with {LOGPROBS} in include.")
    does = _truncation(site)
    if request.truncation not in (None, does):
        raise refused("truncation", f"this server was started for {does!r} (--truncation_strategy). Leave it out.")
    messages, places = _messages(request)
    given: dict[str, Any] = {
        "temperature": request.temperature, "top_p": request.top_p, "max_completion_tokens": request.max_output_tokens,
        "logprobs": True if request.include else None, "top_logprobs": request.top_logprobs,
        "reasoning_effort": request.reasoning and request.reasoning.effort,
        "verbosity": request.text and request.text.verbosity,
        "response_format": _form(request.text.format) if request.text and request.text.format else None,
        "parallel_tool_calls": request.parallel_tool_calls,
    }  # fmt: skip
    if request.tools is not None:
        given["tools"] = [
            Tool(type="function", function=Function(**tool.model_dump(exclude={"type"}))) for tool in request.tools
        ]
    choice = request.tool_choice
    given["tool_choice"] = (
        NamedTool(type="function", function=NamedFunction(name=choice.name))
        if isinstance(choice, NamedFunctionTool)
        else choice
    )
    told = {name: value for name, value in given.items() if value is not None}
    return ChatRequest(model=request.model, messages=messages, **told), places


def _truncation(site: Site) -> str:
    return "auto" if site.service.template.plan.truncation == "truncation_left" else "disabled"


def _form(form: TextFormat) -> ResponseFormat:
    if form.type != "json_schema":
        return ResponseFormat(type=form.type)
    if form.name is None:
        raise invalid("text.format.name", "is missing.")
    return ResponseFormat(type=form.type, json_schema=JsonSchema(name=form.name, schema=form.schema_))


def _messages(request: ResponsesRequest) -> tuple[list[ChatMessage], list[str]]:
    """Items as messages: what the assistant thought, said and called one after the other is one message of it."""
    messages: list[ChatMessage] = []
    places: list[str] = []
    if request.instructions is not None:
        messages.append(SystemMessage(role="system", content=request.instructions))
        places.append("instructions")
    items: Sequence[Item] = () if isinstance(request.input, str) else request.input
    if isinstance(request.input, str):
        messages.append(UserMessage(role="user", content=request.input))
        places.append("input")
    for number, item in enumerate(items):
        place = f"input.{number}.{'output' if isinstance(item, OutputItem) else 'content'}"
        one = _message(item, f"input.{number}")
        if one is None:
            continue
        if messages and isinstance(one, AssistantMessage) and (joined := _joined(messages[-1], one)) is not None:
            messages[-1] = joined
            if one.content is not None:
                places[-1] = place
            continue
        messages.append(one)
        places.append(place)
    if not messages:
        raise invalid("input", "there is nothing to answer: only empty reasoning.")
    return messages, places


def _joined(last: ChatMessage, new: AssistantMessage) -> AssistantMessage | None:
    """``new`` as part of the assistant's message before it; None: it begins another one."""
    if not isinstance(last, AssistantMessage):
        return None
    if new.tool_calls:
        return last.model_copy(update={"tool_calls": [*(last.tool_calls or ()), *new.tool_calls]})
    if last.content is not None:
        return None
    if new.content is not None:
        return last.model_copy(update={"content": new.content})
    if last.tool_calls:
        return None
    return last.model_copy(update={"reasoning": f"{last.reasoning}\n{new.reasoning}"})


def _message(item: Item, place: str) -> ChatMessage | None:
    """An item as a message of chat; None where it says nothing."""
    if isinstance(item, ReasoningItem):
        if item.encrypted_content is not None:
            raise refused(
                f"{place}.encrypted_content", "cannot be read here. Leave it out, or send the reasoning's text."
            )
        text = "\n".join(part.text for part in item.content or item.summary or ())
        return AssistantMessage(role="assistant", reasoning=text) if text else None
    if isinstance(item, CallItem):
        call = CallMessage(id=item.call_id, function=FunctionCall(name=item.name, arguments=item.arguments))
        return AssistantMessage(role="assistant", tool_calls=[call])
    if isinstance(item, OutputItem):
        return ToolMessage(role="tool", content=_content(item.output), tool_call_id=item.call_id)
    return _said(item)


def _said(item: MessageItem) -> ChatMessage:
    content = _content(item.content)
    if item.role == "user":
        return UserMessage(role="user", content=content)
    if item.role == "assistant":
        return AssistantMessage(role="assistant", content=content)
    return SystemMessage(role=item.role, content=content)


def _content(given: str | list[InputPart]) -> str | list[Part]:
    return given if isinstance(given, str) else [_part(part) for part in given]


def _part(part: InputPart) -> Part:
    if part.type == "input_image":
        image = ImageUrl(url=part.image_url, detail=part.detail) if part.image_url is not None else None
        return Part(type="image_url", image_url=image)
    return Part(type=PART_TYPES.get(part.type, part.type), text=part.text, refusal=part.refusal)


def _settings(site: Site, request: ResponsesRequest) -> dict[str, Any]:
    """What the response repeats of the request."""
    form = request.text.format if request.text is not None and request.text.format is not None else None
    choice = request.tool_choice
    return {
        "model": request.model,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_logprobs": request.top_logprobs or 0,
        "tools": [tool.model_dump() for tool in request.tools or ()],
        "tool_choice": choice.model_dump() if isinstance(choice, NamedFunctionTool) else choice or "auto",
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "text": {"format": form.model_dump(by_alias=True, exclude_none=True) if form else {"type": "text"}},
        "reasoning": {"effort": request.reasoning.effort if request.reasoning else None, "summary": None},
        "truncation": _truncation(site),
        "metadata": request.metadata or {},
        "user": request.user,
        "safety_identifier": request.safety_identifier,
        "prompt_cache_key": request.prompt_cache_key,
        "prompt_cache_retention": request.prompt_cache_retention,
        "service_tier": "default",
        "store": False,
        "background": False,
        "previous_response_id": None,
    }
