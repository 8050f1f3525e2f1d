"""Photographs of a real data set, in the rows as they are written: the prompt that transformers' own processor makes of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
import torch
from PIL import Image
from transformers import AutoConfig, AutoTokenizer

from swift.llm.answering.rows import read_rows
from swift.llm.chat.service import ChatService
from swift.llm.engine.fake import FakeEngine
from swift.llm.engine.protocol import Limits
from swift.llm.model.eyes import open_eyes
from swift.llm.plan.plans import DataPlan, TemplatePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import load_tokenizer

sys.path.insert(0, str(Path(__file__).parents[2] / "tiny" / "media"))
from families import build


def test_rows_of_photographs(shared: Path, tmp_path: Path) -> None:
    from transformers.models.auto.processing_auto import AutoProcessor

    folder = build("gemma3", tmp_path / "tiny")
    tokenizer = load_tokenizer(folder)
    template = open_template(None, tokenizer, TemplatePlan(template_type=None))
    engine = FakeEngine(lambda prompt: [], limits=Limits(context=4096, media=True))
    service = ChatService(
        template, tokenizer, engine, open_eyes(folder, AutoConfig.from_pretrained(folder), -1), media_root=tmp_path
    )
    processor = AutoProcessor.from_pretrained(folder)
    hf = AutoTokenizer.from_pretrained(folder)
    questions = read_rows(
        DataPlan(dataset=(), val_dataset=(str(shared / "mm" / "mllm_demo.json"),)), -1, images=True
    ).questions
    assert len(questions) >= 5
    for question in questions:
        conversation = question.conversation
        prompt = service.prepare(conversation)
        messages = [
            {"role": one.role, "content": one.content.replace("<image>", "<start_of_image>")}
            for one in conversation.messages
        ]
        text = hf.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        images = [Image.open(one.source).convert("RGB") for one in conversation.media]
        expected = processor(images=images, text=[text], return_tensors="pt")
        assert list(prompt.ids) == expected["input_ids"][0].tolist()
        assert prompt.media is not None
        torch.testing.assert_close(prompt.media["pixel_values"], expected["pixel_values"], rtol=0, atol=0)
