"""Prefix reuse, a full cache, cancellations: the greedy answers stay those of transformers' generate."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch
from transformers import GenerationConfig, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM

from swift.llm.core import Sampling
from swift.llm.engine.protocol import EngineStats, GenerateRequest, Step
from swift.llm.engine.pt import PtEngine

SMALL: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0,
}  # fmt: skip
NEW = 12


@pytest.fixture(scope="module", params=["full", "window"])
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    made: Any = (
        Qwen2ForCausalLM(Qwen2Config(**SMALL))
        if request.param == "full"
        else MistralForCausalLM(MistralConfig(**SMALL, sliding_window=9))
    )
    for parameter in made.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, 0.3)
    return made.eval()


def wanted(model: Any, prompt: tuple[int, ...]) -> list[int]:
    config = GenerationConfig(max_new_tokens=NEW, do_sample=False, eos_token_id=None, pad_token_id=0)
    ids = torch.tensor([prompt])
    found: list[int] = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)[
        0, len(prompt) :
    ].tolist()
    return found


def ask(name: str, prompt: tuple[int, ...], new: int = NEW) -> GenerateRequest:
    return GenerateRequest(name, prompt, Sampling(max_new_tokens=new))


async def collect(engine: PtEngine, request: GenerateRequest) -> tuple[list[int], int]:
    steps = [step async for step in engine.generate(request)]
    assert all(step.num_reused == 0 for step in steps[1:])
    return [token for step in steps for token in step.token_ids], steps[0].num_reused


def system(number: int, length: int = 50) -> tuple[int, ...]:
    return tuple((number * 31 + i * i * 7) % 90 + 3 for i in range(length))


def test_a_chat_that_grows_reads_only_what_is_new(model: Any) -> None:
    async def go() -> list[int]:
        reused, chat = [], system(0)
        said: list[tuple[tuple[int, ...], list[int]]] = []
        with PtEngine(model) as engine:
            for turn in range(4):
                answer, found = await collect(engine, ask(f"turn {turn}", chat))
                said.append((chat, answer))
                reused.append(found - len(chat))
                chat = (*chat, *answer, 5 + turn, 6, 7)
            assert (await engine.stats()).reused_tokens == sum(reused) + sum(
                len(system(0)) + turn * (NEW + 3) for turn in range(4)
            )
        assert all(answer == wanted(model, chat) for chat, answer in said)
        return reused

    # all but the answer's last token, which was never read, and the three new ones
    assert asyncio.run(go()) == [-50, -4, -4, -4]


@pytest.mark.parametrize(
    "settings",
    [{}, {"max_step_tokens": 7}, {"max_batch": 3, "max_cached_tokens": 96}, {"max_batch": 5, "max_cached_tokens": 200}],
)
def test_shared_beginnings_answer_as_alone(model: Any, settings: dict[str, Any]) -> None:
    prompts = [(*system(i % 2, 40 + i % 3), i, i + 1) for i in range(10)] + [system(0), system(0), (4, 4)]

    async def go() -> tuple[list[tuple[list[int], int]], EngineStats]:
        with PtEngine(model, **settings) as engine:
            found = await asyncio.gather(*(collect(engine, ask(str(i), p)) for i, p in enumerate(prompts)))
            return found, await engine.stats()

    answers, stats = asyncio.run(go())
    assert [answer for answer, _ in answers] == [wanted(model, prompt) for prompt in prompts]
    assert sum(reused for _, reused in answers) > (40 if settings.get("max_cached_tokens") == 96 else 100)
    assert (stats.num_running, stats.num_waiting, stats.cache_used) == (0, 0, 0.0)
    assert stats.prompt_tokens == sum(map(len, prompts))
    assert stats.answer_tokens == NEW * len(prompts)


def test_clients_that_leave_give_their_places_back(model: Any) -> None:
    async def leave(engine: PtEngine, name: str, prompt: tuple[int, ...], after: int) -> None:
        steps = engine.generate(ask(name, prompt, 100))
        for _ in range(after):
            await anext(steps)
        await steps.aclose()  # type: ignore[attr-defined]

    staying = [(system(i, 20), f"stay {i}") for i in range(4)]
    expected = [wanted(model, prompt) for prompt, _ in staying]
    whole = system(9, 140)
    last = wanted(model, whole)

    async def go() -> None:
        with PtEngine(model, max_batch=3, max_cached_tokens=160) as engine:
            tasks = [asyncio.create_task(collect(engine, ask(name, prompt))) for prompt, name in staying]
            await asyncio.gather(*(leave(engine, f"go {i}", system(i % 5, 30), i % 4) for i in range(12)))
            answers = await asyncio.gather(*tasks)
            assert [answer for answer, _ in answers] == expected
            answer, _ = await collect(engine, ask("last", whole))  # all of the cache
            assert answer == last
            stats = await engine.stats()
            assert (stats.num_running, stats.num_waiting, stats.cache_used) == (0, 0, 0.0)

    asyncio.run(go())


def test_the_cache_bounds_the_context(model: Any) -> None:
    with PtEngine(model, max_cached_tokens=64) as engine:
        assert engine.limits.context == 64
        assert engine.cache_bytes == 64 * 2 * 2 * 2 * 8 * 4  # tokens, layers, keys and values, heads, width, fp32
        steps: list[Step] = asyncio.run(all_steps(engine, ask("a", system(0, 60), 50)))
    assert (len(steps), steps[-1].finish) == (4, "length")


async def all_steps(engine: PtEngine, request: GenerateRequest) -> list[Step]:
    return [step async for step in engine.generate(request)]
