"""Prompts for an engine that reads images itself: the pictures pixel for pixel, and a prompt with one token for each."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from dataclasses import replace

import pytest

pytest.importorskip("torch")
from PIL import Image
from seen import IMAGES, SHORT, TURNS, Opened, asked
from transformers import AutoTokenizer

from swift.llm.chat.service import ChatService
from swift.llm.core import Message
from swift.llm.engine.fake import FakeEngine
from swift.llm.engine.protocol import Limits
from swift.utils.errors import DataError


def reading(one: Opened, most: int = 3) -> tuple[ChatService, FakeEngine]:
    engine = FakeEngine(lambda prompt: [5, 6], limits=Limits(context=4096, pictures=most))
    return ChatService(one.service.template, one.service.tokenizer, engine, one.service.eyes), engine


@pytest.mark.parametrize("family", ["qwen2_vl", "idefics3", "gemma3"])
def test_one_token_stands_for_each_image(family: str, opened: Callable[[str], Opened]) -> None:
    one = opened(family)
    service, engine = reading(one)
    conversation = asked(*TURNS)
    asyncio.run(service.answer(conversation, SHORT))
    request = engine.requests[-1]
    assert service.takes_images
    assert request.prompt == one.service.prepare(conversation).ids
    assert request.media is None
    assert request.pictures is not None
    eyes = one.service.eyes
    assert eyes is not None
    token = service.tokenizer.special_tokens[eyes.placeholder]
    texts = iter(eyes.look(IMAGES).texts)
    theirs = AutoTokenizer.from_pretrained(one.folder)
    whole: list[int] = []
    for part in request.pictures.folded:
        whole += theirs.encode(next(texts), add_special_tokens=False) if part == token else [part]
    assert tuple(whole) == request.prompt
    seen = [Image.open(io.BytesIO(file)) for file in request.pictures.files]
    assert [image.format for image in seen] == ["PNG"] * 3
    assert [image.tobytes() for image in seen] == [image.tobytes() for image in IMAGES]


def test_images_that_come_again_are_not_processed_again(
    opened: Callable[[str], Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, _ = reading(opened("qwen2_vl"))
    first = service.prepare(asked(*TURNS))
    longer = asked(*TURNS, Message("assistant", "The first."), Message("user", "Why?"))
    monkeypatch.setattr(service.eyes, "look", None)
    again = service.prepare(longer)
    assert again.ids[: len(first.ids)] == first.ids
    assert again.pictures is not None
    assert again.pictures == replace(first.pictures, folded=again.pictures.folded)  # type: ignore[type-var]


def test_more_than_the_engine_reads_are_refused(opened: Callable[[str], Opened]) -> None:
    service, _ = reading(opened("qwen2_vl"), most=2)
    with pytest.raises(DataError, match=r"holds 3 images, and the engine reads at most 2 \(--limit_mm_per_prompt\)"):
        service.prepare(asked(Message("user", "<image>" * 3)))
    blind, _ = reading(opened("qwen2_vl"), most=0)
    assert not blind.takes_images
    with pytest.raises(DataError, match=r"the engine takes text only\. The engine pt reads them"):
        blind.prepare(asked(Message("user", "<image>"), images=1))
