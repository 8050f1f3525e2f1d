"""What clients may say, as in OpenAI's reference: field by field with its bounds. A field that is not here is refused by name.

Fields that are only notes of the client (user, metadata, cache_control, ...) are accepted; those of type `Unsupported` are there
to be refused with the reason (`REFUSED`), unless they ask for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ChatRequest", "CompletionRequest", "DetokenizeRequest", "EmbeddingRequest", "LoadAdapterRequest", "TokenizeRequest",
    "UnloadAdapterRequest",
]  # fmt: skip

MAX_ALTERNATIVES = 20
MAX_ANSWERS = 128
MAX_STOPS = 16

Unsupported: TypeAlias = Any
Penalty: TypeAlias = Annotated[float, Field(ge=-2, le=2)]
TokenId: TypeAlias = Annotated[int, Field(ge=0, lt=2**31)]
StopText: TypeAlias = Annotated[str, Field(min_length=1)]
Ids: TypeAlias = Annotated[list[TokenId], Field(min_length=1)]


class Strict(BaseModel):
    """No conversions, no unknown fields, no numbers that are none."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class ImageUrl(Strict):
    """Where an image is: a data URL, or an https address of a host that the server may ask. ``detail`` low is refused."""

    url: Annotated[str, Field(min_length=1)]
    detail: Literal["auto", "low", "high"] | None = None


class Part(Strict):
    """A piece of a message's content."""

    type: Literal["text", "refusal", "image_url", "input_audio", "video_url", "file"]
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | Annotated[str, Field(min_length=1)] | None = None
    input_audio: Unsupported = None
    video_url: Unsupported = None
    file: Unsupported = None
    cache_control: dict[str, Any] | None = None


Content: TypeAlias = str | list[Part]


class FunctionCall(Strict):
    """The function that an assistant called; ``arguments`` is JSON as text."""

    name: str
    arguments: str


class CallMessage(Strict):
    """One tool call of an assistant."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall
    index: int | None = None


class SystemMessage(Strict):
    """What the model is told beforehand."""

    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class UserMessage(Strict):
    """What somebody asks."""

    role: Literal["user"]
    content: Content
    name: str | None = None


class AssistantMessage(Strict):
    """What the model said; all that our own answers hold may come back."""

    role: Literal["assistant"]
    content: Content | None = None
    name: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[CallMessage] | None = None
    annotations: list[Any] | None = None
    provider_specific_fields: dict[str, Any] | None = None
    audio: Unsupported = None
    function_call: Unsupported = None


class ToolMessage(Strict):
    """What a tool gave back."""

    role: Literal["tool"]
    content: Content
    tool_call_id: str
    name: str | None = None


ChatMessage: TypeAlias = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")
]
Messages: TypeAlias = Annotated[list[ChatMessage], Field(min_length=1)]
FunctionName: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.:-]{1,128}$")]


class Function(Strict):
    """A tool: its name, what it is for, and a JSON schema of its arguments."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Strict):
    """A function that the model may call."""

    type: Literal["function"]
    function: Function
    cache_control: dict[str, Any] | None = None


class NamedFunction(Strict):
    """A function by its name."""

    name: FunctionName


class NamedTool(Strict):
    """The one tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


class JsonSchema(Strict):
    """A JSON schema that the answer must follow."""

    name: str
    description: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseFormat(Strict):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Strict):
    """``include_usage``: a last chunk with the numbers of tokens, and with vLLM's ``continuous_usage_stats`` they are in every chunk.

    ``include_obfuscation`` true is refused.
    """

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None
    include_obfuscation: bool | None = None


class Generation(Strict):
    """What chat and completions share; ``top_k``, ``min_p``, ``repetition_penalty`` and all below ``user`` are not OpenAI's."""

    model: str
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, lt=2**31)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    logit_bias: (
        dict[Annotated[str, Field(pattern=r"^[0-9]{1,9}$")], Annotated[float, Field(ge=-100, le=100)]] | None
    ) = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: StopText | Annotated[list[StopText], Field(max_length=MAX_STOPS)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_ANSWERS)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    stop_token_ids: Annotated[list[TokenId], Field(max_length=MAX_STOPS)] | None = None
    ignore_eos: bool | None = None
    # Refused, unless they ask for nothing.
    min_tokens: Unsupported = None
    length_penalty: Unsupported = None
    use_beam_search: Unsupported = None
    include_stop_str_in_output: Unsupported = None
    skip_special_tokens: Unsupported = None
    structured_outputs: Unsupported = None
    guided_json: Unsupported = None
    guided_regex: Unsupported = None
    guided_choice: Unsupported = None
    guided_grammar: Unsupported = None


class ChatRequest(Generation):
    """A chat completion. ``images`` (ms-swift's) stand where the users' texts say ``<image>``."""

    messages: Messages
    max_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_ALTERNATIVES)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    images: list[Annotated[str, Field(min_length=1)]] | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    # Notes of the client.
    metadata: dict[str, Any] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    service_tier: str | None = None
    prediction: dict[str, Any] | None = None
    # Refused, unless they ask for nothing.
    store: bool | None = None
    modalities: list[str] | None = None
    verbosity: Unsupported = None
    audio: Unsupported = None
    web_search_options: Unsupported = None
    functions: Unsupported = None
    function_call: Unsupported = None


class CompletionRequest(Generation):
    """A completion of plain text. ``prompt``: a text, texts, token ids, or lists of token ids."""

    prompt: str | Annotated[list[str], Field(min_length=1)] | Ids | Annotated[list[Ids], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=MAX_ALTERNATIVES)] | None = None
    best_of: Annotated[int, Field(ge=1, le=MAX_ANSWERS)] | None = None
    add_special_tokens: bool | None = None
    suffix: Unsupported = None


class EmbeddingRequest(Strict):
    """Vectors of texts."""

    model: str
    input: str | Annotated[list[str], Field(min_length=1)] | Ids | Annotated[list[Ids], Field(min_length=1)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Unsupported = None
    user: str | None = None


class TokenizeRequest(Strict):
    """Token ids of a text, or of a conversation as the model is given it."""

    model: str | None = None
    prompt: str | None = None
    add_special_tokens: bool = True
    messages: Messages | None = None
    tools: list[Tool] | None = None
    chat_template_kwargs: dict[str, Any] | None = None


class DetokenizeRequest(Strict):
    """The text of token ids."""

    model: str | None = None
    tokens: list[TokenId]


class LoadAdapterRequest(Strict):
    """An adapter to serve under a name of its own; ``lora_path`` lies below a folder of --adapter_roots."""

    lora_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,95}$")]
    lora_path: Annotated[str, Field(min_length=1, max_length=4096)]


class UnloadAdapterRequest(Strict):
    """An adapter to forget."""

    lora_name: str


REFUSED: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "store": ((False,), "nothing is stored here. Leave it out, or send false."),
    "modalities": ((["text"],), 'answers are text. Leave it out, or send ["text"].'),
    "verbosity": (("medium",), "the length of an answer cannot be chosen so. Say it in a message."),
    "audio": ((), "answers are text; there is no audio."),
    "web_search_options": ((), "there is no web search. Leave it out."),
    "functions": (([],), "is the old form. Use tools."),
    "function_call": (("none",), "is the old form. Use tool_choice."),
    "suffix": (("",), "text between a prompt and a suffix is not offered. Leave it out."),
    "dimensions": ((), "vectors cannot be shortened. Leave it out."),
    "min_tokens": ((0,), "an answer has no least length. For a fixed one use ignore_eos with max_tokens."),
    "length_penalty": ((1,), "there are no beams here. Leave it out."),
    "use_beam_search": ((False,), "there are no beams here. Leave it out."),
    "include_stop_str_in_output": ((False,), "an answer ends before the text that stops it. Leave it out."),
    "skip_special_tokens": (
        (),
        "tokens of the model's own format are read, other control tokens are text. Leave it out.",
    ),
    "structured_outputs": (
        (),
        "use response_format with a JSON schema; alternatives are its enum, a regular expression its pattern.",
    ),
    "guided_json": ((), "use response_format with this schema."),
    "guided_regex": ((), "use response_format with a JSON schema that holds it as pattern."),
    "guided_choice": ((), "use response_format with a JSON schema that holds these as enum."),
    "guided_grammar": ((), "use response_format with a JSON schema."),
}
"""Field: the values that ask for nothing (besides null), and why others are refused."""
