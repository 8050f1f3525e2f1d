"""Requests with images in the engine's running batch: beside others, on what others read, and gone in the middle."""

from __future__ import annotations

import asyncio
import gc
import queue
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from PIL import Image, ImageOps
from transformers import LlavaForConditionalGeneration

from swift.llm.chat.service import Prompt
from swift.llm.core import Conversation, Message, Sampling
from swift.llm.engine.protocol import GenerateRequest, Step
from swift.llm.engine.pt import PtEngine
from swift.utils.errors import EngineError

sys.path.insert(0, str(Path(__file__).parent))
from seen import IMAGES, QUESTION, SHORT, TURNS, Opened, answer, asked, ids_of, load

NEW = 8
LONG = Sampling(max_new_tokens=40)
TOGETHER = ("qwen2_vl", "qwen3_vl", "llava", "gemma3", "idefics3")
MORE = (Message("user", QUESTION), Message("assistant", "A cat, I think."), Message("user", "And <image>?"))


def seen(one: Opened, images: list[Image.Image], *messages: Message, more: tuple[int, ...] = ()) -> Prompt:
    """A prompt about these very images; ``more`` goes on behind it."""
    eyes, template = one.service.eyes, one.service.template
    assert eyes is not None
    look = eyes.look(images)
    conversation = asked(*messages, images=len(images))
    ids = (*template.encode_prompt(conversation, look.texts, eyes.placeholder), *more)
    return Prompt(ids, eyes.beside(look, ids))


def reference(model: Any, prompt: Prompt, new: int = NEW, **settings: Any) -> list[int]:
    """What `generate` answers; no token ends it, as none does for the engine unless a request names it."""
    ids = torch.tensor([prompt.ids])
    model.generation_config.eos_token_id = None
    found = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=new,
        do_sample=False,
        **(prompt.media or {}),
        **settings,
    )
    answered: list[int] = found[0, len(prompt.ids) :].tolist()
    return answered


def ask(name: str, prompt: Prompt, sampling: Sampling = SHORT, **settings: Any) -> GenerateRequest:
    return GenerateRequest(name, prompt.ids, sampling, media=prompt.media, **settings)


@pytest.mark.parametrize("name", TOGETHER)
def test_many_at_once_answer_as_alone(name: str, opened: Callable[[str], Opened]) -> None:
    one = opened(name)
    text = one.service.prepare(Conversation((Message("user", "What is this? " * 3),)))
    first = seen(one, [IMAGES[0]], Message("user", QUESTION))
    prompts = [
        first,
        text,
        seen(one, [ImageOps.mirror(IMAGES[0])], Message("user", QUESTION)),
        seen(one, list(IMAGES), *TURNS),
    ]
    assert prompts[2].ids == first.ids
    came: list[tuple[int, Step | Exception]] = []
    found: list[list[int]] = [[] for _ in prompts]
    begin, worker = threading.Event(), one.engine._worker
    ends: queue.SimpleQueue[int] = queue.SimpleQueue()

    def take(number: int, event: Step | Exception) -> None:
        came.append((number, event))
        if isinstance(event, Exception) or event.finish is not None:
            ends.put(number)

    def hold() -> None:
        assert begin.wait(60)

    worker._inbox.post(hold)  # until all are there
    for number, prompt in enumerate(prompts):
        worker.submit(ask(str(number), prompt), partial(take, number))
    begin.set()
    last = [ends.get(timeout=60) for _ in prompts]
    for number, event in came:
        assert isinstance(event, Step), event
        found[number] += event.token_ids
    assert found == [reference(one.model, prompt) for prompt in prompts]
    order = [number for number, _ in came]
    firsts = [order.index(number) for number in range(len(prompts))]
    end = len(order) - 1 - order[::-1].index(last[0])
    assert max(firsts) < end, "one waited for the end of another"


@pytest.mark.parametrize("name", TOGETHER)
def test_a_chat_about_an_image_reads_only_what_is_new(name: str, opened: Callable[[str], Opened]) -> None:
    one = opened(name)
    words = Message("user", "Look: <image> what is it now?")
    other = ImageOps.flip(IMAGES[2])
    before = seen(one, [IMAGES[2]], words)
    said = ids_of(answer(one.engine, before))
    new = one.service.prepare(Conversation((Message("user", "and why is that so?"),))).ids
    chat = seen(one, [IMAGES[2]], words, more=(*said, *new))
    pair = [ask("same", chat), ask("other", seen(one, [other], words, more=(*said, *new)))]

    async def both() -> list[list[Step]]:
        async def collect(request: GenerateRequest) -> list[Step]:
            return [step async for step in one.engine.generate(request)]

        return await asyncio.gather(*map(collect, pair))

    same, fresh = asyncio.run(both())
    assert ids_of(same) == reference(one.model, chat)
    assert same[0].num_reused == len(before.ids) + NEW - 1, "all but the answer's last token, which was never read"
    assert ids_of(fresh) == reference(one.model, Prompt(pair[1].prompt, pair[1].media))
    assert fresh[0].num_reused == 0, "another picture of the same size"
    third = seen(one, [IMAGES[2], other], words, *MORE[1:])
    steps = answer(one.engine, third)
    assert (ids_of(steps), steps[0].num_reused) == (reference(one.model, third), 0)


def test_a_prompt_whose_tokens_are_scored_is_read_whole(opened: Callable[[str], Opened]) -> None:
    one = opened("llava")
    prompt = seen(one, [IMAGES[1]], Message("user", QUESTION))
    plain = [answer(one.engine, prompt, logprobs=0) for _ in range(2)]
    scored = answer(one.engine, prompt, logprobs=0, prompt_logprobs=1)
    assert [steps[0].num_reused for steps in (*plain, scored)] == [0, len(prompt.ids) - 1, 0]
    assert len(scored[0].prompt_logprobs) == len(prompt.ids) - 1
    told = [[entry.logprob for step in steps for entry in step.logprobs] for steps in (*plain, scored)]
    for other in told[1:]:
        assert other == pytest.approx(told[0], abs=1e-4)


def test_who_leaves_in_the_middle_gives_its_place_back(opened: Callable[[str], Opened]) -> None:
    one = opened("qwen3_vl")
    prompts = [seen(one, [image], Message("user", f"{number} {QUESTION}")) for number, image in enumerate(IMAGES)]

    async def leave(number: int, after: int) -> None:
        steps = one.engine.generate(ask(f"go {number}", prompts[number], LONG))
        for _ in range(after):
            await anext(steps)
        await steps.aclose()  # type: ignore[attr-defined]

    async def go() -> None:
        await asyncio.gather(leave(0, 3), leave(1, 1), leave(2, 0))
        staying = [step async for step in one.engine.generate(ask("stay", prompts[1]))]
        assert ids_of(staying) == reference(one.model, prompts[1])
        stats = await one.engine.stats()
        assert (stats.num_running, stats.num_waiting, stats.cache_used) == (0, 0, 0.0)

    asyncio.run(go())


@pytest.mark.parametrize("name", ["qwen2_vl", "gemma3"])
def test_who_makes_room_goes_on_without_its_images(name: str, opened: Callable[[str], Opened]) -> None:
    one = opened(name)
    prompts = [seen(one, [image], Message("user", f"{number} {QUESTION}")) for number, image in enumerate(IMAGES)]
    longest = max(len(prompt.ids) for prompt in prompts)
    with PtEngine(load(one.folder), max_cached_tokens=2 * longest + 16, context=longest + 60) as engine:
        found = engine.generate_batch([ask(str(number), prompt, LONG) for number, prompt in enumerate(prompts)])
    assert found == [reference(one.model, prompt, 40) for prompt in prompts]


def test_who_cannot_make_room_is_told_and_all_others_go_on(
    opened: Callable[[str], Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = opened("qwen2_vl")
    prompts = [seen(one, [image], Message("user", f"{number} {QUESTION}")) for number, image in enumerate(IMAGES)]
    longest = max(len(prompt.ids) for prompt in prompts)

    def fail(*args: Any) -> Any:
        raise torch.OutOfMemoryError("no room beside the cache")

    async def go(engine: PtEngine) -> list[list[Step] | BaseException]:
        async def collect(request: GenerateRequest) -> list[Step]:
            return [step async for step in engine.generate(request)]

        asked = [collect(ask(str(number), prompt, LONG)) for number, prompt in enumerate(prompts)]
        return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 60)

    with PtEngine(load(one.folder), max_cached_tokens=2 * longest + 16, context=longest + 60) as engine:
        assert engine._worker.batch is not None
        monkeypatch.setattr(engine._worker.batch.flat, "lift", fail)
        found = asyncio.run(go(engine))
        failed = [one for one in found if isinstance(one, BaseException)]
        assert failed
        assert all("no room beside the cache" in str(one) for one in failed)
        for steps, prompt in zip(found, prompts, strict=True):
            if not isinstance(steps, BaseException):
                assert ids_of(steps) == reference(one.model, prompt, 40)
        assert len(failed) < len(prompts)
        assert ids_of(answer(engine, prompts[0])) == reference(one.model, prompts[0])


def test_images_are_gone_once_they_are_read(opened: Callable[[str], Opened]) -> None:
    one = opened("qwen2_vl")
    conversation = asked(Message("user", "Only once: " + QUESTION), images=1)

    async def go() -> None:
        prompt = one.service.prepare(conversation)
        assert prompt.media is not None
        pixels = weakref.ref(prompt.media["pixel_values"])
        deltas = one.service.stream(conversation, LONG, prompt=prompt)
        del prompt
        assert pixels() is not None
        await anext(deltas)
        gc.collect()
        assert pixels() is None
        await deltas.aclose()  # type: ignore[attr-defined]

    asyncio.run(go())


def test_an_adapter_reads_the_image_too(opened: Callable[[str], Opened], tmp_path: Path) -> None:
    one = opened("qwen2_vl")
    tuned = peft.get_peft_model(load(one.folder), peft.LoraConfig(target_modules=["q_proj", "v_proj", "qkv"], r=4))
    torch.manual_seed(3)
    for key, parameter in tuned.named_parameters():
        if "lora_" in key:
            parameter.data.normal_(0, 0.4)
    tuned.save_pretrained(str(tmp_path / "a"))
    prompts = [seen(one, [image], Message("user", QUESTION)) for image in IMAGES[:2]]
    expected = [reference(model, prompt) for prompt in prompts for model in (one.model, tuned.eval())]
    assert expected[0] != expected[1]

    async def go() -> list[list[Step]]:
        async def collect(request: GenerateRequest) -> list[Step]:
            return [step async for step in engine.generate(request)]

        await engine.load_adapter("a", str(tmp_path / "a"))
        requests = [
            ask(f"{adapter} {number}", prompt, adapter=adapter)
            for number, prompt in enumerate(prompts) for adapter in (None, "a")
        ]  # fmt: skip
        return await asyncio.gather(*map(collect, requests))

    with PtEngine(load(one.folder)) as engine:
        found = asyncio.run(go())
    assert [ids_of(steps) for steps in found] == expected
    assert all(steps[0].num_reused == 0 for steps in found)


def test_beams_keep_their_own_image(opened: Callable[[str], Opened]) -> None:
    one = opened("qwen2_vl")
    prompts = [seen(one, [image], Message("user", f"Beams? {QUESTION}")) for image in IMAGES]
    wide = replace(LONG, num_beams=2)
    alone = reference(one.model, prompts[0], 40, num_beams=2)
    with PtEngine(load(one.folder)) as engine:  # which tries the model while the beams are answered
        requests = [ask("beams", prompts[0], wide), ask("b", prompts[1]), ask("c", prompts[2])]
        found = engine.generate_batch(requests)
        assert found == [alone, reference(one.model, prompts[1]), reference(one.model, prompts[2])]
        assert answer(engine, prompts[1])[0].num_reused == len(prompts[1].ids) - 1


def test_what_does_not_fit_its_images_fails_alone(opened: Callable[[str], Opened]) -> None:
    one = opened("llava")
    good = seen(one, [IMAGES[0]], Message("user", QUESTION))
    broken = GenerateRequest(
        "broken", tuple(token for token in good.ids if good.ids.count(token) < 16), SHORT, media=good.media
    )
    with PtEngine(load(one.folder)) as engine:
        for _ in range(2):  # before anything is known of the model, and after
            with pytest.raises(EngineError, match=r"[Ii]mage"):
                engine.generate_batch([broken])
            assert engine.generate_batch([ask("good", good)]) == [reference(one.model, good)]


class Wandering(LlavaForConditionalGeneration):
    """A model whose answers about images stand elsewhere than behind the prompt."""

    def prepare_inputs_for_generation(self, input_ids: Any, **kwargs: Any) -> Any:
        found = super().prepare_inputs_for_generation(input_ids, **kwargs)
        if not kwargs.get("is_first_iteration") and "pixel_values" in kwargs:
            found["position_ids"] = found["position_ids"] + 100
        return found


def test_a_model_that_reads_on_otherwise_is_answered_alone(opened: Callable[[str], Opened]) -> None:
    one = opened("llava")
    model = Wandering.from_pretrained(one.folder)
    prompts = [seen(one, [image], Message("user", QUESTION)) for image in IMAGES]
    expected = [reference(model, prompt) for prompt in prompts]
    with PtEngine(model) as engine:
        assert engine.is_batching
        found = engine.generate_batch([ask(str(number), prompt) for number, prompt in enumerate(prompts)])
        again = answer(engine, prompts[0])
    assert found == expected
    assert (ids_of(again), again[0].num_reused) == (expected[0], 0)
