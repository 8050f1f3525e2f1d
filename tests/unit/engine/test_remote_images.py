"""Images of a prompt for vLLM: its own processor is given them with one token for each, and must make our prompt of that."""

from __future__ import annotations

import asyncio
import gc
import sys
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("httpx")

from swift.llm.core import Sampling
from swift.llm.engine.protocol import GenerateRequest, Limits, Pictures, Step
from swift.llm.engine.remote import Call, RemoteEngine
from swift.llm.engine.vllm import VllmDialect
from swift.utils.errors import EngineError, EngineFailedError

sys.path.insert(0, str(Path(__file__).parent))
from recorded_vllm import RecordedVllm, chunk, usage

PAD = 300
FILES = (b"\x89PNG one", b"\x89PNG two")
ASKED = GenerateRequest(
    "r1", (1, PAD, PAD, PAD, 5, PAD, PAD, PAD, 6), Sampling(max_new_tokens=8), stop_ids=(2,),
    pictures=Pictures(FILES, (1, PAD, 5, PAD, 6)),
)  # fmt: skip
ANSWER = [chunk([67]), chunk([2], "stop"), usage(3)]
LIMITS = Limits(context=64, logprobs=20, pictures=2)


def collect(server: RecordedVllm, request: GenerateRequest = ASKED, limits: Limits = LIMITS) -> list[Step]:
    engine = RemoteEngine(VllmDialect(), server.url, limits)

    async def run() -> list[Step]:
        return [step async for step in engine.generate(request)]

    return asyncio.run(run())


def test_images_go_as_they_are_with_a_prompt_of_one_token_for_each() -> None:
    with RecordedVllm(ANSWER, image=(PAD, 3)) as server:
        steps = collect(server)
        body = server.asked[0][1]
    assert [step.token_ids for step in steps] == [(67,), (2,)]
    assert body["token_ids"] == [1, PAD, 5, PAD, 6]
    assert body["sampling_params"]["max_tokens"] == 8
    assert [part["type"] for part in body["content_parts"]] == ["image_url"] * 2
    heads, files = zip(*(part["url"].split(",") for part in body["content_parts"]), strict=True)
    assert set(heads) == {"data:image/png;base64"}
    assert tuple(map(b64decode, files)) == FILES


def test_images_are_gone_once_they_are_sent() -> None:
    def held() -> int:
        gc.collect()
        return sum(
            type(one) in (Pictures, Call) for one in gc.get_objects()
        )  # not isinstance, which wakes lazy modules

    async def run(engine: RemoteEngine) -> None:
        before = held()
        steps = engine.generate(replace(ASKED, pictures=replace(ASKED.pictures)))  # type: ignore[type-var]
        await anext(steps)
        assert held() == before
        await steps.aclose()  # type: ignore[attr-defined]

    with RecordedVllm(ANSWER, image=(PAD, 3), pause_s=0.2) as server:
        asyncio.run(run(RemoteEngine(VllmDialect(), server.url, LIMITS)))


def test_a_prompt_of_another_length_is_no_answer() -> None:
    with (
        RecordedVllm(ANSWER, image=(PAD, 4)) as server,
        pytest.raises(EngineError, match=r"11 tokens there, and 9 here\. Use --infer_backend pt") as seen,
    ):
        collect(server)
    assert seen.type is EngineError  # the request's, not the engine's


def test_a_prompt_with_images_in_other_places_is_no_answer() -> None:
    request = replace(ASKED, prompt=(1, PAD, PAD, PAD, PAD, 5, PAD, PAD, 6))
    with RecordedVllm(ANSWER, image=(PAD, 3)) as server, pytest.raises(EngineError, match="9 tokens there, and 9 here"):
        collect(server, request)


def test_an_engine_that_does_not_say_what_it_read_gives_no_answer() -> None:
    with RecordedVllm(ANSWER, image=(PAD, 3)) as server, pytest.raises(EngineError, match="0 tokens there, and 9 here"):
        server.expanded = lambda body: {}  # type: ignore[method-assign]
        collect(server)


@pytest.mark.parametrize(
    ("files", "kind", "message"),
    [
        ((b"none", b"none"), EngineError, r"refused the request \(400\): Failed to load image"),
        ((FILES[0],) * 3, EngineFailedError, r"failed \(500\): Failed to apply prompt replacement"),
    ],
)
def test_a_refused_image_is_the_requests_fault_and_a_failure_the_engines(
    files: Sequence[bytes], kind: type[EngineError], message: str
) -> None:
    limits = replace(LIMITS, pictures=9)
    request = replace(ASKED, pictures=Pictures(tuple(files), (1, PAD, 5, PAD, 6)))
    with RecordedVllm(ANSWER, image=(PAD, 3), limit=9) as server, pytest.raises(EngineError, match=message) as seen:
        collect(server, request, limits)
    assert seen.type is kind


def test_what_the_limits_exclude_never_reaches_the_engine() -> None:
    with RecordedVllm(ANSWER, image=(PAD, 3)) as server:
        for limits, request, message in (
            (replace(LIMITS, pictures=1), ASKED, "reads at most 1"),
            (replace(LIMITS, pictures=0), ASKED, "reads at most 0"),
            (LIMITS, replace(ASKED, pictures=None, media={"pixel_values": 1}), "takes none"),
            (LIMITS, replace(ASKED, prompt_logprobs=0), "of a prompt with images"),
        ):
            with pytest.raises(EngineError, match=message):
                collect(server, request, limits)
        assert server.asked == []
