"""Images with vLLM itself: its processor makes our prompt of them, and its answers are those of pt."""

from __future__ import annotations

import asyncio
import base64
import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
from PIL import Image

from swift.environments.locate import Located
from swift.llm.chat.service import ChatService
from swift.llm.core import Conversation, Media, Message, Sampling
from swift.llm.engine.protocol import GenerateRequest, Step
from swift.utils.errors import DataError, EngineError

sys.path.insert(0, str(Path(__file__).parents[2] / "tiny" / "media"))
import families

GREEDY = Sampling(max_new_tokens=12)
TURNS = (
    (Message("user", "What is <image>?"),),
    (Message("user", "What is <image>?"), Message("assistant", "A b."), Message("user", "And this: <image>")),
    (
        Message("user", "What is <image>?"), Message("assistant", "A b."), Message("user", "And this: <image>"),
        Message("assistant", "C."), Message("user", "So?"),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def services(vllm: Located, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ChatService]]:
    """The same tiny model behind both engines. It is one whose class in vLLM needs no torchvision, which CPU builds may lack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWIFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        # Attention heads of a size that vLLM has kernels for.
        wide = {**families.TEXT, "hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
        patch.setattr(families, "TEXT", wide)
        folder = families.build("idefics3", tmp_path_factory.mktemp("vision") / "tiny")
        with opened(folder, vllm, "pt") as ours, opened(folder, vllm, "vllm") as theirs:
            yield {"pt": ours, "vllm": theirs}


def opened(folder: Path, vllm: Located, backend: str):  # type: ignore[no-untyped-def]
    from swift.llm.answering.planning import make_infer_plan
    from swift.llm.answering.service import open_service
    from swift.llm.arguments.commands import InferArguments

    given = {"model_id_or_path": str(folder), "infer_backend": backend, "dtype": "fp32", "save_result": False}
    if backend == "vllm":
        given |= {"enforce_eager": True, "max_num_seqs": 4, "limit_mm_per_prompt": {"image": 3}}
    plan = make_infer_plan(InferArguments(**given), dict.fromkeys(given, "test"), located={"vllm": vllm})  # type: ignore[arg-type]
    return open_service(plan)


def picture(number: int) -> Media:
    image = Image.new("RGB", (90, 60), (250, 40 * number, 0))
    image.paste((0, 0, 80 * number), (10 * number, 5, 60, 40))
    file = io.BytesIO()
    image.save(file, "PNG")
    return Media("image", "data:image/png;base64," + base64.b64encode(file.getvalue()).decode())


def asked(*messages: Message, images: tuple[int, ...] = ()) -> Conversation:
    return Conversation(messages, media=tuple(map(picture, images)))


@pytest.mark.parametrize(
    "conversation",
    [
        asked(*TURNS[0], images=(1,)), asked(*TURNS[0], images=(2,)), asked(*TURNS[1], images=(1, 2)),
        asked(*TURNS[2], images=(1, 2)), asked(Message("user", "<image><image><image>"), images=(2, 2, 3)),
        asked(Message("user", "No image, and <fake_token_around_image> is text.")),
    ],
)  # fmt: skip
def test_answers_are_those_of_pt(services: dict[str, ChatService], conversation: Conversation) -> None:
    ours, theirs = (asyncio.run(services[name].answer(conversation, GREEDY)) for name in ("pt", "vllm"))
    assert theirs.num_prompt_tokens == ours.num_prompt_tokens
    assert theirs.text == ours.text


def test_images_change_the_answer(services: dict[str, ChatService]) -> None:
    said = {asyncio.run(services["vllm"].answer(asked(*TURNS[0], images=(one,)), GREEDY)).text for one in (1, 2, 3)}
    assert len(said) == 3


def test_a_prompt_that_vllm_reads_otherwise_is_refused_and_the_engine_lives(services: dict[str, ChatService]) -> None:
    service = services["vllm"]
    prompt = service.prepare(asked(*TURNS[0], images=(1,)))
    assert prompt.media is None
    request = GenerateRequest("one", (*prompt.ids, 5), GREEDY, pictures=prompt.pictures)

    async def run(request: GenerateRequest) -> list[Step]:
        return [step async for step in service.engine.generate(request)]

    with pytest.raises(EngineError, match=f"{len(prompt.ids)} tokens there, and {len(prompt.ids) + 1} here"):
        asyncio.run(run(request))
    assert asyncio.run(run(replace(request, id="two", prompt=prompt.ids)))[-1].finish == "length"


def test_more_images_than_the_limit_are_refused(services: dict[str, ChatService]) -> None:
    with pytest.raises(DataError, match="holds 4 images, and the engine reads at most 3"):
        services["vllm"].prepare(asked(Message("user", "<image>" * 4), images=(1, 2, 3, 1)))
