"""What a stream of the chat service holds beside its text: content, reasoning, calls, log-probabilities, counts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from swift.llm.catalog.registries import TEMPLATE_MAPPING
from swift.llm.chat.service import ChatService, Delta
from swift.llm.core import Conversation, Grammar, Message, Sampling
from swift.llm.engine.fake import FakeEngine
from swift.llm.engine.protocol import Limits
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import Template
from swift.llm.tokenizer import TextTokenizer, load_tokenizer
from swift.utils.errors import EngineError

ALL = Limits(context=4096, logprobs=20, adapters=True, grammars=True)
TOOLS = ({"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}},)
ASKED = Conversation((Message("user", "How high?"),), tools=TOOLS)
GREEDY = Sampling(max_new_tokens=400)


@pytest.fixture(scope="module")
def tokenizer(model_folder: Path) -> TextTokenizer:
    return load_tokenizer(model_folder)


def serve(tokenizer: TextTokenizer, answer: str, *, chunk: int = 1) -> tuple[ChatService, FakeEngine]:
    ids = [*tokenizer.encode(answer), tokenizer.special_tokens["<|im_end|>"]]
    engine = FakeEngine(lambda prompt: ids, chunk=chunk, limits=ALL)
    row = replace(TEMPLATE_MAPPING["chatml"], tools="hermes", behaviours=("think",), options={})
    return ChatService(Template(row, tokenizer, TemplatePlan(template_type="chatml")), tokenizer, engine), engine


async def collect(deltas: object) -> list[Delta]:
    return [delta async for delta in deltas]  # type: ignore[attr-defined]


@pytest.mark.parametrize("chunk", [1, 5, 1000])
def test_an_answer_is_sorted_as_it_comes(tokenizer: TextTokenizer, chunk: int) -> None:
    text = '<think>\nHm.\n</think>\n\nI look.\n<tool_call>\n{"name": "tide", "arguments": {"s": "x"}}\n</tool_call>'
    service, _ = serve(tokenizer, text, chunk=chunk)
    found = asyncio.run(collect(service.stream(ASKED, GREEDY)))
    assert "".join(delta.text for delta in found) == text
    assert "".join(delta.content for delta in found) == "I look."
    assert "".join(delta.reasoning for delta in found) == "Hm."
    calls = [call for delta in found for call in delta.calls]
    assert (calls[0].index, calls[0].name) == (0, "tide")
    assert "".join(call.arguments for call in calls) == '{"s": "x"}'
    answer = asyncio.run(service.answer(ASKED, GREEDY))
    [call] = answer.message.tool_calls
    assert (answer.message.content, answer.message.reasoning) == ("I look.", "Hm.")
    assert (call.name, call.arguments) == ("tide", {"s": "x"})
    assert call.id is not None
    assert call.id.startswith("call_")


def test_the_answer_goes_on_in_reasoning_that_the_prompt_opened(tokenizer: TextTokenizer) -> None:
    service, _ = serve(tokenizer, "Hm.\n</think>\n\nYes.")
    conversation = Conversation((Message("user", "?"), Message("assistant", "<think>\nFirst. ")))
    message = asyncio.run(service.answer(conversation, GREEDY)).message
    assert (message.reasoning, message.content) == ("Hm.", "Yes.")


def test_log_probabilities_end_with_the_text(tokenizer: TextTokenizer) -> None:
    service, engine = serve(tokenizer, "One, two. STOP three", chunk=3)
    answer = asyncio.run(service.answer(ASKED, replace(GREEDY, stop=(" STOP",)), logprobs=2, request_id="r1"))
    assert answer.text == "One, two."
    assert b"".join(one.bytes for one in answer.logprobs).decode() == "One, two."
    assert all(len(one.top) == 2 and one.logprob < 0 for one in answer.logprobs)
    assert (engine.requests[0].id, engine.requests[0].logprobs) == ("r1", 2)


def test_the_stop_token_has_no_log_probability(tokenizer: TextTokenizer) -> None:
    service, _ = serve(tokenizer, "Yes ☀", chunk=100)
    answer = asyncio.run(service.answer(ASKED, GREEDY, logprobs=0))
    assert len(answer.logprobs) == answer.num_tokens - 1
    assert b"".join(one.bytes for one in answer.logprobs).decode() == "Yes ☀"


def test_a_prompt_of_ids_is_continued_as_plain_text(tokenizer: TextTokenizer) -> None:
    service, engine = serve(tokenizer, "<think>a</think> b STOP c")
    prompt = tuple(tokenizer.encode("Once upon"))
    deltas = asyncio.run(
        collect(service.stream_prompt(prompt, replace(GREEDY, stop=(" STOP",)), logprobs=1, prompt_logprobs=1))
    )
    assert "".join(delta.content for delta in deltas) == "<think>a</think> b"
    assert all(delta.content == delta.text and not delta.reasoning for delta in deltas)
    told = [one for delta in deltas for one in delta.prompt_logprobs]
    assert [one.token_id for one in told] == list(prompt[1:])
    assert engine.requests[0].stop_ids == (tokenizer.eos_token_id,)


def test_adapters_and_grammars_reach_the_engine(tokenizer: TextTokenizer) -> None:
    service, engine = serve(tokenizer, "yes")
    asyncio.run(engine.load_adapter("style", "/nowhere"))
    grammar = Grammar("regex", "yes|no")
    asyncio.run(service.answer(ASKED, GREEDY, adapter="style", grammar=grammar))
    assert (engine.requests[0].adapter, engine.requests[0].grammar) == ("style", grammar)
    with pytest.raises(EngineError, match="other"):
        asyncio.run(service.answer(ASKED, GREEDY, adapter="other"))


def test_a_forced_call_has_a_grammar(tokenizer: TextTokenizer) -> None:
    service, _ = serve(tokenizer, "")
    grammar = service.tool_grammar(ASKED, service.prepare(ASKED), "tide")
    assert grammar.kind == "lark"
    assert "tide" in grammar.text
