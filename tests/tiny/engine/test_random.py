"""At random: growing chats, shared beginnings, adapters, clients that leave, small caches; every answer is that of generate."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from transformers import GenerationConfig, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM

from swift.llm.core import Grammar, Sampling
from swift.llm.engine.protocol import GenerateRequest
from swift.llm.engine.pt import PtEngine

SMALL: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0,
}  # fmt: skip
MOST = 20
Wanted = Callable[[str | None, tuple[int, ...]], list[int]]


def base(kind: str) -> Any:
    torch.manual_seed(0)
    model: Any = (
        Qwen2ForCausalLM(Qwen2Config(**SMALL))
        if kind == "full"
        else MistralForCausalLM(MistralConfig(**SMALL, sliding_window=9))
    )
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, 0.3)
    return model.eval()


@pytest.fixture(scope="module", params=["full", "window"])
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Wanted, dict[str, str]]:
    """A model, what it answers alone (by adapter), and its adapters' folders."""
    models: dict[str | None, Any] = {None: base(request.param)}
    folders: dict[str, str] = {}
    for number, name in enumerate(("a", "b")):
        config = peft.LoraConfig(target_modules="all-linear", r=2 + number, lora_alpha=8)
        models[name] = peft.get_peft_model(base(request.param), config)
        torch.manual_seed(number)
        for parameter_name, parameter in models[name].named_parameters():
            if "lora_" in parameter_name:
                parameter.data.normal_(0, 0.4)
        folder: Path = tmp_path_factory.mktemp("adapters") / name
        models[name].eval().save_pretrained(str(folder), save_embedding_layers=False)
        folders[name] = str(folder)

    @cache
    def wanted(adapter: str | None, prompt: tuple[int, ...]) -> list[int]:
        new = min(MOST, SMALL["max_position_embeddings"] - len(prompt))
        config = GenerationConfig(max_new_tokens=new, do_sample=False, eos_token_id=None, pad_token_id=0)
        ids = torch.tensor([prompt])
        output = models[adapter].generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config)
        found: list[int] = output[0, len(prompt) :].tolist()
        return found

    return base(request.param), wanted, folders


class Even:
    """A grammar that allows even tokens only; its requests run beside the others."""

    is_done = False

    def mask(self, logits: Any) -> Any:
        logits[1::2] = -torch.inf
        return logits

    def accept(self, token: int) -> None:
        assert token % 2 == 0


@pytest.mark.parametrize("seed", [4, 7])
def test_whatever_happens_answers_are_those_of_generate(opened: tuple[Any, Wanted, dict[str, str]], seed: int) -> None:
    model, wanted, folders = opened
    chance = random.Random(seed)
    settings = {
        "max_batch": chance.choice([3, 8]),
        "max_step_tokens": chance.choice([5, 17, 512]),
        "max_cached_tokens": chance.choice([128, 144, 200, 300, 1000]),
    }
    engine = PtEngine(model, constrain=lambda grammar: Even(), **settings)

    async def client(number: int) -> None:
        chat = tuple(chance.randrange(3, 6) for _ in range(chance.choice([1, 2, 16, 17, 40, 90, 126])))
        adapter = chance.choice([None, "a", "b"])
        for turn in range(3):
            if len(chat) >= 128:
                return
            answer = wanted(adapter, chat)
            new = chance.choice([1, 2, MOST])
            stop = (answer[chance.choice([0, -1])],) if chance.random() < 0.3 else ()
            grammar = Grammar("regex", "even") if chance.random() < 0.1 else None
            leaves = chance.randrange(4) if chance.random() < 0.3 else None
            request = GenerateRequest(
                f"{number}.{turn}", chat, Sampling(max_new_tokens=new), stop, adapter=adapter, grammar=grammar,
                prompt_logprobs=0 if chance.random() < 0.1 else None,
            )  # fmt: skip
            found: list[int] = []
            finish, is_first = None, True
            steps: Any = engine.generate(request)
            async for step in steps:
                assert len(step.prompt_logprobs) == (len(chat) - 1 if is_first and request.prompt_logprobs == 0 else 0)
                is_first = False
                found += step.token_ids
                finish = step.finish
                if leaves is not None and len(found) > leaves:
                    break
            await steps.aclose()
            if grammar is None:
                told = answer[:new]
                ends = [place for place, token in enumerate(told) if token in stop]
                told = told[: ends[0] + 1] if ends else told
                assert found == told[: len(found)], (settings, request)
                if finish is not None:
                    assert (found, finish) == (told, "stop" if ends else "length"), (settings, request)
            chat = (*chat, *found, *(chance.randrange(3, 90) for _ in range(chance.randrange(3))))

    async def adapters() -> None:
        for _ in range(3):  # others come and go beside those in use
            await engine.load_adapter("passing", folders["a"])
            await asyncio.sleep(0.01)
            await engine.unload_adapter("passing")

    async def everybody() -> None:
        for name, folder in folders.items():
            await engine.load_adapter(name, folder)
        await asyncio.gather(adapters(), *(client(number) for number in range(10)))
        for _ in range(200):
            stats = await engine.stats()
            if (stats.num_running, stats.num_waiting, stats.cache_used) == (0, 0, 0.0):
                break
            await asyncio.sleep(0.01)
        assert (stats.num_running, stats.num_waiting, stats.cache_used) == (0, 0, 0.0)

    with engine:
        asyncio.run(asyncio.wait_for(everybody(), 120))
        assert engine._worker.batch is not None
        cache_ = engine._worker.batch.cache
        cache_.drop(lambda key: True)
        assert (cache_.blocks.num_free, cache_._found) == (cache_.blocks.num_places, {})
