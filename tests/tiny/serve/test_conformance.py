"""The official client against the server: the list of docs/serving.md, row by row."""

from __future__ import annotations

import asyncio
import json
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

openai = pytest.importorskip("openai")
from pydantic import BaseModel  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
from listed import Listed  # noqa: E402

LISTED = Listed(r"(?!images\.|responses\.)[a-z_.]+")  # images: test_images.py; responses: test_responses.py
check = LISTED.check
KEY = "sk-test"
MODEL = "tiny"


@pytest.fixture(scope="module")
def client(server: Any) -> Any:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as found:
        yield found


@pytest.mark.parametrize("name", LISTED.names)
def test_conformance(name: str, client: Any, server: Any) -> None:
    assert name in LISTED.checks, "the page lists what no test checks"
    LISTED.checks[name](client, server.engine)


def test_the_page_lists_every_check() -> None:
    assert sorted(LISTED.checks) == sorted(LISTED.names)


def ask(client: Any, text: str, **options: Any) -> Any:
    options.setdefault("model", MODEL)
    return client.chat.completions.create(messages=[{"role": "user", "content": text}], **options)


def joined(chunks: Any, field: str = "content", index: int = 0) -> str:
    found = [choice.delta for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(getattr(delta, field, None) or "" for delta in found)


def expect_refused(status: int, param: str | None, ask_it: Callable[[], Any], code: str | None = None) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        ask_it()
    assert caught.value.status_code == status, caught.value.body
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    assert caught.value.body["param"] == param
    if code is not None:
        assert caught.value.body["code"] == code


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name, "description": "Looks something up.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("weather", "time_of")
]  # fmt: skip


def call_text(name: str, city: str) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {{"city": "{city}"}}}}\n</tool_call>'


# --- models


@check("models.list")
def _(client: Any, _: Any) -> None:
    assert [one.id for one in client.models.list().data] == ["tiny", "gpt-4o"]
    assert client.models.retrieve("tiny").owned_by == "swift"


@check("models.alias")
def _(client: Any, _: Any) -> None:
    answer = ask(client, "hello", model="gpt-4o")
    assert (answer.model, answer.choices[0].message.content) == ("gpt-4o", "hello")


@check("models.unknown")
def _(client: Any, _: Any) -> None:
    expect_refused(404, "model", lambda: ask(client, "hello", model="other"), "model_not_found")
    expect_refused(404, "model", lambda: client.models.retrieve("other"), "model_not_found")


# --- chat


@check("chat.answer")
def _(client: Any, engine: Any) -> None:
    answer = ask(client, "The sum is 七 🙂.")
    assert answer.object == "chat.completion"
    assert (answer.choices[0].message.role, answer.choices[0].message.content) == ("assistant", "The sum is 七 🙂.")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == len(engine.requests[-1].prompt)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@check("chat.stream")
def _(client: Any, _: Any) -> None:
    chunks = list(ask(client, "one two 七 🙂", stream=True))
    assert joined(chunks) == "one two 七 🙂"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-2:] == [None, "stop"]
    assert {(chunk.object, chunk.id) for chunk in chunks} == {("chat.completion.chunk", chunks[0].id)}
    assert all(chunk.usage is None for chunk in chunks)


@check("chat.stream_usage")
def _(client: Any, engine: Any) -> None:
    chunks = list(ask(client, "one two", stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens == len(engine.requests[-1].prompt)
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    always = {"include_usage": True, "continuous_usage_stats": True}
    for chunks in (
        list(ask(client, "one two", stream=True, stream_options=always)),
        list(client.completions.create(model=MODEL, prompt="one two", stream=True, stream_options=always)),
    ):
        counts = [chunk.usage.completion_tokens for chunk in chunks]
        assert counts == sorted(counts)
        assert counts[-1] == counts[-2] > 0
    expect_refused(400, "stream_options", lambda: ask(client, "x", stream_options={"include_usage": True}))


@check("chat.async")
def _(client: Any, _: Any) -> None:
    async def both() -> tuple[str, list[Any]]:
        async with openai.AsyncOpenAI(base_url=client.base_url, api_key=KEY, max_retries=0) as other:
            whole, stream = await asyncio.gather(
                *(
                    other.chat.completions.create(
                        model=MODEL, messages=[{"role": "user", "content": text}], stream=text == "b"
                    )
                    for text in ("a", "b")
                )
            )
            return whole.choices[0].message.content, [chunk async for chunk in stream]

    whole, chunks = asyncio.run(both())
    assert (whole, joined(chunks)) == ("a", "b")


@check("chat.n")
def _(client: Any, engine: Any) -> None:
    answer = ask(client, "one two", n=3, seed=5)
    assert [(one.index, one.message.content) for one in answer.choices] == [(i, "one two") for i in range(3)]
    assert sorted(request.sampling.seed for request in engine.requests[-3:]) == [5, 6, 7]
    assert answer.usage.prompt_tokens == len(engine.requests[-1].prompt)
    chunks = list(ask(client, "one two", n=2, stream=True))
    assert [joined(chunks, index=i) for i in range(2)] == ["one two", "one two"]
    assert sorted(choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason) == [0, 1]


@check("chat.stop")
def _(client: Any, _: Any) -> None:
    for stop in (" END", [" never", " END"]):
        answer = ask(client, "one two END three", stop=stop)
        assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("one two", "stop")
    expect_refused(400, "stop", lambda: ask(client, "x", stop=""))


@check("chat.max_tokens")
def _(client: Any, _: Any) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        answer = ask(client, "one two three four", **{name: 2})
        assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 2)
    expect_refused(400, "max_tokens", lambda: ask(client, "x", max_tokens=1, max_completion_tokens=2))


@check("chat.sampling")
def _(client: Any, engine: Any) -> None:
    ask(
        client, "x", temperature=0.5, top_p=0.9, presence_penalty=0.1, frequency_penalty=-0.2, seed=3, logit_bias={"7": -100},
        extra_body={"top_k": 12, "min_p": 0.05, "repetition_penalty": 1.1},
    )  # fmt: skip
    sampling = engine.requests[-1].sampling
    assert (sampling.do_sample, sampling.temperature, sampling.top_p, sampling.top_k) == (True, 0.5, 0.9, 12)
    assert (sampling.min_p, sampling.repetition_penalty, sampling.seed) == (0.05, 1.1, 3)
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (0.1, -0.2)
    assert sampling.logit_bias == ((7, -100),)
    ask(client, "x", temperature=0)
    assert engine.requests[-1].sampling.do_sample is False
    assert engine.requests[-1].sampling.seed is None
    ask(client, "x", top_p=0.5)
    assert (engine.requests[-1].sampling.do_sample, engine.requests[-1].sampling.temperature) == (True, 1.0)
    expect_refused(400, "temperature", lambda: ask(client, "x", temperature=3))
    expect_refused(400, "logit_bias", lambda: ask(client, "x", logit_bias={"99999": 1}))


@check("chat.logprobs")
def _(client: Any, _: Any) -> None:
    told = ask(client, "one two", logprobs=True, top_logprobs=2).choices[0].logprobs.content
    assert "".join(one.token for one in told) == "one two"
    assert all(bytes(one.bytes).decode() == one.token for one in told)
    assert all(one.token in [other.token for other in one.top_logprobs] for one in told)
    chunks = list(ask(client, "one two", logprobs=True, stream=True))
    streamed = [one.token for chunk in chunks if chunk.choices[0].logprobs for one in chunk.choices[0].logprobs.content]
    assert streamed == [one.token for one in told]
    expect_refused(400, "top_logprobs", lambda: ask(client, "x", logprobs=True, top_logprobs=6))
    expect_refused(400, "top_logprobs", lambda: ask(client, "x", top_logprobs=2))


@check("chat.roles")
def _(client: Any, engine: Any) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "developer", "content": "Be brief."}, {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "a", "name": "Ann"}, {"role": "assistant", "content": "b"},
            {"role": "user", "content": parts},
        ],
    )  # fmt: skip
    assert answer.choices[0].message.content == "one\ntwo"
    expect_refused(400, "messages.0", lambda: client.chat.completions.create(model=MODEL, messages=[{"role": "robot"}]))
    odd = [{"role": "user", "content": [{"type": "text", "text": "x", "colour": "red"}]}]
    expect_refused(
        400, "messages.0.content.0.colour", lambda: client.chat.completions.create(model=MODEL, messages=odd),
        "unsupported_parameter",
    )  # fmt: skip


@check("chat.tools")
def _(client: Any, engine: Any) -> None:
    answer = ask(client, call_text("weather", "Rome") + "\n" + call_text("time_of", "Oslo"), tools=TOOLS)
    assert answer.choices[0].finish_reason == "tool_calls"
    calls = answer.choices[0].message.tool_calls
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("weather", {"city": "Rome"}), ("time_of", {"city": "Oslo"}),
    ]  # fmt: skip
    assert all(re.fullmatch(r"call_[A-Za-z0-9]{24}", call.id) for call in calls)
    assert not answer.choices[0].message.content
    messages = [
        {"role": "user", "content": "both?"}, answer.choices[0].message,
        *({"role": "tool", "tool_call_id": call.id, "content": f"result {i}"} for i, call in enumerate(calls)),
        {"role": "user", "content": "so?"},
    ]  # fmt: skip
    assert (
        client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0].message.content == "so?"
    )


@check("chat.tools_stream")
def _(client: Any, _: Any) -> None:
    text = "Let me see.\n" + call_text("weather", "Rome") + "\n" + call_text("time_of", "Oslo")
    names, arguments, ids = {}, {0: "", 1: ""}, {}
    chunks = list(ask(client, text, tools=TOOLS, stream=True))
    for chunk in chunks:
        calls = chunk.choices[0].delta.tool_calls or ()
        assert len(calls) <= 1  # clients read the first
        for call in calls:
            if call.id is not None:
                names[call.index], ids[call.index] = call.function.name, call.id
            arguments[call.index] += call.function.arguments or ""
    assert names == {0: "weather", 1: "time_of"}
    assert [json.loads(arguments[i]) for i in range(2)] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert len(set(ids.values())) == 2
    assert joined(chunks).strip() == "Let me see."
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@check("chat.one_call")
def _(client: Any, engine: Any) -> None:
    text = call_text("weather", "Rome") + "\n" + call_text("time_of", "Oslo")
    answer = ask(client, text, tools=TOOLS, parallel_tool_calls=False)
    assert [call.function.name for call in answer.choices[0].message.tool_calls] == ["weather"]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert engine.aborted[-1] == engine.requests[-1].id


@check("chat.tool_choice")
def _(client: Any, engine: Any) -> None:
    ask(client, "hello", tools=TOOLS, tool_choice="none")
    plain = len(engine.requests[-1].prompt)
    ask(client, "hello", tools=TOOLS, tool_choice="auto")
    assert (len(engine.requests[-1].prompt) > plain, engine.requests[-1].grammar) == (True, None)
    named = {"type": "function", "function": {"name": "weather"}}
    for choice in ("required", named):
        ask(client, call_text("weather", "Rome"), tools=TOOLS, tool_choice=choice)
        assert engine.requests[-1].grammar is not None
        assert "weather" in engine.requests[-1].grammar.text
    assert "time_of" not in engine.requests[-1].grammar.text
    expect_refused(400, "tool_choice", lambda: ask(client, "x", tool_choice="required"))
    unknown = {"type": "function", "function": {"name": "other"}}
    expect_refused(400, "tool_choice", lambda: ask(client, "x", tools=TOOLS, tool_choice=unknown))


@check("chat.json")
def _(client: Any, engine: Any) -> None:
    ask(client, "{}", response_format={"type": "json_object"})
    assert engine.requests[-1].grammar.kind == "json_object"

    class City(BaseModel):
        name: str
        size: int

    answer = client.chat.completions.parse(
        model=MODEL, messages=[{"role": "user", "content": '{"name": "Rome", "size": 3}'}], response_format=City
    )
    assert answer.choices[0].message.parsed == City(name="Rome", size=3)
    assert engine.requests[-1].grammar.kind == "json_schema"
    assert set(json.loads(engine.requests[-1].grammar.text)["properties"]) == {"name", "size"}
    form = {"type": "json_schema", "json_schema": {"name": "x"}}
    expect_refused(400, "response_format.json_schema.schema", lambda: ask(client, "x", response_format=form))


@check("chat.json_tools")
def _(client: Any, engine: Any) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "maxProperties": 7}}}
    assert ask(client, "{}", tools=TOOLS, response_format=form).choices[0].message.content == "{}"
    grammar = engine.requests[-1].grammar
    assert grammar.kind == "lark"
    assert all(word in grammar.text for word in ("weather", "time_of", "maxProperties"))
    answer = ask(client, call_text("weather", "Rome"), tools=TOOLS, response_format=form).choices[0]
    assert (answer.finish_reason, answer.message.tool_calls[0].function.name) == ("tool_calls", "weather")
    ask(client, call_text("weather", "Rome"), tools=TOOLS, response_format=form, tool_choice="required")
    assert "maxProperties" not in engine.requests[-1].grammar.text
    ask(client, "{}", tools=TOOLS, response_format=form, tool_choice="none")
    assert engine.requests[-1].grammar.kind == "json_schema"
    thinking = [{"role": "user", "content": "{}"}, {"role": "assistant", "content": "<think>\nWell"}]
    client.chat.completions.create(model=MODEL, messages=thinking, response_format=form)
    assert engine.requests[-1].grammar.text.startswith("start: thought form\n")


@check("chat.reasoning")
def _(client: Any, _: Any) -> None:
    message = ask(client, "<think>\nWell, well.\n</think>\n\nYes.").choices[0].message
    assert (message.content, message.reasoning_content, message.reasoning) == ("Yes.", "Well, well.", "Well, well.")
    chunks = list(ask(client, "<think>\nWell, well.\n</think>\n\nYes.", stream=True))
    assert (joined(chunks), joined(chunks, "reasoning_content")) == ("Yes.", "Well, well.")
    assert joined(chunks, "reasoning") == "Well, well."


@check("chat.thinking")
def _(client: Any, engine: Any) -> None:
    prompts = []
    for body in ({"chat_template_kwargs": {"enable_thinking": False}}, {"reasoning_effort": "none"}, {}):
        ask(client, "hello", extra_body=body)
        prompts.append(engine.requests[-1].prompt)
    assert prompts[0] == prompts[1] != prompts[2]
    expect_refused(400, "reasoning_effort", lambda: ask(client, "x", reasoning_effort="high"))
    body = {"chat_template_kwargs": {"messages": []}}
    expect_refused(400, "chat_template_kwargs.messages", lambda: ask(client, "x", extra_body=body))


@check("chat.notes")
def _(client: Any, engine: Any) -> None:
    answer = ask(
        client, "hello", user="ann", metadata={"run": "7"}, safety_identifier="s", prompt_cache_key="k", service_tier="auto",
        store=False, modalities=["text"], prediction={"type": "content", "content": "hello"},
        extra_body={"min_tokens": 0, "use_beam_search": False},
    )  # fmt: skip
    assert answer.choices[0].message.content == "hello"
    prompts = []
    for cached, told in ({}, {}), ({"cache_control": {"type": "ephemeral"}}, {"provider_specific_fields": {"a": 1}}):
        messages = [
            {"role": "system", "content": [{"type": "text", "text": "Be brief.", **cached}]},
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "hello", **told},
            {"role": "user", "content": [{"type": "text", "text": "again", **cached}]},
        ]
        answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[{**TOOLS[0], **cached}])
        assert answer.choices[0].message.content == "again"
        prompts.append(engine.requests[-1].prompt)
    assert prompts[0] == prompts[1]


@check("chat.ending")
def _(client: Any, engine: Any) -> None:
    two = "one two"
    answer = ask(client, two, extra_body={"ignore_eos": True})
    assert (answer.choices[0].finish_reason, engine.requests[-1].stop_ids) == ("length", ())
    end = engine.requests[-1].prompt[-1]
    answer = ask(client, two, extra_body={"stop_token_ids": [end]})
    assert engine.requests[-1].stop_ids[-1] == end
    assert len(engine.requests[-1].stop_ids) > 1
    body = {"prompt": two, "extra_body": {"ignore_eos": True, "stop_token_ids": [end]}}
    client.completions.create(model=MODEL, **body)
    assert engine.requests[-1].stop_ids == (end,)
    expect_refused(400, "stop_token_ids", lambda: ask(client, "x", extra_body={"stop_token_ids": [99999]}))
    both = {"ignore_eos": True, "response_format": {"type": "json_object"}}
    expect_refused(400, "ignore_eos", lambda: ask(client, "x", extra_body=both))


@check("chat.beginning")
def _(client: Any, engine: Any) -> None:
    begun = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "The answer is"}]
    goes_on = {"continue_final_message": True, "add_generation_prompt": False}
    prompts = []
    for body in ({}, goes_on):
        client.chat.completions.create(model=MODEL, messages=begun, extra_body=body)
        prompts.append(engine.requests[-1].prompt)
    assert prompts[0] == prompts[1]
    for field, value in goes_on.items():
        expect_refused(400, field, lambda body={field: value}: ask(client, "x", extra_body=body))
        expect_refused(
            400, field, lambda body={field: not value}: client.chat.completions.create(
                model=MODEL, messages=begun, extra_body=body
            ),
        )  # fmt: skip


@check("chat.refused")
def _(client: Any, _: Any) -> None:
    for field, value in (
        ("store", True), ("modalities", ["text", "audio"]), ("audio", {"voice": "a", "format": "wav"}), ("verbosity", "low"),
        ("min_tokens", 2), ("guided_json", {}), ("structured_outputs", {"json": {}}), ("web_search_options", {}), ("functions", [{"name": "f"}]),
        ("function_call", "auto"), ("brand_new_field", 1),
    ):  # fmt: skip
        expect_refused(
            400, field, lambda body={field: value}: ask(client, "x", extra_body=body), "unsupported_parameter"
        )
    image = [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]
    expect_refused(
        400, "messages.0.content.0.image_url",
        lambda: client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": image}]),
    )  # fmt: skip


# --- plain text


@check("completions.text")
def _(client: Any, _: Any) -> None:
    answer = client.completions.create(model=MODEL, prompt="one two")
    assert (answer.object, answer.choices[0].text, answer.choices[0].finish_reason) == (
        "text_completion",
        "one two",
        "stop",
    )
    chunks = list(client.completions.create(model=MODEL, prompt="one two", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "one two"
    assert chunks[-1].choices[0].finish_reason == "stop"


@check("completions.prompts")
def _(client: Any, engine: Any) -> None:
    answer = client.completions.create(model=MODEL, prompt=["one", "two"], n=2)
    assert [(one.index, one.text) for one in answer.choices] == [(0, "one"), (1, "one"), (2, "two"), (3, "two")]
    ids = [list(request.prompt) for request in engine.requests[-4::2]]
    assert answer.usage.prompt_tokens == sum(map(len, ids))
    assert client.completions.create(model=MODEL, prompt=ids[0]).choices[0].text == "one"
    assert [one.text for one in client.completions.create(model=MODEL, prompt=ids).choices] == ["one", "two"]
    chunks = list(client.completions.create(model=MODEL, prompt=ids, stream=True))
    assert {chunk.choices[0].index for chunk in chunks} == {0, 1}
    expect_refused(400, "prompt", lambda: client.completions.create(model=MODEL, prompt=""))
    expect_refused(400, "prompt", lambda: client.completions.create(model=MODEL, prompt=[99999]))


@check("completions.echo")
def _(client: Any, _: Any) -> None:
    answer = client.completions.create(model=MODEL, prompt="one two", echo=True, logprobs=1).choices[0]
    assert answer.text == "one twoone two"
    told = answer.logprobs
    assert "".join(told.tokens) == answer.text
    assert told.token_logprobs[0] is None
    assert all(value < 0 for value in told.token_logprobs[1:])
    assert told.text_offset == [len("".join(told.tokens[:i])) for i in range(len(told.tokens))]
    assert all(token in top for token, top in list(zip(told.tokens, told.top_logprobs, strict=True))[1:])
    only = client.completions.create(model=MODEL, prompt="one two", echo=True, logprobs=1, max_tokens=0).choices[0]
    assert (only.text, only.logprobs.tokens) == ("one two", told.tokens[: len(told.tokens) // 2])


@check("completions.refused")
def _(client: Any, _: Any) -> None:
    for field, value in (("suffix", "end"), ("best_of", 3)):
        expect_refused(
            400, field, lambda body={field: value}: client.completions.create(model=MODEL, prompt="x", **body)
        )


@check("embeddings")
def _(client: Any, _: Any) -> None:
    found = client.embeddings.create(model=MODEL, input=["one", "two"], encoding_format="float")
    packed = client.embeddings.create(model=MODEL, input=["one", "two"])
    assert len(found.data) == 2
    for one, other in zip(found.data, packed.data, strict=True):
        assert other.embedding == list(struct.unpack(f"<{len(one.embedding)}f", struct.pack(f"<{len(one.embedding)}f", *one.embedding)))  # fmt: skip
    assert found.usage.prompt_tokens > 0
    expect_refused(400, "dimensions", lambda: client.embeddings.create(model=MODEL, input="x", dimensions=2))


# --- errors


@check("errors.key")
def _(client: Any, _: Any) -> None:
    for key in ("wrong", "sk-tes", "sk-admin", ""):
        other = client.with_options(api_key=key or "x", default_headers={} if key else {"Authorization": "Basic abc"})
        expect_refused(401, None, lambda other=other: ask(other, "x"), "invalid_api_key")
    assert ask(client.with_options(api_key="another key"), "x").choices[0].message.content == "x"


@check("errors.context")
def _(client: Any, _: Any) -> None:
    expect_refused(400, "messages", lambda: ask(client, "word " * 3000), "context_length_exceeded")
    expect_refused(400, "messages", lambda: ask(client, "word " * 3000, stream=True), "context_length_exceeded")


@check("errors.conversation")
def _(client: Any, _: Any) -> None:
    expect_refused(400, "messages", lambda: client.chat.completions.create(model=MODEL, messages=[]))
    only = [{"role": "system", "content": "x"}]
    expect_refused(400, "messages", lambda: client.chat.completions.create(model=MODEL, messages=only))
