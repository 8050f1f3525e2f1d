from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from swift.llm.core import Sampling
from swift.llm.engine.fake import FakeEngine
from swift.llm.engine.protocol import Engine, GenerateRequest, Limits, Step, check_request
from swift.utils.errors import EngineError

REQUEST = GenerateRequest("a", (1, 2, 3), Sampling(max_new_tokens=5), (9,))


def test_the_limit_is_the_smaller_of_wish_and_context() -> None:
    assert check_request(REQUEST, Limits(context=100)) == 8
    assert check_request(REQUEST, Limits(context=6)) == 6
    assert check_request(replace(REQUEST, sampling=Sampling()), Limits(context=50)) == 50
    assert check_request(REQUEST, Limits()) == 8


@pytest.mark.parametrize(
    ("request_", "limits", "text"),
    [
        (replace(REQUEST, prompt=()), Limits(context=10), "prompt is empty"),
        (REQUEST, Limits(context=3), "3 tokens, the model's context holds 3"),
        (replace(REQUEST, sampling=Sampling()), Limits(), "max_new_tokens is needed"),
        (replace(REQUEST, sampling=Sampling(max_new_tokens=0)), Limits(context=10), "max_new_tokens is 0"),
        (replace(REQUEST, sampling=Sampling(num_beams=2)), Limits(context=10), "no beams"),
        (replace(REQUEST, sampling=Sampling(top_p=0.0)), Limits(context=10), "top_p is 0.0"),
        (replace(REQUEST, sampling=Sampling(temperature=-1)), Limits(context=10), "temperature is -1"),
        (replace(REQUEST, sampling=Sampling(top_k=-1)), Limits(context=10), "top_k is -1"),
        (replace(REQUEST, sampling=Sampling(repetition_penalty=0)), Limits(context=10), "repetition_penalty is 0"),
        (replace(REQUEST, adapter="x"), Limits(context=10), "adapter 'x'"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(request_: GenerateRequest, limits: Limits, text: str) -> None:
    with pytest.raises(EngineError, match=text):
        check_request(request_, limits)


async def collect(engine: Engine, request: GenerateRequest) -> list[Step]:
    return [step async for step in engine.generate(request)]


def test_the_fake_keeps_the_promises() -> None:
    engine = FakeEngine(lambda prompt: [*prompt, 9, 4], chunk=2)
    assert asyncio.run(collect(engine, REQUEST)) == [Step((1, 2)), Step((3, 9), "stop")]
    short = replace(REQUEST, sampling=Sampling(max_new_tokens=2))
    assert asyncio.run(collect(engine, short)) == [Step((1, 2), "length")]


def test_leaving_the_fake_early_aborts() -> None:
    engine = FakeEngine(lambda prompt: [5] * 50)

    async def leave() -> None:
        steps = engine.generate(REQUEST)
        await anext(steps)
        await steps.aclose()  # type: ignore[attr-defined]

    asyncio.run(leave())
    assert engine.aborted == ["a"]


def test_abort_ends_the_iteration_with_a_step() -> None:
    engine = FakeEngine(lambda prompt: [5] * 50)

    async def go() -> list[Step]:
        steps = []
        async for step in engine.generate(REQUEST):
            steps.append(step)
            await engine.abort("a")
            await engine.abort("unknown")
        return steps

    assert asyncio.run(go()) == [Step((5,)), Step((), "abort")]


def test_a_closed_fake_refuses() -> None:
    engine = FakeEngine(lambda prompt: [5])
    asyncio.run(engine.close())
    asyncio.run(engine.close())
    with pytest.raises(EngineError, match="closed"):
        asyncio.run(collect(engine, REQUEST))
