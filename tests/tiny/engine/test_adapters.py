"""Several LoRA adapters in one batch: each request's answer is the one its adapter gives alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

from swift.llm.core import Sampling
from swift.llm.engine.protocol import GenerateRequest
from swift.llm.engine.pt import PtEngine
from swift.utils.errors import EngineError

NEW = 10
PROMPTS = [tuple((i * 13 + j * j * 5) % 90 + 3 for j in range(6 + 9 * i)) for i in range(5)]
KINDS: dict[str, dict[str, Any]] = {
    "a": {"target_modules": ["q_proj", "v_proj"], "r": 4, "lora_alpha": 16},
    "b": {"target_modules": "all-linear", "r": 2, "use_rslora": True, "rank_pattern": {"down_proj": 5}},
    "c": {"target_modules": ["lm_head", "o_proj"], "r": 3, "alpha_pattern": {"o_proj": 40}},
}


def base() -> Any:
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(
        vocab_size=97, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, bos_token_id=None, eos_token_id=None,
    ))  # fmt: skip
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, 0.3)
    return model.eval()


def adapted(kind: dict[str, Any]) -> Any:
    model = peft.get_peft_model(base(), peft.LoraConfig(**kind))
    torch.manual_seed(len(str(kind)))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(0, 0.4)
    return model.eval()


def wanted(model: Any, prompt: tuple[int, ...]) -> list[int]:
    config = GenerationConfig(max_new_tokens=NEW, do_sample=False, eos_token_id=None, pad_token_id=0)
    ids = torch.tensor([prompt])
    output = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config)
    found: list[int] = output[0, len(prompt) :].tolist()
    return found


def ask(name: str, prompt: tuple[int, ...], adapter: str | None, **more: Any) -> GenerateRequest:
    return GenerateRequest(name, prompt, Sampling(max_new_tokens=NEW, **more), adapter=adapter)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str | None, tuple[str, list[list[int]]]]:
    """By name: the folder of an adapter, and its answers alone. None is the model without any."""
    found: dict[str | None, tuple[str, list[list[int]]]] = {None: ("", [wanted(base(), p) for p in PROMPTS])}
    for name, kind in KINDS.items():
        folder = tmp_path_factory.mktemp("adapters") / name
        model = adapted(kind)
        model.save_pretrained(str(folder), save_embedding_layers=False)
        found[name] = (str(folder), [wanted(model, prompt) for prompt in PROMPTS])
    return found


@pytest.mark.parametrize("settings", [{}, {"max_step_tokens": 6, "max_batch": 7, "max_cached_tokens": 256}])
def test_mixed_in_one_batch_each_answers_as_alone(saved: Any, settings: dict[str, Any]) -> None:
    model = base()
    before = dict(model.named_modules())
    pairs = [(name, i) for i in range(len(PROMPTS)) for name in saved]
    with PtEngine(model, **settings) as engine:
        assert engine.limits.adapters
        for name in KINDS:
            asyncio.run(engine.load_adapter(name, saved[name][0]))
        for _ in range(2):  # the second time from what is cached
            answers = engine.generate_batch([ask(f"{name} {i}", PROMPTS[i], name) for name, i in pairs])
            assert answers == [saved[name][1][i] for name, i in pairs]
        assert settings or asyncio.run(engine.stats()).reused_tokens > 0
        assert engine.generate_batch([ask("one", PROMPTS[1], "b")]) == [saved["b"][1][1]]
        beams = engine.generate_batch([ask("beams", PROMPTS[1], name, num_beams=2) for name in ("a",)])
        assert beams != engine.generate_batch([ask("beams", PROMPTS[1], None, num_beams=2)])
    assert {name: id(module) for name, module in model.named_modules()} == {n: id(m) for n, m in before.items()}
    assert wanted(model, PROMPTS[0]) == saved[None][1][0]


def test_beside_the_adapter_that_the_model_was_opened_with(saved: Any) -> None:
    model = adapted(KINDS["a"])
    with PtEngine(model) as engine:
        asyncio.run(engine.load_adapter("other", saved["b"][0]))
        requests = [ask(f"{name} {i}", PROMPTS[i], name) for i in range(5) for name in (None, "other")]
        expected = [saved[name][1][i] for i in range(5) for name in ("a", "b")]
        assert engine.generate_batch(requests) == expected
    assert wanted(model, PROMPTS[2]) == saved["a"][1][2]


def test_loading_and_unloading(saved: Any, tmp_path: Path) -> None:
    async def go(engine: PtEngine) -> None:
        await engine.load_adapter("x", saved["a"][0])
        with pytest.raises(EngineError, match="'x' is loaded already"):
            await engine.load_adapter("x", saved["b"][0])
        steps = engine.generate(ask("long", PROMPTS[4], "x"))
        tokens = [*(await anext(steps)).token_ids]
        unloading = asyncio.create_task(engine.unload_adapter("x"))
        await asyncio.sleep(0)
        with pytest.raises(EngineError, match="'x' is not loaded; loaded are: none"):
            await anext(engine.generate(ask("late", PROMPTS[0], "x")))
        async for step in steps:
            tokens += step.token_ids
        assert tokens == saved["a"][1][4]  # it was there until the end
        await unloading
        with pytest.raises(EngineError, match="'x' is not loaded"):
            await engine.unload_adapter("x")
        await engine.load_adapter("x", saved["b"][0])  # another one of that name: nothing cached of the first is used
        found = [step async for step in engine.generate(ask("again", PROMPTS[4], "x"))]
        assert [token for step in found for token in step.token_ids] == saved["b"][1][4]
        assert found[0].num_reused == 0

    with PtEngine(base()) as engine:
        asyncio.run(go(engine))


def test_who_gives_up_waiting_for_an_adapter_to_go_stops_nobody(saved: Any) -> None:
    async def go(engine: PtEngine) -> None:
        await engine.load_adapter("x", saved["a"][0])
        steps = engine.generate(ask("long", PROMPTS[4], "x"))
        tokens = [*(await anext(steps)).token_ids]
        unloading = asyncio.create_task(engine.unload_adapter("x"))
        await asyncio.sleep(0)
        unloading.cancel()
        tokens += [token async for step in steps for token in step.token_ids]
        assert tokens == saved["a"][1][4]
        assert [len(step.token_ids) async for step in engine.generate(ask("next", PROMPTS[0], None))]

    with PtEngine(base()) as engine:
        asyncio.run(asyncio.wait_for(go(engine), 60))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (peft.LoraConfig(target_modules=["q_proj"], use_dora=True), "use_dora True"),
        (peft.LoraConfig(target_modules=["q_proj"], modules_to_save=["lm_head"]), "modules_to_save"),
        (peft.IA3Config(target_modules=["q_proj"], feedforward_modules=[]), "peft_type is 'IA3'"),
    ],
)
def test_other_adapters_are_refused_by_name(kind: Any, text: str, tmp_path: Path) -> None:
    model = peft.get_peft_model(base(), kind)
    model.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    with PtEngine(base()) as engine:
        with pytest.raises(EngineError, match=text):
            asyncio.run(engine.load_adapter("x", str(tmp_path / "adapter")))
        with pytest.raises(EngineError, match="configuration is expected"):
            asyncio.run(engine.load_adapter("x", str(tmp_path)))
        assert engine.generate_batch([ask("a", PROMPTS[0], None)]) == [wanted(base(), PROMPTS[0])]
    with PtEngine(model.eval()) as engine:
        assert not engine.limits.adapters
        with pytest.raises(EngineError, match="opened with an adapter"):
            asyncio.run(engine.load_adapter("x", str(tmp_path / "adapter")))


def test_an_adapter_of_another_model_is_refused(saved: Any, tmp_path: Path) -> None:
    config = Qwen2Config(
        vocab_size=97, hidden_size=16, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    with PtEngine(Qwen2ForCausalLM(config).eval()) as engine:
        with pytest.raises(EngineError, match=r"takes 16 and gives .* trained on another model"):
            asyncio.run(engine.load_adapter("x", saved["a"][0]))
        assert len(engine.generate_batch([ask("a", PROMPTS[0], None)])[0]) == NEW
