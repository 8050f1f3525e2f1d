"""``/v1/responses`` with the official client: the rows ``responses.*`` of docs/serving.md."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

openai = pytest.importorskip("openai")
pytest.importorskip("PIL")
from pydantic import BaseModel  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))
from listed import Listed  # noqa: E402
from seeing import Glimpse, inline  # noqa: E402

from swift.llm.engine.protocol import Limits  # noqa: E402

LISTED = Listed(r"responses\.[a-z_]+")
check = LISTED.check
LOGPROBS = "message.output_text.logprobs"
WEATHER = {
    "type": "function", "name": "weather", "description": "Looks it up.", "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}  # fmt: skip


@dataclass
class Asking:
    """The client of a server, and that server."""

    client: Any
    server: Any
    opened: Any

    def ask(self, said: Any, **options: Any) -> Any:
        return self.client.responses.create(**{"model": "tiny", "input": said, **options})

    def prompt(self) -> str:
        """What the engine was given last."""
        return str(self.server.site.service.tokenizer.decode(self.server.engine.requests[-1].prompt))

    def refuse(self, param: str | None, said: Any = "x", code: str | None = None, **options: Any) -> str:
        with pytest.raises(openai.APIStatusError) as caught:
            self.ask(said, **options)
        body = caught.value.body
        assert set(body) == {"message", "type", "param", "code"}
        assert (body["param"], body["code"]) == (param, code or body["code"]), body
        return str(body["message"])


@pytest.fixture(scope="module")
def asking(server: Any, opened: Any) -> Iterator[Asking]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-test", max_retries=0) as client:
        yield Asking(client, server, opened)


@pytest.mark.parametrize("name", LISTED.names)
def test_conformance(name: str, asking: Asking) -> None:
    assert name in LISTED.checks, "the page lists what no test checks"
    LISTED.checks[name](asking)


def test_the_page_lists_every_check() -> None:
    assert sorted(LISTED.checks) == sorted(LISTED.names)


def call_text(city: str) -> str:
    return f'<tool_call>\n{{"name": "weather", "arguments": {{"city": "{city}"}}}}\n</tool_call>'


def said(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


@check("responses.answer")
def _(asking: Asking) -> None:
    answer = asking.ask("The sum is 七 🙂.", metadata={"run": "7"}, temperature=0.5, top_p=0.9, user="ann", store=False)
    assert (answer.object, answer.status, answer.error, answer.incomplete_details) == (
        "response",
        "completed",
        None,
        None,
    )
    assert answer.output_text == "The sum is 七 🙂."
    assert [(item.type, item.role, item.status) for item in answer.output] == [("message", "assistant", "completed")]
    assert (answer.output[0].content[0].annotations, answer.output[0].content[0].logprobs) == ([], [])
    usage = answer.usage
    assert usage.input_tokens == len(asking.server.engine.requests[-1].prompt)
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert (usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens) == (0, 0)
    assert (answer.metadata, answer.user, answer.temperature, answer.top_p) == ({"run": "7"}, "ann", 0.5, 0.9)
    assert (answer.tool_choice, answer.tools, answer.parallel_tool_calls) == ("auto", [], True)
    assert (answer.text.format.type, answer.truncation, answer.to_dict()["store"]) == ("text", "disabled", False)
    assert re.fullmatch(r"resp_[0-9a-f]{48}", answer.id)
    sampling = asking.server.engine.requests[-1].sampling
    assert (sampling.do_sample, sampling.temperature, sampling.top_p) == (True, 0.5, 0.9)


@check("responses.items")
def _(asking: Asking) -> None:
    first = asking.ask("hello")
    items = [said("developer", "Be kind."), said("user", "hello"), *first.output]
    text = [{"type": "input_text", "text": "one"}, {"type": "input_text", "text": "two"}]
    answer = asking.ask([*items, {"type": "message", **said("user", text)}], instructions="Be brief.")
    assert answer.output_text == "one\ntwo"
    responses = asking.prompt()
    chat = [
        said("system", "Be brief."), said("developer", "Be kind."), said("user", "hello"), said("assistant", "hello"),
        said("user", "one\ntwo"),
    ]  # fmt: skip
    asking.client.chat.completions.create(model="tiny", messages=chat)
    assert asking.prompt() == responses
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    call = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Rome"}'}
    back = {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "sunny"}]}
    thinking = {**thought, "content": [{"type": "reasoning_text", "text": "Ask."}]}
    asking.ask([said("user", "x"), thinking, said("assistant", "Wait."), call, back, thought], tools=[WEATHER])
    responses = asking.prompt()
    function = {"name": "weather", "arguments": '{"city": "Rome"}'}
    calls = [{"id": "c1", "type": "function", "function": function}]
    chat = [
        said("user", "x"), {**said("assistant", "Wait."), "tool_calls": calls, "reasoning": "Ask."},
        {**said("tool", "sunny"), "tool_call_id": "c1"},
    ]  # fmt: skip
    tools = [{"type": "function", "function": {name: value for name, value in WEATHER.items() if name != "type"}}]
    asking.client.chat.completions.create(model="tiny", messages=chat, tools=tools)
    assert asking.prompt() == responses
    assert all(piece in responses for piece in ("Ask.", "Wait.", "Rome", "sunny"))


@check("responses.stream")
def _(asking: Asking) -> None:
    events = list(asking.ask("one two 七 🙂", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert set(kinds[4:-4]) == {"output_text.delta"}
    assert kinds[-4:] == ["output_text.done", "content_part.done", "output_item.done", "completed"]
    assert "".join(event.delta for event in events[4:-4]) == "one two 七 🙂" == events[-4].text
    assert (events[0].response.status, events[0].response.output, events[0].response.usage) == ("in_progress", [], None)
    assert (events[2].item.status, events[2].item.content, events[-2].item.status) == ("in_progress", [], "completed")
    assert {event.item_id for event in events[3:-2]} == {events[2].item.id}
    whole = events[-1].response
    assert (whole.id, whole.output_text, whole.usage.output_tokens > 0) == (
        events[0].response.id,
        "one two 七 🙂",
        True,
    )
    with asking.client.responses.stream(model="tiny", input="one two") as stream:
        assert stream.get_final_response().output_text == "one two"


@check("responses.tools")
def _(asking: Asking) -> None:
    text = "Let me see.\n" + call_text("Rome") + "\n" + call_text("Oslo")
    asked: list[Any] = [said("user", text)]
    answer = asking.ask(asked, tools=[WEATHER])
    assert [item.type for item in answer.output] == ["message", "function_call", "function_call"]
    calls = answer.output[1:]
    assert [json.loads(call.arguments) for call in calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert {(call.name, call.status) for call in calls} == {("weather", "completed")}
    assert len({call.call_id for call in calls} | {call.id for call in calls}) == 4
    asked += answer.output
    asked += [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls]
    assert asking.ask([*asked, said("user", "so?")], tools=[WEATHER]).output_text == "so?"
    with asking.client.responses.stream(model="tiny", input=text, tools=[WEATHER]) as stream:
        events = list(stream)
        whole = stream.get_final_response()
    assert [item.type for item in whole.output] == ["message", "function_call", "function_call"]
    told = [event for event in events if event.type == "response.function_call_arguments.delta"]
    for index, city in ((1, "Rome"), (2, "Oslo")):
        assert json.loads("".join(event.delta for event in told if event.output_index == index)) == {"city": city}
    assert [item.name for item in asking.ask(text, tools=[WEATHER], parallel_tool_calls=False).output[1:]] == [
        "weather"
    ]
    for choice in ("required", {"type": "function", "name": "weather"}):
        assert asking.ask(call_text("Rome"), tools=[WEATHER], tool_choice=choice).output[0].type == "function_call"
        assert "weather" in asking.server.engine.requests[-1].grammar.text
    asking.ask("x", tools=[WEATHER], tool_choice="none")
    assert "weather" not in asking.prompt()
    asking.refuse("tool_choice", tool_choice="required")
    asking.refuse("tool_choice", tools=[WEATHER], tool_choice={"type": "function", "name": "other"})


@check("responses.reasoning")
def _(asking: Asking) -> None:
    text = "<think>\nWell, well.\n</think>\n\nYes."
    answer = asking.ask(text)
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert (answer.output[0].content[0].text, answer.output[0].summary, answer.output_text) == (
        "Well, well.",
        [],
        "Yes.",
    )
    count = answer.usage.output_tokens_details.reasoning_tokens
    assert 0 < count < answer.usage.output_tokens
    events = list(asking.ask(text, stream=True))
    thought = "".join(event.delta for event in events if event.type == "response.reasoning_text.delta")
    assert (thought, events[-1].response.output_text) == ("Well, well.", "Yes.")
    assert events[-1].response.usage.output_tokens_details.reasoning_tokens == count
    prompts = []
    for reasoning in ({"effort": "none"}, {"summary": "auto"}):
        asking.ask("hello", reasoning=reasoning)
        prompts.append(asking.prompt())
    assert prompts[0] != prompts[1]
    asking.refuse("reasoning.effort", reasoning={"effort": "high"})
    asking.refuse("reasoning.summary", reasoning={"summary": "detailed"})
    sealed = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    asking.refuse("input.1.encrypted_content", [said("user", "x"), sealed])


@check("responses.json")
def _(asking: Asking) -> None:
    class City(BaseModel):
        name: str
        size: int

    answer = asking.client.responses.parse(model="tiny", input='{"name": "Rome", "size": 3}', text_format=City)
    assert answer.output_parsed == City(name="Rome", size=3)
    assert (answer.text.format.type, answer.text.format.name) == ("json_schema", "City")
    assert set(json.loads(asking.server.engine.requests[-1].grammar.text)["properties"]) == {"name", "size"}
    asking.ask("{}", text={"format": {"type": "json_object"}})
    assert asking.server.engine.requests[-1].grammar.kind == "json_object"
    asking.refuse("text.format.schema", text={"format": {"type": "json_schema", "name": "x"}})
    asking.refuse("text.format.name", text={"format": {"type": "json_schema", "schema": {}}})


@check("responses.limit")
def _(asking: Asking) -> None:
    answer = asking.ask("one two three four", max_output_tokens=2)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert (answer.output[0].status, answer.usage.output_tokens) == ("incomplete", 2)
    last = list(asking.ask("one two three four", max_output_tokens=2, stream=True))[-1]
    assert (last.type, last.response.output_text) == ("response.incomplete", answer.output_text)
    for stream in (False, True):
        asking.refuse("input", "one " * 4000, code="context_length_exceeded", stream=stream)


@check("responses.logprobs")
def _(asking: Asking) -> None:
    text = "<think>\none two three\n</think>\n\none 七 two."
    answer = asking.ask(text, include=[LOGPROBS], top_logprobs=2)
    told = answer.output[1].content[0].logprobs
    assert b"".join(bytes(one.bytes) for one in told).decode() == "one 七 two."
    assert all(one.token in [other.token for other in one.top_logprobs] for one in told)
    events = list(asking.ask(text, include=[LOGPROBS], stream=True))
    pieces = [event for event in events if event.type == "response.output_text.delta"]
    assert [one.token for event in pieces for one in event.logprobs] == [one.token for one in told]
    asking.refuse("top_logprobs", top_logprobs=2)
    asking.refuse("top_logprobs", top_logprobs=6, include=[LOGPROBS])


@check("responses.images")
def _(asking: Asking) -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": inline(7, 3), "detail": "auto"}]
    asking.refuse("input.0.content.1.image_url", [said("user", parts)], "unsupported_parameter")
    sees = Limits(context=2048, media=True)
    with (
        asking.opened(limits=sees, eyes=Glimpse(), max_images=1) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-test", max_retries=0) as client,
    ):
        seeing = Asking(client, server, asking.opened)
        assert seeing.ask([said("user", parts)]).output_text == "a[7 x 3]"
        low = {**parts[1], "detail": "low"}
        seeing.refuse("input.1.content.0.detail", [said("user", "x"), said("user", [low])])
        odd = {"type": "input_image", "image_url": "file:///etc/passwd"}
        seeing.refuse("input.1.content.0.image_url", [said("user", "x"), said("user", [odd])])
        broken = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
        seeing.refuse("input.0.content.0.image_url", [said("user", [broken])], "invalid_image", stream=True)


@check("responses.refused")
def _(asking: Asking) -> None:
    for name, value in {
        "store": True, "background": True, "previous_response_id": "resp_1", "conversation": "conv_1", "prompt": {"id": "p"},
        "max_tool_calls": 3, "truncation": "auto", "include": ["reasoning.encrypted_content"],
    }.items():  # fmt: skip
        assert asking.refuse(name, code="unsupported_parameter", **{name: value}).startswith(f"{name}: ")
    asking.refuse("text.verbosity", text={"verbosity": "low"})
    asking.refuse("tools.0.type", tools=[{"type": "web_search"}])
    asking.refuse("stream_options.include_obfuscation", stream=True, stream_options={"include_obfuscation": True})
    asking.refuse("service_tier", service_tier="flex")
    asking.refuse("seed", extra_body={"seed": 1}, code="unsupported_parameter")
    asking.refuse("model", model="other", code="model_not_found")
    asking.refuse("max_output_tokens", max_output_tokens=0)
    asking.refuse("input", [])
    asking.refuse("input.0", [{"type": "item_reference", "id": "msg_1"}])
    asking.refuse("input.0.content.0.colour", [said("user", [{"type": "input_text", "text": "x", "colour": "red"}])])
    asking.refuse("input.0.content.0.text", [said("user", [{"type": "input_text"}])])
    asking.refuse("input.0.content.0.file", [said("user", [{"type": "input_file", "file_id": "f"}])])


@check("responses.failed")
def _(asking: Asking) -> None:
    with (
        asking.opened(delay_s=0.01) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-test", max_retries=0) as client,
    ):
        events = []
        for event in client.responses.create(model="tiny", input="one two " * 60, stream=True):
            events.append(event)
            if len(events) == 6:
                server.loop.call_soon_threadsafe(server.site.desk.end)
    last = events[-1]
    assert (last.type, last.response.status, last.response.error.code) == ("response.failed", "failed", "server_error")
    assert "ended before the answer" in last.response.error.message


@check("responses.gone")
def _(asking: Asking) -> None:
    with (
        asking.opened(delay_s=0.01) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-test", max_retries=0) as client,
    ):
        with client.responses.create(model="tiny", input="one two " * 60, stream=True) as events:
            next(iter(events))
            assert server.site.desk.num_answers == 1
        end = time.monotonic() + 5
        while server.site.desk.num_answers or not server.engine.aborted:
            assert time.monotonic() < end, "its place was not freed"
            time.sleep(0.01)
        assert server.engine.aborted == [server.engine.requests[-1].id]
