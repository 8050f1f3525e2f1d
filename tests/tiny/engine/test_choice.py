"""How the next token is chosen: filters, penalties, bias, grammars, seeds; and what log-probabilities say of it."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    LogitsProcessorList,
    MinPLogitsWarper,
    Qwen2Config,
    Qwen2ForCausalLM,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from swift.llm.core import Grammar, Sampling
from swift.llm.engine.protocol import GenerateRequest, Step
from swift.llm.engine.pt import PtEngine
from swift.llm.engine.sampling import Sampler, choose
from swift.utils.errors import EngineError

PROMPT = (5, 6, 7, 5)


@pytest.fixture(scope="module", params=["flat", "alone"])
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    made: Any = (
        Qwen2ForCausalLM(Qwen2Config(
            vocab_size=97, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=64, bos_token_id=None, eos_token_id=None,
        ))
        if request.param == "flat"
        else BloomForCausalLM(BloomConfig(vocab_size=97, hidden_size=32, n_layer=2, n_head=4, bos_token_id=None, eos_token_id=None))
    )  # fmt: skip
    return made.eval()


def steps_of(engine: PtEngine, *requests: GenerateRequest) -> list[list[Step]]:
    async def collect(request: GenerateRequest) -> list[Step]:
        return [step async for step in engine.generate(request)]

    async def go() -> list[list[Step]]:
        return list(await asyncio.gather(*(collect(request) for request in requests)))

    return asyncio.run(go())


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(do_sample=True),
        Sampling(do_sample=True, temperature=0.5, top_k=5),
        Sampling(do_sample=True, temperature=1.5, top_p=0.7),
        Sampling(do_sample=True, min_p=0.3),
        Sampling(do_sample=True, temperature=0.8, top_k=9, top_p=0.8, min_p=0.1, repetition_penalty=1.5),
        Sampling(do_sample=True, top_p=0.9999, temperature=20.0),
    ],
)
def test_tokens_are_drawn_as_transformers_would(sampling: Sampling) -> None:
    torch.manual_seed(3)
    logits = torch.randn(1, 3000) * 3
    steps: list[Any] = [RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)]
    steps += [TemperatureLogitsWarper(sampling.temperature)]
    steps += [TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []
    steps += [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    steps += [MinPLogitsWarper(sampling.min_p)] if sampling.min_p else []
    expected = LogitsProcessorList(steps)(torch.tensor([PROMPT]), logits.clone()).softmax(-1)[0]
    rows = 2000
    samplers = [Sampler(replace(sampling, seed=i), PROMPT, 3000) for i in range(rows)]
    adjusted = samplers[0].adjust(logits[0])
    drawn = torch.tensor(choose(adjusted.expand(rows, -1), samplers))
    assert bool((expected[drawn] > 0).all())
    counts = torch.bincount(drawn, minlength=3000) / rows
    assert float((counts - expected).abs().max()) < 0.05
    assert choose(adjusted[None], [Sampler(replace(sampling, seed=7), PROMPT, 3000)]) == [int(drawn[7])]


def test_a_draw_hardly_feels_rounding() -> None:
    """The sums of another batch shape differ in the last bits: no draw may hang on how equally likely tokens are ordered."""
    torch.manual_seed(0)
    logits = (torch.randn(2000) * 4).round() / 2  # many ties
    settings = [
        Sampling(do_sample=True, seed=i, top_k=(0, 50)[i % 2], top_p=(1.0, 0.9, 0.99)[i % 3]) for i in range(600)
    ]
    plain = choose(logits.expand(600, -1), [Sampler(s, (), 2000) for s in settings])
    shaken = logits + torch.randn(600, 2000) * 1e-6
    answers = choose(shaken, [Sampler(replace(s, top_k=0, top_p=1.0), (), 2000) for s in settings])
    expected = choose(logits.expand(600, -1), [Sampler(replace(s, top_k=0, top_p=1.0), (), 2000) for s in settings])
    assert sum(a != b for a, b in zip(answers, expected, strict=True)) <= 1
    again = choose(logits.expand(600, -1).clone(), [Sampler(s, (), 2000) for s in settings])
    assert again == plain


def test_openai_penalties_and_bias() -> None:
    logits = torch.tensor([2.0, 1.5, 1.4, 0.0])
    sampler = Sampler(Sampling(presence_penalty=0.1, frequency_penalty=0.3), (0, 0, 0), 4)
    assert sampler.adjust(logits).tolist() == logits.tolist()  # the prompt does not count
    chosen = [choose(sampler.adjust(logits)[None], [sampler])[0] for _ in range(4)]
    # 2.0, then 2.0 - 0.1 - 0.3 = 1.6, then 1.3: token 1 goes before it
    assert chosen == [0, 0, 1, 2]
    assert sampler.adjust(logits).tolist() == pytest.approx([1.3, 1.1, 1.0, 0.0])
    biased = Sampler(Sampling(logit_bias=((3, 5.0), (0, -100.0))), (), 4)
    assert biased.adjust(logits).tolist() == [-98.0, 1.5, pytest.approx(1.4), 5.0]


class Alternate:
    """A grammar of four tokens: 11 or 12, then 13 or 14, and again; anything else is an error."""

    def __init__(self, fails: bool = False) -> None:
        self.taken: list[int] = []
        self.fails = fails

    def mask(self, logits: Any) -> Any:
        if self.fails:
            raise EngineError("the grammar is stuck.")
        allowed = [11, 12] if len(self.taken) % 2 == 0 else [13, 14]
        hidden = torch.full_like(logits, -math.inf)
        hidden[allowed] = logits[allowed]
        return hidden

    def accept(self, token: int) -> None:
        self.taken.append(token)

    @property
    def is_done(self) -> bool:
        return len(self.taken) == 4


def test_a_grammar_bounds_its_own_request(model: Any) -> None:
    def constrain(grammar: Grammar) -> Alternate:
        return Alternate(fails=grammar.text == "stuck")

    bound = GenerateRequest("bound", PROMPT, Sampling(max_new_tokens=20), grammar=Grammar("regex", "x"), logprobs=1)
    free = GenerateRequest("free", PROMPT, Sampling(max_new_tokens=8))
    with PtEngine(model, constrain=constrain) as engine:
        assert engine.limits.grammars
        steps, others = steps_of(engine, bound, free)
        with pytest.raises(EngineError, match="stuck"):
            steps_of(engine, replace(bound, grammar=Grammar("regex", "stuck")))
        alone = engine.generate_batch([free])[0]
    tokens = [token for step in steps for token in step.token_ids]
    assert [token in pair for token, pair in zip(tokens, [(11, 12), (13, 14)] * 2, strict=True)] == [True] * 4
    assert steps[-1].finish == "stop"
    assert [token for step in others for token in step.token_ids] == alone
    assert all(entry.logprob < -1 for step in steps for entry in step.logprobs)  # raw: the mask is not in them


def test_logprobs_are_the_models_own(model: Any) -> None:
    sampling = Sampling(max_new_tokens=6, do_sample=True, temperature=3.0, repetition_penalty=1.5, seed=4)
    prompt = tuple(range(20, 50))
    request = GenerateRequest("a", prompt, sampling, logprobs=3, prompt_logprobs=2)
    with PtEngine(model, max_step_tokens=8) as engine:
        steps_of(engine, replace(request, logprobs=None, prompt_logprobs=None))  # what it leaves must not be reused
        steps, _ = steps_of(engine, request, GenerateRequest("b", (5, 6), Sampling(max_new_tokens=9)))
        scores = asyncio.run(engine.score([[*prompt, 9], [4, 5]]))
    tokens = [token for step in steps for token in step.token_ids]
    found = [entry for step in steps for entry in step.logprobs]
    with torch.no_grad():
        raw = model(torch.tensor([[*prompt, *tokens]]), use_cache=False).logits[0].log_softmax(-1)
    every = [*steps[0].prompt_logprobs, *found]
    assert all(not step.prompt_logprobs for step in steps[1:])
    assert [entry.token for entry in every] == [*prompt[1:], *tokens]
    for row, entry, num in zip(raw, every, [2] * 29 + [3] * 6, strict=False):
        assert entry.logprob == pytest.approx(float(row[entry.token]), abs=1e-4)
        best = row.topk(num)
        assert [token for token, _ in entry.top] == best.indices.tolist()
        assert [value for _, value in entry.top] == pytest.approx(best.values.tolist(), abs=1e-4)
    assert scores[0][:-1] == pytest.approx([entry.logprob for entry in steps[0].prompt_logprobs], abs=1e-4)
    assert len(scores[1]) == 1


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_embeddings(model: Any, pooling: Any) -> None:
    with torch.no_grad():
        hidden = model.base_model(torch.tensor([PROMPT])).last_hidden_state[0]
    expected = hidden.mean(0) if pooling == "mean" else hidden[-1]
    with PtEngine(model, embeddings=pooling) as engine:
        assert engine.limits.embeddings
        (vector, other) = asyncio.run(engine.embed([PROMPT, (8, 9)]))
    assert vector == pytest.approx((expected / expected.norm()).tolist(), abs=1e-5)
    assert sum(value * value for value in other) == pytest.approx(1.0)
    with PtEngine(model) as engine, pytest.raises(EngineError, match="gives no embeddings"):
        asyncio.run(engine.embed([PROMPT]))


@pytest.mark.parametrize(
    ("sampling", "text"),
    [
        (Sampling(num_beams=2, presence_penalty=0.5), "num_beams 2 with presence_penalty"),
        (Sampling(logit_bias=((97, 1.0),)), "token id 97"),
    ],
)
def test_refusals(model: Any, sampling: Sampling, text: str) -> None:
    with PtEngine(model) as engine, pytest.raises(EngineError, match=text):
        engine.generate_batch([GenerateRequest("a", PROMPT, replace(sampling, max_new_tokens=2))])


def test_a_request_whose_logits_are_none_fails_alone(model: Any) -> None:
    strong = GenerateRequest("strong", PROMPT, Sampling(max_new_tokens=4, repetition_penalty=1e-300))
    drawn = replace(strong, id="drawn", sampling=replace(strong.sampling, do_sample=True))
    free = GenerateRequest("free", PROMPT, Sampling(max_new_tokens=4))
    cold = replace(free, id="cold", sampling=Sampling(max_new_tokens=4, do_sample=True, temperature=1e-40, top_k=5))
    with PtEngine(model) as engine:
        alone = engine.generate_batch([free])[0]

        async def go() -> list[Any]:
            async def one(request: GenerateRequest) -> list[int]:
                return [token async for step in engine.generate(request) for token in step.token_ids]

            return await asyncio.gather(*map(one, (strong, free, drawn, cold)), return_exceptions=True)

        found = asyncio.run(go())
    assert found[1] == found[3] == alone
    assert [type(found[0]), type(found[2])] == [EngineError] * 2
    assert "no finite numbers" in str(found[0])
