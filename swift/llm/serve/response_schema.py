"""What clients of ``/v1/responses`` may say, as in OpenAI's reference; see `schema` for the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from swift.llm.serve.schema import MAX_ALTERNATIVES, REFUSED, FunctionName, Strict, Unsupported

__all__ = [
    "LOGPROBS", "REFUSED_HERE", "CallItem", "InputPart", "Item", "MessageItem", "NamedFunctionTool", "OutputItem",
    "ReasoningItem", "ResponsesRequest", "TextFormat",
]  # fmt: skip

LOGPROBS = "message.output_text.logprobs"
Status: TypeAlias = Literal["in_progress", "completed", "incomplete"] | None


class InputPart(Strict):
    """A piece of a message, or of what a tool gave back."""

    type: Literal["input_text", "output_text", "refusal", "input_image", "input_file", "input_audio"]
    text: str | None = None
    refusal: str | None = None
    image_url: Annotated[str, Field(min_length=1)] | None = None
    detail: Literal["auto", "low", "high"] | None = None
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None
    file_id: Unsupported = None
    file_url: Unsupported = None
    file_data: Unsupported = None
    filename: Unsupported = None
    input_audio: Unsupported = None


class MessageItem(Strict):
    """What somebody said; our own messages may come back as they are. ``phase`` is a note."""

    type: Literal["message"] = "message"
    role: Literal["user", "system", "developer", "assistant"]
    content: str | list[InputPart]
    id: str | None = None
    status: Status = None
    phase: str | None = None


class CallItem(Strict):
    """A function that the model called; ``arguments`` is JSON as text."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: Status = None
    namespace: None = None
    caller: None = None


class OutputItem(Strict):
    """What a function gave back."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[InputPart]
    id: str | None = None
    name: str | None = None
    status: Status = None
    namespace: None = None
    caller: None = None


class ReasoningText(Strict):
    """A piece of reasoning."""

    type: Literal["reasoning_text", "summary_text"]
    text: str


class ReasoningItem(Strict):
    """What the model thought: ``content``, or where there is none ``summary``."""

    type: Literal["reasoning"]
    summary: list[ReasoningText] | None = None
    content: list[ReasoningText] | None = None
    id: str | None = None
    status: Status = None
    encrypted_content: Unsupported = None


def _tag(item: Any) -> str | None:
    """Brackets keep the tag out of the path that an error names."""
    kind = item.get("type", "message") if isinstance(item, dict) else getattr(item, "type", None)
    return f"[{kind}]"


Item: TypeAlias = Annotated[
    Annotated[MessageItem, Tag("[message]")]
    | Annotated[CallItem, Tag("[function_call]")]
    | Annotated[OutputItem, Tag("[function_call_output]")]
    | Annotated[ReasoningItem, Tag("[reasoning]")],
    Discriminator(
        _tag,
        custom_error_type="unknown_item",
        custom_error_message="items are of type message, function_call, function_call_output or reasoning",
    ),
]


class FunctionTool(Strict):
    """A function that the model may call: its name, what it is for, and a JSON schema of its arguments."""

    # Not chat's `Function` with a type behind it: of a tool of another kind, the kind is to be named, not its missing name.
    type: Literal["function"]
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedFunctionTool(Strict):
    """The one function that must be called."""

    type: Literal["function"]
    name: FunctionName


class TextFormat(Strict):
    """The form of the answer; all but ``type`` belongs to json_schema."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None


class TextSettings(Strict):
    """How the text of the answer is to be."""

    format: TextFormat | None = None
    verbosity: Unsupported = None


class Reasoning(Strict):
    """How much the model thinks. No summaries are made: ``summary`` may leave it to the server."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    summary: Literal["auto"] | None = None


class ResponseStreamOptions(Strict):
    """``include_obfuscation`` true is refused."""

    include_obfuscation: bool | None = None


class ResponsesRequest(Strict):
    """A response. The whole conversation stands in ``input``: nothing is stored between requests."""

    model: str
    input: str | Annotated[list[Item], Field(min_length=1)]
    instructions: str | None = None
    max_output_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    text: TextSettings | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedFunctionTool | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    include: list[str] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_ALTERNATIVES)] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    # Notes of the client.
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    service_tier: Literal["auto", "default"] | None = None
    # Refused, unless they ask for nothing.
    store: bool | None = None
    background: bool | None = None
    previous_response_id: Unsupported = None
    conversation: Unsupported = None
    prompt: Unsupported = None
    max_tool_calls: Unsupported = None
    context_management: Unsupported = None


REFUSED_HERE: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "store": REFUSED["store"],
    "previous_response_id": ((), "nothing is stored here. Send the whole conversation in input."),
    "conversation": ((), "nothing is stored here. Send the whole conversation in input."),
    "background": ((False,), "an answer comes to the request that asks for it. Leave it out, or send false."),
    "prompt": ((), "there are no stored prompts. Use instructions and input."),
    "max_tool_calls": ((), "the tools are the client's: it can count their calls."),
    "context_management": (([],), "a conversation is taken as it is. Shorten it before it is sent."),
}
"""As `REFUSED` of `schema`."""
