"""The client of engines that are processes, against vLLM's recorded protocol."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx")

from swift.llm.core import Grammar, Sampling
from swift.llm.engine.protocol import GenerateRequest, Limits, Step
from swift.llm.engine.remote import RemoteEngine
from swift.llm.engine.vllm import VllmDialect
from swift.utils.errors import EngineError, EngineFailedError

sys.path.insert(0, str(Path(__file__).parent))
from recorded_vllm import RecordedVllm, chunk, usage

LIMITS = Limits(context=64, logprobs=20, adapters=True, grammars=True)
ASKED = GenerateRequest("r1", (1, 300, 400, 500), Sampling(max_new_tokens=8), stop_ids=(2,))
ANSWER = [chunk([67]), chunk([68, 69]), chunk([2], "stop"), usage(3)]


def collect(server: RecordedVllm, request: GenerateRequest = ASKED, limits: Limits = LIMITS) -> list[Step]:
    engine = RemoteEngine(VllmDialect(), server.url, limits, api_key="key")

    async def run() -> list[Step]:
        return [step async for step in engine.generate(request)]

    return asyncio.run(run())


def test_steps_are_what_was_streamed_and_the_stop_id_ends_them() -> None:
    with RecordedVllm(ANSWER) as server:
        steps = collect(server)
        path, body, key = server.asked[0]
    assert [step.token_ids for step in steps] == [(67,), (68, 69), (2,)]
    assert [step.finish for step in steps] == [None, None, "stop"]
    assert steps[-1].num_reused == 3
    assert (path, key) == ("/inference/v1/generate", "Bearer key")
    assert body["token_ids"] == [1, 300, 400, 500]
    assert body["sampling_params"] | {"detokenize": False} == {
        "max_tokens": 8, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0,
        "presence_penalty": 0.0, "frequency_penalty": 0.0, "stop_token_ids": [2], "ignore_eos": True, "detokenize": False,
    }  # fmt: skip


def test_all_of_a_request_is_said() -> None:
    sampling = Sampling(
        do_sample=True, temperature=0.7, top_k=5, top_p=0.9, min_p=0.1, repetition_penalty=1.2, presence_penalty=0.3,
        frequency_penalty=0.4, logit_bias=((7, -2.5),), seed=11,
    )  # fmt: skip
    request = replace(ASKED, sampling=sampling, adapter="mine", logprobs=2, grammar=Grammar("lark", 'start: "a"'))
    with RecordedVllm(ANSWER) as server:
        collect(server, request)
        body = server.asked[0][1]
    assert body["model"] == "mine"
    assert body["sampling_params"] == {
        "max_tokens": 60, "temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": 0.1, "repetition_penalty": 1.2,
        "presence_penalty": 0.3, "frequency_penalty": 0.4, "stop_token_ids": [2], "ignore_eos": False, "detokenize": False,
        "seed": 11, "logit_bias": {"7": -2.5}, "logprobs": 2, "structured_outputs": {"grammar": 'start: "a"'},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("grammar", "said"),
    [
        (Grammar("json_object"), {"json_object": True}),
        (Grammar("json_schema", '{"a": 1}'), {"json": '{"a": 1}'}),
        (Grammar("regex", "[0-9]+"), {"regex": "[0-9]+"}),
    ],
)
def test_grammars_are_given_as_data(grammar: Grammar, said: dict[str, Any]) -> None:
    call = VllmDialect().generate(replace(ASKED, grammar=grammar), 8)
    assert call.body is not None
    assert call.body["sampling_params"]["structured_outputs"] == said


def test_the_end_of_text_that_closes_a_grammar_is_no_token_of_the_answer() -> None:
    with RecordedVllm([chunk([67]), chunk([0], "stop"), usage(0)]) as server:
        steps = collect(server, replace(ASKED, grammar=Grammar("regex", "a")))
    assert [(step.token_ids, step.finish) for step in steps] == [((67,), None), ((), "stop")]


def test_log_probabilities_are_by_id_and_the_sampled_one_counts_only_in_its_rank() -> None:
    content = {
        "token_id": 7, "logprob": -3.0, "rank": 9,
        "top_logprobs": [{"token_id": 7, "logprob": -3.0, "rank": 9}, {"token_id": 4, "logprob": -0.1, "rank": 1},
                         {"token_id": 5, "logprob": -2.0, "rank": 2}],
    }  # fmt: skip
    with RecordedVllm([chunk([7], "length", [content]), usage(0)]) as server:
        (step,) = collect(server, replace(ASKED, logprobs=2, prompt_logprobs=1))
    assert step.logprobs[0].token == 7
    assert step.logprobs[0].logprob == -3.0
    assert step.logprobs[0].top == ((4, -0.1), (5, -2.0))
    assert [(one.token, one.logprob, one.top) for one in step.prompt_logprobs] == [
        (token, -float(token), ((9, -0.5),)) for token in (300, 400, 500)
    ]


def test_a_refusal_says_what_the_engine_said() -> None:
    with (
        RecordedVllm([], status=400) as server,
        pytest.raises(EngineError, match=r"vLLM refused the request \(400\): top_p"),
    ):
        collect(server)


def test_an_error_within_the_stream_is_raised() -> None:
    error = {"error": {"message": "Token id 5000 is out of vocabulary", "type": "BadRequestError", "code": 400}}
    with RecordedVllm([error]) as server, pytest.raises(EngineError, match="vLLM: Token id 5000"):
        collect(server)


def test_a_stream_that_stops_too_early_is_an_error() -> None:
    with RecordedVllm([chunk([1])]) as server, pytest.raises(EngineError, match="the stream ended"):
        collect(server)


@pytest.mark.parametrize(("code", "kind"), [(400, EngineError), (500, EngineFailedError), (None, EngineFailedError)])
def test_an_error_in_the_stream_is_the_requests_or_the_engines(code: int | None, kind: type[EngineError]) -> None:
    error = {"error": {"message": "it cannot be", "type": "x", "code": code}}
    with RecordedVllm([chunk([1]), error]) as server, pytest.raises(EngineError, match="it cannot be") as seen:
        collect(server)
    assert seen.type is kind


def test_an_answer_of_the_wrong_kind_is_an_error() -> None:
    with RecordedVllm([], status=500) as server, pytest.raises(EngineFailedError, match=r"failed \(500\): top_p"):
        collect(server)
    with RecordedVllm(["no event"]) as server, pytest.raises(EngineFailedError, match="sent what is no event"):  # type: ignore[list-item]
        collect(server)


def test_nobody_at_the_other_end_is_an_error() -> None:
    with RecordedVllm([]) as server:
        url = server.url
    engine = RemoteEngine(VllmDialect(), url, LIMITS)

    async def run() -> None:
        async for _ in engine.generate(ASKED):
            pass

    with pytest.raises(EngineError, match="Connect"):
        asyncio.run(run())


def test_leaving_early_closes_the_connection() -> None:
    with RecordedVllm([chunk([one]) for one in range(200)], pause_s=0.01) as server:
        engine = RemoteEngine(VllmDialect(), server.url, LIMITS)

        async def run() -> None:
            async with aclosing(engine.generate(ASKED)) as steps:  # type: ignore[type-var]
                async for _ in steps:
                    break
            assert await asyncio.to_thread(server.gone.wait, 5)

        asyncio.run(run())


def test_an_abort_ends_the_iteration_with_a_step_that_says_so() -> None:
    with RecordedVllm([chunk([one]) for one in range(200)], pause_s=0.01) as server:
        engine = RemoteEngine(VllmDialect(), server.url, LIMITS)

        async def run() -> list[Step]:
            steps = []
            async for step in engine.generate(ASKED):
                steps.append(step)
                await engine.abort("r1")
                await engine.abort("another")
            return steps

        steps = asyncio.run(run())
        assert steps[-1] == Step((), "abort")
        assert server.gone.wait(5)


def test_one_engine_serves_loops_one_after_the_other_and_requests_at_a_time() -> None:
    with RecordedVllm(ANSWER) as server:
        engine = RemoteEngine(VllmDialect(), server.url, LIMITS)

        async def one(name: str) -> list[Step]:
            return [step async for step in engine.generate(replace(ASKED, id=name))]

        async def several() -> list[list[Step]]:
            return await asyncio.gather(*(one(str(number)) for number in range(8)))

        for _ in range(2):
            assert all(steps[-1].finish == "stop" for steps in asyncio.run(several()))


def test_two_requests_of_one_name_are_refused() -> None:
    with RecordedVllm(ANSWER, pause_s=0.05) as server:
        engine = RemoteEngine(VllmDialect(), server.url, LIMITS)

        async def one() -> list[Step]:
            return [step async for step in engine.generate(ASKED)]

        async def two() -> list[Any]:
            return await asyncio.gather(one(), one(), return_exceptions=True)

        results = asyncio.run(two())
    assert [type(result) for result in results] == [list, EngineError]


def test_scores_statistics_and_adapters() -> None:
    with RecordedVllm(ANSWER) as server:
        engine = RemoteEngine(VllmDialect(), server.url, LIMITS)

        async def run() -> tuple[Any, Any]:
            scores = await engine.score([[1, 5, 6], [3]])
            await engine.load_adapter("mine", "/somewhere")
            await engine.unload_adapter("mine")
            return scores, await engine.stats()

        scores, stats = asyncio.run(run())
    assert scores == [[-5.0, -6.0], []]
    assert (stats.num_running, stats.num_waiting, stats.cache_used) == (2, 1, 0.25)
    assert (stats.prompt_tokens, stats.reused_tokens, stats.answer_tokens) == (16, 4, 9)
    assert [path for path, _, _ in server.asked][1:] == ["/v1/load_lora_adapter", "/v1/unload_lora_adapter"]


def test_what_the_limits_exclude_never_reaches_the_engine() -> None:
    with RecordedVllm(ANSWER) as server:
        for request, message in (
            (replace(ASKED, prompt=(1,) * 64), "context holds 64"),
            (replace(ASKED, logprobs=21), "at most 20"),
            (replace(ASKED, sampling=Sampling(num_beams=2)), "no beams"),
        ):
            with pytest.raises(EngineError, match=message):
                collect(server, request)
        assert server.asked == []


def test_vectors_come_in_the_order_of_the_sequences() -> None:
    vectors = Limits(context=4, embeddings=True, answers=False)
    with RecordedVllm([]) as server:
        engine = RemoteEngine(VllmDialect(), server.url, vectors, api_key="key")
        assert asyncio.run(engine.embed([(7, 8), (300,)])) == [[7.0, -0.5], [300.0, -0.5]]
        with pytest.raises(EngineError, match="a sequence of 5 tokens; 1 to 4 can be embedded"):
            asyncio.run(engine.embed([(1,) * 5]))
        with pytest.raises(EngineError, match="started for embeddings, and answers no prompt"):
            collect(server, replace(ASKED, prompt=(1,)), vectors)
        with pytest.raises(EngineError, match="vLLM was not started for embeddings"):
            asyncio.run(RemoteEngine(VllmDialect(), server.url, LIMITS).embed([(1,)]))
        ((path, body, key),) = server.asked
    assert (path, key) == ("/v1/embeddings", "Bearer key")
    assert body == {
        "model": "base", "input": [[7, 8], [300]], "encoding_format": "base64", "endianness": "little",
    }  # fmt: skip
