"""Images in prompts, over the families that transformers has: its own processor and its own `generate` are the reference."""

from __future__ import annotations

import asyncio
import base64
import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from swift.llm.chat.service import ChatService, ImageError
from swift.llm.core import Conversation, Grammar, Media, Message, Sampling
from swift.llm.engine.protocol import GenerateRequest
from swift.llm.engine.pt import PtEngine
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import Template, open_template
from swift.llm.tokenizer import load_tokenizer
from swift.utils.errors import DataError, EngineError

sys.path.insert(0, str(Path(__file__).parent))
from families import FAMILIES, QWEN_IMAGE
from seen import SHORT, TURNS, Opened, answer, asked, ids_of, load, theirs, url

# What transformers 5.17 says to itself, in Mllama.
pytestmark = pytest.mark.filterwarnings("ignore:.hidden_state. is deprecated:FutureWarning")


@pytest.mark.parametrize("name", FAMILIES)
def test_prompts_and_answers_are_transformers_own(name: str, opened: Callable[[str], Opened]) -> None:
    one = opened(name)
    plain = one.service.prepare(Conversation((Message("user", "What is this?"),)))
    before = ids_of(answer(one.engine, plain))
    conversation = asked(*TURNS)
    prompt = one.service.prepare(conversation)
    inputs = theirs(one, conversation)
    assert list(prompt.ids) == inputs["input_ids"][0].tolist()
    assert prompt.media is not None
    assert set(prompt.media) == set(inputs) - {"input_ids", "attention_mask"}
    for key, value in prompt.media.items():
        torch.testing.assert_close(value, inputs[key], rtol=0, atol=0)
    expected = one.model.generate(**inputs, max_new_tokens=8, do_sample=False)[0, len(prompt.ids) :].tolist()
    steps = answer(one.engine, prompt, logprobs=2)
    assert ids_of(steps) == expected[: len(ids_of(steps))]
    assert len(ids_of(steps)) == 8
    with torch.no_grad():
        logits = one.model(**inputs).logits[0, -1].float()
    told = next(step for step in steps if step.logprobs).logprobs[0]
    assert told.logprob == pytest.approx(float(logits.log_softmax(-1)[told.token]), abs=1e-4)
    assert ids_of(answer(one.engine, plain)) == before, "images left something behind"
    assert sum(step.num_reused for step in steps) == 0


def test_text_alone_is_read_in_flat_batches_beside_images(opened: Callable[[str], Opened]) -> None:
    one = opened("qwen2_vl")
    assert one.engine.is_batching
    plain = one.service.prepare(Conversation((Message("user", "What is this?"),)))
    expected = one.model.generate(torch.tensor([plain.ids]), max_new_tokens=8, do_sample=False)[0, len(plain.ids) :]
    seen = one.service.prepare(asked(TURNS[0], images=1))
    requests = [
        GenerateRequest("a", plain.ids, SHORT), GenerateRequest("b", seen.ids, SHORT, media=seen.media),
        GenerateRequest("c", plain.ids, SHORT),
    ]  # fmt: skip
    first, second, third = one.engine.generate_batch(requests)
    assert first == third == expected.tolist()
    assert second == ids_of(answer(one.engine, seen))


def test_what_is_answered_depends_on_the_image(opened: Callable[[str], Opened]) -> None:
    one = opened("qwen2_vl")
    told = []
    for number in (0, 1):
        conversation = Conversation((TURNS[0],), media=(Media("image", url(number)),))
        steps = answer(one.engine, one.service.prepare(conversation), logprobs=0)
        told.append([entry.logprob for step in steps for entry in step.logprobs])
    assert told[0] != pytest.approx(told[1], abs=1e-4)


def test_sampling_and_prompt_logprobs_are_ours(opened: Callable[[str], Opened]) -> None:
    one = opened("qwen2_vl")
    prompt = one.service.prepare(asked(TURNS[0], images=1))
    drawn = Sampling(max_new_tokens=8, do_sample=True, temperature=1.5, seed=7, repetition_penalty=1.2)
    first, second = (ids_of(answer(one.engine, prompt, drawn)) for _ in range(2))
    assert first == second
    other = ids_of(answer(one.engine, prompt, replace(drawn, seed=8)))
    assert other != first
    steps = answer(one.engine, prompt, prompt_logprobs=0)
    with torch.no_grad():
        scores = one.model(**theirs(one, asked(TURNS[0], images=1))).logits[0].float().log_softmax(-1)
    told = [entry.logprob for entry in steps[0].prompt_logprobs]
    expected = [float(scores[place, token]) for place, token in enumerate(prompt.ids[1:])]
    assert told == pytest.approx(expected, abs=1e-4)
    stopped = answer(one.engine, prompt, stop_ids=(ids_of(answer(one.engine, prompt))[2],))
    assert stopped[-1].finish == "stop"


def test_a_grammar_holds_with_images(opened: Callable[[str], Opened]) -> None:
    pytest.importorskip("llguidance")
    from swift.llm.chat.constraint import Constrainer

    one = opened("llava")
    template = one.service.template
    model = load(one.folder)
    with PtEngine(model, constrain=Constrainer(template.tokenizer, template.stop_ids)) as engine:
        service = ChatService(template, one.service.tokenizer, engine, one.service.eyes)
        said = asyncio.run(
            service.answer(asked(TURNS[0], images=1), Sampling(max_new_tokens=16), grammar=Grammar("regex", "yes|no"))
        )
    assert said.text in ("yes", "no")


def test_rows_take_what_the_official_template_puts_around(opened: Callable[[str], Opened]) -> None:
    one = opened("qwen2_vl")
    tokenizer = load_tokenizer(one.folder)
    template = open_template("qwen2-vl", tokenizer, TemplatePlan(template_type="qwen2-vl", system=""))
    ids = template.encode_prompt(asked(TURNS[0], images=1), ["<|image_pad|>" * 3], "<|image_pad|>")
    wanted = QWEN_IMAGE.replace("<|image_pad|>", "<|image_pad|>" * 3)
    assert tokenizer.decode(ids).count(wanted + "What is this?") == 1


def prompt_text(template: Template, conversation: Conversation, *texts: str) -> str:
    return template.tokenizer.decode(template.encode_prompt(conversation, texts, "<|image_pad|>"))


def test_what_a_person_writes_stands_for_no_image(opened: Callable[[str], Opened]) -> None:
    one = opened("qwen2_vl")
    tag = "image-0f3a"
    said = f"{tag} and <image> and <|image_pad|> and {QWEN_IMAGE}"
    conversation = Conversation((Message("user", said),), media=(Media("image", url(0), tag),))
    ids = one.service.prepare(conversation).ids
    pad = one.service.tokenizer.special_tokens["<|image_pad|>"]
    alone = one.service.prepare(Conversation((Message("user", "<image>"),), media=(Media("image", url(0)),))).ids
    assert ids.count(pad) == alone.count(pad)
    assert one.service.tokenizer.decode(ids).count(" and <image> and <|image_pad|> and " + QWEN_IMAGE) == 1
    chat = (Message("user", "<image>"), Message("assistant", "an <image> tag"), Message("user", "so?"))
    assert "an <image> tag" in prompt_text(one.service.template, asked(*chat, images=1), "<|image_pad|>")


def test_permissive_reading_is_no_way_in(opened: Callable[[str], Opened]) -> None:
    template = opened("qwen2_vl").service.template.with_plan(permissive_special_tokens=True)
    with pytest.raises(DataError, match=r"a message holds '<\|image_pad\|>', which stands for images"):
        prompt_text(template, asked(Message("user", "<image> <|image_pad|>"), images=1), "<|image_pad|>")


@pytest.mark.parametrize(
    ("text", "images", "message"),
    [
        ("<image><image>", 1, "more tags <image> than the 1 images"),
        ("<image>", 2, "image 2 has no place: no message holds its tag <image>"),
        ("nothing", 1, "image 1 has no place"),
    ],
)
def test_tags_and_images_go_together(text: str, images: int, message: str, opened: Callable[[str], Opened]) -> None:
    with pytest.raises(DataError, match=message):
        opened("qwen2_vl").service.prepare(asked(Message("user", text), images=images))


def test_images_that_cannot_be_read_are_named(opened: Callable[[str], Opened], tmp_path: Path) -> None:
    service = opened("qwen2_vl").service
    conversation = Conversation(
        (Message("user", "<image><image>"),), media=(Media("image", url(0)), Media("image", str(tmp_path / "a.png")))
    )
    with pytest.raises(ImageError, match=r"image 2 of 2: .*files are not read here. Give a data URL") as caught:
        service.prepare(conversation)
    assert caught.value.number == 1
    with pytest.raises(DataError, match="the conversation holds video: this version answers about images only"):
        service.prepare(Conversation((Message("user", "<video>"),), media=(Media("video", "a.mp4"),)))
    thin = Conversation((Message("user", "<image>"),), media=(Media("image", narrow()),))
    with pytest.raises(DataError, match=r"the model's image processor refuses this image: .*aspect ratio"):
        service.prepare(thin)


def narrow() -> str:
    file = io.BytesIO()
    Image.new("RGB", (900, 2)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def test_limits_count_the_images(opened: Callable[[str], Opened]) -> None:
    one = opened("qwen2_vl")
    template = one.service.template.with_plan(max_length=16, truncation="truncation_left")
    short = ChatService(template, one.service.tokenizer, one.engine, one.service.eyes)
    with pytest.raises(DataError, match=r"tokens with its images, limit 16 \(--max_length\)"):
        short.prepare(asked(TURNS[0], images=1))
    with PtEngine(load(one.folder), max_cached_tokens=24) as small:
        service = ChatService(one.service.template, one.service.tokenizer, small, one.service.eyes)
        with pytest.raises(EngineError, match="the model's context holds 24"):
            asyncio.run(service.answer(asked(TURNS[0], images=1), SHORT))


def test_models_without_eyes_refuse(opened: Callable[[str], Opened]) -> None:
    one = opened("qwen2_vl")
    blind = ChatService(one.service.template, one.service.tokenizer, one.engine)
    assert (one.service.takes_images, blind.takes_images) == (True, False)
    with pytest.raises(DataError, match="the conversation holds images, and the model reads text only"):
        blind.prepare(asked(TURNS[0], images=1))
