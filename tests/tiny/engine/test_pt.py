"""The PyTorch engine as a running thing: streams, seeds, aborts, errors, closing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from swift.llm.core import Sampling
from swift.llm.engine.protocol import GenerateRequest, Step
from swift.llm.engine.pt import PtEngine
from swift.utils.errors import EngineError

DRAW = Sampling(max_new_tokens=12, do_sample=True, temperature=1.0, top_k=50, top_p=0.95, seed=1)


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=97, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return Qwen2ForCausalLM(config).eval()


@pytest.fixture
def engine(model: Any) -> Iterator[PtEngine]:
    with PtEngine(model, max_batch=3, max_step_tokens=8) as found:
        yield found


def ask(
    name: str, sampling: Sampling, prompt: tuple[int, ...] = (5, 6, 7), stop: tuple[int, ...] = ()
) -> GenerateRequest:
    return GenerateRequest(name, prompt, sampling, stop)


async def collect(engine: PtEngine, request: GenerateRequest) -> list[Step]:
    return [step async for step in engine.generate(request)]


def test_a_stream_is_the_batch_answer_token_by_token(engine: PtEngine) -> None:
    request = ask("a", Sampling(max_new_tokens=6))
    steps = asyncio.run(collect(engine, request))
    assert [step.finish for step in steps] == [None] * 5 + ["length"]
    assert [[token for step in steps for token in step.token_ids]] == engine.generate_batch([request])


def test_a_stop_id_is_the_last_token(engine: PtEngine) -> None:
    free = engine.generate_batch([ask("a", DRAW)])[0]
    stop = next(token for i, token in enumerate(free) if i and token not in free[:i])
    steps = asyncio.run(collect(engine, ask("b", DRAW, stop=(stop, 96))))
    ids = [token for step in steps for token in step.token_ids]
    assert ids == free[: free.index(stop) + 1]
    assert steps[-1].finish == "stop"


def test_a_seed_never_touches_another_request(engine: PtEngine) -> None:
    alone = engine.generate_batch([ask("a", DRAW)])[0]
    torch.manual_seed(123)
    others = [ask(f"o{i}", replace(DRAW, seed=100 + i, temperature=2.0), tuple(range(3, 10 + i))) for i in range(5)]
    unseeded = ask("free", replace(DRAW, seed=None))
    together = engine.generate_batch([*others[:2], ask("a", DRAW), unseeded, *others[2:]])
    assert together[2] == alone
    assert engine.generate_batch([others[0]])[0] == together[0]
    assert engine.generate_batch([ask("b", replace(DRAW, seed=2))])[0] != alone


def test_drawing_follows_the_distribution(model: Any) -> None:
    prompt = (9, 8, 7)
    with torch.no_grad():
        logits = model(torch.tensor([prompt])).logits[0, -1] / 0.7
    top = logits.topk(4)
    expected = top.values.softmax(-1)
    sampling = Sampling(max_new_tokens=1, do_sample=True, temperature=0.7, top_k=4)
    with PtEngine(model, max_batch=64, max_step_tokens=512) as engine:
        answers = engine.generate_batch([ask(str(i), replace(sampling, seed=i), prompt) for i in range(1500)])
    counts = torch.tensor([sum(answer == [int(token)] for answer in answers) for token in top.indices])
    assert counts.sum() == 1500
    assert (counts / 1500 - expected).abs().max() < 0.05


def test_top_p_keeps_the_fewest_tokens_that_reach_it(model: Any) -> None:
    with torch.no_grad():
        probabilities = model(torch.tensor([[9, 8, 7]])).logits[0, -1].softmax(-1)
    ordered = probabilities.sort(descending=True)
    allowed = set(ordered.indices[: int((ordered.values.cumsum(0) < 0.1).sum()) + 1].tolist())
    sampling = Sampling(max_new_tokens=1, do_sample=True, top_p=0.1)
    with PtEngine(model, max_batch=64, max_step_tokens=512) as engine:
        answers = engine.generate_batch([ask(str(i), replace(sampling, seed=i), (9, 8, 7)) for i in range(300)])
    assert {answer[0] for answer in answers} == allowed


def test_beams_draw_from_the_request_alone(engine: PtEngine) -> None:
    request = ask("a", replace(DRAW, num_beams=2))
    torch.manual_seed(1)
    first, state = engine.generate_batch([request]), torch.random.get_rng_state()
    torch.manual_seed(1)
    assert engine.generate_batch([request]) == first
    assert torch.equal(torch.random.get_rng_state(), state)


def test_no_token_of_the_models_own_ends_beams(engine: PtEngine, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    request = ask("a", Sampling(max_new_tokens=6, num_beams=2))
    free = engine.generate_batch([request])
    monkeypatch.setattr(model.generation_config, "eos_token_id", free[0][2])
    assert engine.generate_batch([request]) == free


def test_others_go_on_while_one_is_answered_alone(engine: PtEngine) -> None:
    beams = ask("beams", replace(DRAW, num_beams=3, max_new_tokens=50))
    plain = [ask(f"p{i}", replace(DRAW, max_new_tokens=4 + i), (3, 1, 4, i)) for i in range(4)]
    expected = [engine.generate_batch([request])[0] for request in (beams, *plain)]
    ended: list[str] = []

    async def follow(request: GenerateRequest) -> list[int]:
        steps = await collect(engine, request)
        ended.append(request.id)
        return [token for step in steps for token in step.token_ids]

    async def together() -> list[list[int]]:
        return await asyncio.gather(*map(follow, (beams, *plain)))

    assert asyncio.run(together()) == expected
    assert ended[-1] == "beams"


def test_the_context_ends_an_answer(engine: PtEngine) -> None:
    steps = asyncio.run(collect(engine, ask("a", Sampling(), tuple(range(60)))))
    assert (len(steps), steps[-1].finish) == (4, "length")


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (ask("a", Sampling(), tuple(range(64))), "64 tokens, the model's context holds 64"),
        (ask("a", Sampling(), (5, 97)), "token id 97 is not in the model's vocabulary of 97"),
        (ask("a", Sampling(), ()), "prompt is empty"),
        (replace(ask("a", Sampling()), adapter="x"), "loaded are: none"),
    ],
)
def test_refusals(engine: PtEngine, request_: GenerateRequest, text: str) -> None:
    with pytest.raises(EngineError, match=text):
        asyncio.run(collect(engine, request_))
    assert engine.generate_batch([ask("a", Sampling(max_new_tokens=2))])[0]


def test_abort_frees_the_place(engine: PtEngine) -> None:
    async def go() -> tuple[list[Step], list[Step]]:
        long = [asyncio.create_task(collect(engine, ask(f"l{i}", Sampling(max_new_tokens=60)))) for i in range(3)]
        waiting = asyncio.create_task(collect(engine, ask("w", Sampling(max_new_tokens=2))))
        await asyncio.sleep(0)
        await engine.abort("l0")
        await engine.abort("nobody")
        return await long[0], await waiting

    aborted, answered = asyncio.run(go())
    assert aborted[-1] == Step((), "abort")
    assert len(answered) == 2


def test_leaving_a_stream_lets_the_same_id_come_again(engine: PtEngine) -> None:
    async def go() -> list[Step]:
        steps = engine.generate(ask("same", Sampling(max_new_tokens=50)))
        await anext(steps)
        await steps.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.2)
        return await collect(engine, ask("same", Sampling(max_new_tokens=2)))

    assert len(asyncio.run(go())) == 2


def test_an_id_in_flight_is_refused(engine: PtEngine) -> None:
    async def go() -> None:
        first = engine.generate(ask("a", Sampling(max_new_tokens=50)))
        await anext(first)
        try:
            with pytest.raises(EngineError, match="'a' is running already"):
                await collect(engine, ask("a", Sampling()))
        finally:
            await first.aclose()  # type: ignore[attr-defined]

    asyncio.run(go())


def test_requests_of_many_threads(engine: PtEngine) -> None:
    expected = engine.generate_batch([ask("x", Sampling(max_new_tokens=8))])[0]
    found: list[list[int]] = []
    threads = [
        threading.Thread(
            target=lambda i=i: found.extend(engine.generate_batch([ask(f"t{i}", Sampling(max_new_tokens=8))]))
        )
        for i in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6


def test_score_is_the_models_own(model: Any) -> None:
    ids = [5, 6, 7, 8]
    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0, :-1].log_softmax(-1)
    expected = [float(row[token]) for row, token in zip(logits, ids[1:], strict=True)]
    with PtEngine(model) as engine:
        scores = asyncio.run(engine.score([ids, [9]]))
        with pytest.raises(EngineError, match="a sequence of 0 tokens"):
            asyncio.run(engine.score([[]]))
    assert scores == [pytest.approx(expected), []]


def test_close_aborts_and_refuses(model: Any) -> None:
    engine = PtEngine(model)

    async def go() -> list[Step]:
        task = asyncio.create_task(collect(engine, ask("a", Sampling(max_new_tokens=60))))
        await asyncio.sleep(0)
        await engine.close()
        await engine.close()
        return await task

    steps = asyncio.run(go())
    assert steps[-1].finish in ("abort", "length")
    with pytest.raises(EngineError, match="closed"):
        engine.generate_batch([ask("b", Sampling())])


def test_an_error_in_a_step_reaches_its_requests_and_no_other(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with PtEngine(model) as engine:
        batch = engine._worker.batch
        assert batch is not None
        flat, read = batch.flat, batch.flat.read
        calls = iter([torch.OutOfMemoryError("no memory")])

        def failing(group: Any, wanted: Any) -> Any:
            for error in calls:
                raise error
            return read(group, wanted)

        monkeypatch.setattr(flat, "read", failing)
        with pytest.raises(EngineError, match=r"OutOfMemoryError: no memory.*Lower --max_batch_size"):
            engine.generate_batch([ask("a", Sampling(max_new_tokens=3))])
        assert len(engine.generate_batch([ask("b", Sampling(max_new_tokens=3))])[0]) == 3


def test_an_engine_that_is_closed_forgets_no_adapter(model: Any) -> None:
    engine = PtEngine(model)
    engine.shutdown()
    with pytest.raises(EngineError, match="closed"):
        asyncio.run(asyncio.wait_for(engine.unload_adapter("a"), 5))
