"""Conversations about images, models that answer them, and what transformers makes of the same."""

from __future__ import annotations

import asyncio
import base64
import io
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from families import build
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer

from swift.llm.chat.service import ChatService, Prompt
from swift.llm.core import Conversation, Media, Message, Sampling
from swift.llm.engine.protocol import GenerateRequest, Step
from swift.llm.engine.pt import PtEngine
from swift.llm.model.eyes import open_eyes
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import load_tokenizer

QUESTION = "<image>What is this?"
TURNS = (
    Message("user", QUESTION),
    Message("assistant", "A cat."),
    Message("user", "And <image> or <image>, which is larger?"),
)
SHORT = Sampling(max_new_tokens=8)


def picture(width: int, height: int) -> Image.Image:
    """Bands of colour, so that no two sizes look alike."""
    image = Image.new("RGB", (width, height))
    image.putdata([((x * 5) % 256, (y * 3) % 256, (x * y) % 256) for y in range(height) for x in range(width)])
    return image


IMAGES = (picture(90, 60), picture(40, 120), picture(64, 64))


@cache
def url(number: int) -> str:
    """One of `IMAGES` as a data URL."""
    file = io.BytesIO()
    IMAGES[number].save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def asked(*messages: Message, images: int = 3) -> Conversation:
    """A conversation with the first images."""
    return Conversation(messages, media=tuple(Media("image", url(number)) for number in range(images)))


class Opened(NamedTuple):
    """A family's model with all that answers; another of the same weights and transformers' own processor to compare with."""

    service: ChatService
    engine: PtEngine
    model: Any
    processor: Any
    folder: Path


def open_family(name: str, folder: Path) -> Opened:
    """Make one of `families.FAMILIES` in ``folder``, and open it."""
    build(name, folder)
    model = load(folder)
    tokenizer = load_tokenizer(folder)
    template = open_template(None, tokenizer, TemplatePlan(template_type=None))
    engine = PtEngine(load(folder), max_batch=4, max_cached_tokens=4096)
    eyes = open_eyes(folder, AutoConfig.from_pretrained(folder), -1)
    return Opened(ChatService(template, tokenizer, engine, eyes), engine, model, reference(name, folder), folder)


def load(folder: Path) -> Any:
    return AutoModelForImageTextToText.from_pretrained(folder)


def reference(name: str, folder: Path) -> Any:
    """The processor of the family, put together by its parts where `AutoProcessor` would ask for torchvision."""
    from transformers import Qwen2VLProcessor, Qwen3VLProcessor
    from transformers.models.auto.image_processing_auto import AutoImageProcessor
    from transformers.models.auto.processing_auto import AutoProcessor
    from transformers.models.idefics3 import Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    kinds = {"qwen2_vl": Qwen2VLProcessor, "qwen3_vl": Qwen3VLProcessor}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if name == "idefics3":
        return Idefics3Processor(Idefics3ImageProcessorPil.from_pretrained(folder), tokenizer, image_seq_len=4)
    if name not in kinds:
        return AutoProcessor.from_pretrained(folder)

    class NoVideo(kinds[name]):  # type: ignore[misc,valid-type]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return argument and super().check_argument_for_proper_class(argument_name, argument)

    return NoVideo(AutoImageProcessor.from_pretrained(folder, backend="pil"), tokenizer, None)


def theirs(one: Opened, conversation: Conversation) -> Any:
    """What transformers makes of the same conversation."""

    def parts(text: str) -> list[dict[str, str]]:
        found = []
        for number, piece in enumerate(text.split("<image>")):
            found += [{"type": "image"}] * (number > 0) + [{"type": "text", "text": piece}] * bool(piece)
        return found

    text = one.processor.tokenizer.apply_chat_template(
        [{"role": message.role, "content": parts(message.content)} for message in conversation.messages],
        tokenize=False, add_generation_prompt=True,
    )  # fmt: skip
    images = list(IMAGES[: len(conversation.media)])
    return one.processor(images=images, text=[text], return_tensors="pt")


def answer(engine: PtEngine, prompt: Prompt, sampling: Sampling = SHORT, **settings: Any) -> list[Step]:
    """The steps of one answer."""

    async def collect() -> list[Step]:
        request = GenerateRequest("one", prompt.ids, sampling, media=prompt.media, **settings)
        return [step async for step in engine.generate(request)]

    return asyncio.run(collect())


def ids_of(steps: list[Step]) -> list[int]:
    return [token for step in steps for token in step.token_ids]
