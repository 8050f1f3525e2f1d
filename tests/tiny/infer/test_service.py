"""The chat service on a scripted engine: what is sent, what comes back, where it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from swift.llm.chat.service import ChatService, Delta
from swift.llm.core import Conversation, Message, Sampling
from swift.llm.engine.fake import FakeEngine
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import TextTokenizer, load_tokenizer
from swift.utils.errors import DataError, EngineError

GREEDY = Sampling(max_new_tokens=200)


@pytest.fixture(scope="module")
def tokenizer(model_folder: Path) -> TextTokenizer:
    return load_tokenizer(model_folder)


def said(text: str) -> Conversation:
    return Conversation((Message("user", text),))


def serve(tokenizer: TextTokenizer, answer: str, *, chunk: int = 1, **plan: object) -> tuple[ChatService, FakeEngine]:
    ids = [*tokenizer.encode(answer), tokenizer.special_tokens["<|im_end|>"]]
    engine = FakeEngine(lambda prompt: ids, chunk=chunk, context=4096)
    template = open_template("chatml", tokenizer, TemplatePlan(template_type="chatml", **plan))  # type: ignore[arg-type]
    return ChatService(template, tokenizer, engine), engine


async def deltas(service: ChatService, conversation: Conversation, sampling: Sampling) -> list[Delta]:
    return [delta async for delta in service.stream(conversation, sampling)]


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_text_streams_without_the_stop_token(tokenizer: TextTokenizer, chunk: int) -> None:
    service, engine = serve(tokenizer, "The sum is 七 🙂.", chunk=chunk)
    found = asyncio.run(deltas(service, said("Hi"), GREEDY))
    assert "".join(delta.text for delta in found) == "The sum is 七 🙂."
    assert found[-1].finish == "stop"
    assert found[-1].num_tokens == len(tokenizer.encode("The sum is 七 🙂.")) + 1
    assert tokenizer.decode(engine.requests[0].prompt).endswith(
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert found[-1].num_prompt_tokens == len(engine.requests[0].prompt)


def test_a_stop_string_ends_the_answer_and_the_request(tokenizer: TextTokenizer) -> None:
    service, engine = serve(tokenizer, "one two END three four five")
    answer = asyncio.run(service.answer(said("count"), Sampling(max_new_tokens=200, stop=(" END",))))
    assert (answer.text, answer.finish) == ("one two", "stop")
    assert engine.aborted == [engine.requests[0].id]


def test_length_is_told(tokenizer: TextTokenizer) -> None:
    service, _ = serve(tokenizer, "one two three four")
    answer = asyncio.run(service.answer(said("count"), Sampling(max_new_tokens=2)))
    assert (answer.finish, answer.num_tokens) == ("length", 2)


def test_control_tokens_of_the_user_stay_text(tokenizer: TextTokenizer) -> None:
    service, engine = serve(tokenizer, "no")
    asyncio.run(service.chat(said("x<|im_end|>y"), GREEDY))
    assert engine.requests[0].prompt.count(tokenizer.special_tokens["<|im_end|>"]) == 1


def test_a_prompt_over_the_limit_is_refused_or_cut(tokenizer: TextTokenizer) -> None:
    service, _ = serve(tokenizer, "yes", max_length=10)
    with pytest.raises(DataError, match=r"tokens, limit 10 \(--max_length\)"):
        service.encode(said("a rather long question about nothing"))
    service, engine = serve(tokenizer, "yes", max_length=10, truncation="truncation_left")
    asyncio.run(service.chat(said("a rather long question about nothing"), GREEDY))
    assert len(engine.requests[0].prompt) == 10


def echo(tokenizer: TextTokenizer, context: int = 100) -> ChatService:
    """Answers each question with itself, so long ones take longer."""
    end = tokenizer.special_tokens["<|im_end|>"]

    def script(prompt: Sequence[int]) -> list[int]:
        text = tokenizer.decode(prompt).split("user\n")[-1].split("<|im_end|>")[0]
        return [*tokenizer.encode(text), end]

    template = open_template("chatml", tokenizer, TemplatePlan(template_type="chatml"))
    return ChatService(template, tokenizer, FakeEngine(script, context=context))


@pytest.mark.parametrize("max_batch", [1, 3, 100])
def test_answers_come_in_order(tokenizer: TextTokenizer, max_batch: int) -> None:
    texts = ["word " * (20 - number) + str(number) for number in range(20)]
    answers = echo(tokenizer, context=2000).answers(map(said, texts), GREEDY, max_batch=max_batch)
    assert [answer.text for answer in answers] == texts


def test_a_row_without_an_answer_says_why_and_the_others_go_on(tokenizer: TextTokenizer) -> None:
    service = echo(tokenizer)
    answers = list(service.answers([said("a"), said("b " * 200), said("c")], GREEDY))
    assert [answer.text for answer in answers] == ["a", "", "c"]
    assert "context holds 100" in (answers[1].error or "")
    with pytest.raises(EngineError, match="row 1: the prompt has"):
        service.chat_batch([said("a"), said("b " * 200)], GREEDY)
    assert [message.content for message in service.chat_batch([said("a"), said("b")], GREEDY)] == ["a", "b"]


def test_on_text_shows_row_after_row(tokenizer: TextTokenizer) -> None:
    seen: list[tuple[int, str]] = []
    texts = ["first row here", "2", "third row"]
    list(echo(tokenizer).answers(map(said, texts), GREEDY, max_batch=3, on_text=lambda i, text: seen.append((i, text))))
    assert [number for number, _ in seen] == sorted(number for number, _ in seen)
    for number, text in enumerate(texts):
        assert "".join(piece for i, piece in seen if i == number) == text


def test_a_seed_goes_on_row_by_row(tokenizer: TextTokenizer) -> None:
    service = echo(tokenizer)
    list(service.answers([said("a"), said("b"), said("c")], Sampling(max_new_tokens=5, seed=7)))
    assert [request.sampling.seed for request in service.engine.requests] == [7, 8, 9]  # type: ignore[attr-defined]


def test_conversations_are_read_as_they_are_needed(tokenizer: TextTokenizer) -> None:
    read = 0

    def endless() -> object:
        nonlocal read
        while True:
            read += 1
            yield said("x")

    answers = echo(tokenizer).answers(endless(), GREEDY, max_batch=2)  # type: ignore[arg-type]
    assert next(answers).text == "x"
    assert read <= 4
    answers.close()  # type: ignore[attr-defined]
