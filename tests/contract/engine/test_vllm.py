"""vLLM itself: answers, log-probabilities, grammars, adapters, and its end. Skips where `swift env add vllm` has not been run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from swift.environments.guard import descendants
from swift.environments.locate import Located
from swift.llm.core import Grammar, Sampling
from swift.llm.engine.protocol import GenerateRequest, Step
from swift.llm.engine.remote import RemoteEngine
from swift.utils.errors import EngineError

PROMPT = (1, 300, 301, 302, 17, 40)
GREEDY = Sampling(max_new_tokens=12)


@pytest.fixture(scope="module")
def engine(vllm: Located, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteEngine]:
    from swift.llm.answering.planning import make_infer_plan
    from swift.llm.answering.service import open_engine
    from swift.llm.arguments.commands import InferArguments

    given = {
        "model_type": "demo-chat", "infer_backend": "vllm", "enforce_eager": True, "max_num_seqs": 8, "dtype": "fp32",
        "vllm_enable_lora": True, "save_result": False,
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWIFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        plan = make_infer_plan(InferArguments(**given), dict.fromkeys(given, "test"), located={"vllm": vllm})  # type: ignore[arg-type]
        with open_engine(plan) as opened:
            assert isinstance(opened, RemoteEngine)
            yield opened
        assert descendants(os.getpid()) == []


def run(engine: RemoteEngine, request: GenerateRequest) -> list[Step]:
    async def collect() -> list[Step]:
        return [step async for step in engine.generate(request)]

    return asyncio.run(collect())


def ids(steps: list[Step]) -> list[int]:
    return [token for step in steps for token in step.token_ids]


def test_answers_and_log_probabilities_equal_those_of_pt(engine: RemoteEngine) -> None:
    from transformers import AutoModelForCausalLM

    from swift.demo import MODEL
    from swift.llm.engine.pt import PtEngine

    request = GenerateRequest("r1", PROMPT, GREEDY, stop_ids=(2,), logprobs=3, prompt_logprobs=1)
    with PtEngine(AutoModelForCausalLM.from_pretrained(MODEL, dtype="float32"), max_cached_tokens=2048) as ours:
        expected = asyncio.run(_all(ours, request))
        scores = asyncio.run(ours.score([PROMPT]))[0]
    steps = run(engine, request)
    assert ids(steps) == ids(expected)
    for got, wanted in zip(_logprobs(steps), _logprobs(expected), strict=True):
        assert got.token == wanted.token
        assert got.logprob == pytest.approx(wanted.logprob, abs=1e-3)
        assert [token for token, _ in got.top] == [token for token, _ in wanted.top]
    first = steps[0].prompt_logprobs
    assert [one.token for one in first] == list(PROMPT[1:])
    assert [one.logprob for one in first] == pytest.approx(scores, abs=1e-3)
    assert asyncio.run(engine.score([PROMPT]))[0] == pytest.approx(scores, abs=1e-3)


async def _all(engine: object, request: GenerateRequest) -> list[Step]:
    return [step async for step in engine.generate(request)]  # type: ignore[attr-defined]


def _logprobs(steps: list[Step]) -> list:  # type: ignore[type-arg]
    return [one for step in steps for one in step.logprobs]


def test_a_seed_repeats_and_a_stop_id_or_the_limit_ends(engine: RemoteEngine) -> None:
    drawn = GenerateRequest("r2", PROMPT, Sampling(max_new_tokens=6, do_sample=True, temperature=1.5, seed=5))
    one, two = run(engine, drawn), run(engine, drawn)
    assert ids(one) == ids(two)
    assert (len(ids(one)), one[-1].finish) == (6, "length")
    third = ids(one)[2]
    stopped = run(engine, replace(drawn, stop_ids=(third,)))
    assert (ids(stopped)[-1], stopped[-1].finish) == (third, "stop")


@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        (Grammar("regex", "[0-9]{3}"), r"\d{3}"),
        (Grammar("lark", 'start: "ab" /[0-9]/'), r"ab\d"),
        (Grammar("json_schema", '{"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": false}'), r'\s*\{\s*"a"\s*:\s*(true|false)\s*\}\s*'),
    ],
)  # fmt: skip
def test_a_grammar_bounds_the_answer(engine: RemoteEngine, grammar: Grammar, text: str) -> None:
    import re

    from swift.demo import MODEL
    from swift.llm.tokenizer import load_tokenizer

    steps = run(engine, GenerateRequest("r3", PROMPT, Sampling(max_new_tokens=120), stop_ids=(2,), grammar=grammar))
    written = [token for token in ids(steps) if token != 2]
    assert steps[-1].finish == "stop"
    assert re.fullmatch(text, load_tokenizer(Path(MODEL)).decode(written))


def test_leaving_early_frees_the_place(engine: RemoteEngine) -> None:
    async def leave() -> float:
        request = GenerateRequest("r4", PROMPT, Sampling(max_new_tokens=1500))
        async with aclosing(engine.generate(request)) as steps:  # type: ignore[type-var]
            async for _ in steps:
                break
        for _ in range(50):
            stats = await engine.stats()
            if stats.num_running == 0:
                break
            await asyncio.sleep(0.1)
        return stats.num_running

    assert asyncio.run(leave()) == 0


def test_what_vllm_refuses_is_said(engine: RemoteEngine) -> None:
    with pytest.raises(EngineError, match=r"vLLM.*5000"):
        run(engine, GenerateRequest("r5", (1, 5000), GREEDY))
    with pytest.raises(EngineError, match="nobody"):
        run(engine, GenerateRequest("r6", PROMPT, GREEDY, adapter="nobody"))


def test_an_adapter_is_loaded_by_name_changes_the_answer_and_is_forgotten(engine: RemoteEngine, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from swift.demo import MODEL

    torch.manual_seed(0)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(MODEL, dtype="float32"),
        LoraConfig(r=8, lora_alpha=32, target_modules=["q_proj", "v_proj"], init_lora_weights=False),
    ).eval()
    model.save_pretrained(tmp_path / "adapter")
    with torch.no_grad():
        logits = model(torch.tensor([PROMPT])).logits[0, :-1].log_softmax(-1)
    expected = [float(logits[place, token]) for place, token in enumerate(PROMPT[1:])]
    asyncio.run(engine.load_adapter("mine", str(tmp_path / "adapter")))
    request = GenerateRequest("r7", PROMPT, Sampling(max_new_tokens=2), adapter="mine", prompt_logprobs=0)
    told = [one.logprob for one in run(engine, request)[0].prompt_logprobs]
    assert told == pytest.approx(expected, abs=2e-3)
    assert told != pytest.approx(asyncio.run(engine.score([PROMPT]))[0], abs=2e-3)
    asyncio.run(engine.unload_adapter("mine"))
    with pytest.raises(EngineError):
        run(engine, request)
