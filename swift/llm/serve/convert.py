"""A client's request as what the chat service takes: a conversation, a sampling, a grammar."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic_core import from_json

from swift.llm.core import Conversation, Grammar, Message, Sampling, ToolCall
from swift.llm.serve.errors import invalid, refused
from swift.llm.serve.pictures import Pictures
from swift.llm.serve.schema import (
    REFUSED,
    AssistantMessage,
    ChatMessage,
    ChatRequest,
    Content,
    Generation,
    NamedTool,
    ResponseFormat,
    Strict,
    Tool,
    ToolMessage,
)

__all__ = ["conversation_of", "form_of", "refuse_unsupported", "sampling_for"]


def refuse_unsupported(request: Strict, reasons: Mapping[str, tuple[tuple[Any, ...], str]] = REFUSED) -> None:
    """Raises ApiError for a field that asks for what there is not; ``reasons`` as `REFUSED`."""
    for name in request.model_fields_set & reasons.keys():
        harmless, why = reasons[name]
        value = getattr(request, name)
        if value is not None and value not in harmless:
            raise refused(name, why)
    options = getattr(request, "stream_options", None)
    if options is not None and not getattr(request, "stream", False):
        raise invalid("stream_options", "has a meaning only with stream true. Leave one of them out.")
    if options is not None and options.include_obfuscation:
        raise refused("stream_options.include_obfuscation", "chunks are not padded. Leave it out.")


def conversation_of(
    messages: Sequence[ChatMessage],
    tools: Sequence[Tool] | None,
    template_kwargs: dict[str, Any] | None,
    pictures: Pictures | None = None,
) -> Conversation:
    """The messages as a conversation; leading system and developer messages become one. Raises ApiError.

    ``pictures`` collects the images of the users' messages; None: the model takes none.
    """
    out: list[Message] = []
    for number, message in enumerate(messages):
        one = _message(message, f"messages.{number}", pictures)
        if one.role == "system" and len(out) == 1 and out[0].role == "system":
            out[0] = replace(out[0], content=f"{out[0].content}\n\n{one.content}")
        else:
            out.append(one)
    if not any(message.role != "system" for message in out):
        raise invalid("messages", "there is nothing to answer: only system messages.")
    media = pictures.whole() if pictures is not None else ()
    return Conversation(
        tuple(out),
        tuple(tool.model_dump(exclude_none=True, exclude={"cache_control"}) for tool in tools or ()),
        media,
        system_given=out[0].role == "system",
        template_kwargs=template_kwargs or {},
    )


def _message(message: ChatMessage, place: str, pictures: Pictures | None) -> Message:
    text = _text(message.content, f"{place}.content", message.role, pictures)
    if isinstance(message, AssistantMessage):
        for name in ("audio", "function_call"):
            if getattr(message, name) is not None:
                raise refused(f"{place}.{name}", REFUSED[name][1])
        calls = tuple(
            ToolCall(call.function.name, _arguments(call.function.arguments), call.id)
            for call in message.tool_calls or ()
        )
        reasoning = message.reasoning_content or message.reasoning
        return Message("assistant", text or message.refusal or "", reasoning, calls, name=message.name)
    if isinstance(message, ToolMessage):
        return Message("tool", text, tool_call_id=message.tool_call_id, name=message.name)
    return Message("user" if message.role == "user" else "system", text, name=message.name)


def _text(content: Content | None, place: str, role: str, pictures: Pictures | None) -> str:
    """Parts of text are lines; an image stands where it stands, with nothing around it, as in the models' own templates."""
    of_user = pictures if role == "user" else None
    if content is None or isinstance(content, str):
        return of_user.placed(content) if content and of_user is not None else content or ""
    text, ends_in_text = "", False
    for number, part in enumerate(content):
        where = f"{place}.{number}.{part.type}"
        if part.type == "image_url" and pictures is not None:
            if of_user is None:
                raise refused(where, "images stand in messages of the user.")
            text, ends_in_text = text + of_user.taken(part.image_url, where), False
            continue
        if part.type not in ("text", "refusal"):
            takes = "text" if pictures is None else "text and images"
            raise refused(where, f"the model of this server takes {takes} only.")
        said = part.text if part.type == "text" else part.refusal
        if said is None:
            raise invalid(where, "is missing.")
        text += ("\n" if ends_in_text else "") + (of_user.placed(said) if of_user is not None else said)
        ends_in_text = True
    return text


def _arguments(text: str) -> dict[str, Any] | str:
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError:  # too deep, half a character: json would let it through, and templates fail on it
        return text
    return value if isinstance(value, dict) else text


def sampling_for(request: Generation, default: Sampling, max_tokens: int | None, vocabulary: int) -> Sampling:
    """The server's sampling with what the client says laid over it. Asking for a way to draw tokens draws them."""
    draws = [name for name in ("temperature", "top_p", "top_k", "min_p") if getattr(request, name) is not None]
    do_sample, temperature = default.do_sample, default.temperature
    if request.temperature is not None:
        do_sample, temperature = request.temperature > 0, request.temperature
    elif draws and not do_sample:
        do_sample, temperature = True, 1.0
    bias = tuple((int(token), value) for token, value in (request.logit_bias or {}).items())
    stop_ids = tuple(request.stop_token_ids or ())
    for field, ids in (("logit_bias", [token for token, _ in bias]), ("stop_token_ids", stop_ids)):
        for token in ids:
            if token >= vocabulary:
                raise invalid(field, f"token {token}: the vocabulary has {vocabulary:,} tokens.")
    stop = (request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ())
    changed: dict[str, Any] = {
        "top_p": request.top_p,
        "top_k": None if request.top_k is None else max(request.top_k, 0),
        "min_p": request.min_p,
        "repetition_penalty": request.repetition_penalty,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "seed": None if request.seed is None else request.seed % 2**62,
        "max_new_tokens": max_tokens,
    }
    return replace(
        default, do_sample=do_sample, temperature=temperature, logit_bias=bias, stop=(*default.stop, *stop),
        stop_ids=stop_ids, ignore_eos=bool(request.ignore_eos),
        **{name: value for name, value in changed.items() if value is not None},
    )  # fmt: skip


def form_of(request: ChatRequest) -> tuple[Grammar | None, str | bool]:
    """The grammar that response_format asks for, and the call that tool_choice forces: a name, True for any, False for none.

    A forced call goes before the form of the answer, as with OpenAI.
    """
    grammar = _grammar(request.response_format)
    choice, tools = request.tool_choice, request.tools or []
    if choice not in (None, "none", "auto") and not tools:
        raise invalid("tool_choice", "asks for a call, and there are no tools.")
    forced: str | bool = choice == "required"
    if isinstance(choice, NamedTool):
        forced = choice.function.name
        if forced not in [tool.function.name for tool in tools]:
            raise invalid("tool_choice", f"{forced!r} is none of the tools.")
    if request.ignore_eos and (grammar is not None or forced):
        raise invalid("ignore_eos", "an answer in a fixed form ends where the form does. Leave one of them out.")
    return grammar, forced


def _grammar(form: ResponseFormat | None) -> Grammar | None:
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return Grammar("json_object")
    if form.json_schema is None or form.json_schema.schema_ is None:
        raise invalid("response_format.json_schema.schema", "is missing.")
    return Grammar("json_schema", json.dumps(form.json_schema.schema_, ensure_ascii=False))
