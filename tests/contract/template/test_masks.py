"""The loss mask: equal to the masks of templates with generation marks; each answer's closing token is trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unicodedata import normalize

import pytest

from swift.llm.core import Encoded
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import Template
from swift.llm.template.chat_template import ChatTemplate
from swift.llm.template.encode import Encoder

MASKS = (
    ("llama-3.1-instruct", "llama3_training"),
    ("phi-3.5-mini-instruct", "phi3_5_training"),
    ("qwen3", "qwen3_instruct_2507_training"),
    ("qwen3", "qwen3_training"),
)


@pytest.mark.parametrize(("name", "template"), MASKS)
def test_generation_marks_give_the_masks_of_transformers(material: Any, name: str, template: str) -> None:
    golden = material.json(f"golden/assistant_masks/{name}.{template}.json")
    text = material.path("templates", "trl", f"{template}.jinja").read_text(encoding="utf-8")
    tokenizer = material.tokenizer(name)
    plan = TemplatePlan(template_type=None, permissive_special_tokens=True)
    renderer, encoder = ChatTemplate(text, tokenizer, plan), Encoder(tokenizer, permissive=True)
    for case in golden["cases"]:
        tokens = encoder.encode([renderer.atoms(material.conversation(case["id"]))])
        assert tokens.ids.tolist() == case["input_ids"], case["id"]
        mask = tokens.trained.astype(int).tolist()
        if (name, case["id"]) == ("phi-3.5-mini-instruct", "whitespace_code_train"):
            # Phi's <|assistant|> takes the white space that follows, and with it the answer's first characters: by
            # offsets the marker then counts as part of the answer. It is the prompt's.
            [differing] = [
                i for i, (one, other) in enumerate(zip(mask, case["assistant_masks"], strict=True)) if one != other
            ]
            assert tokens.ids[differing] == tokenizer.special_tokens["<|assistant|>"]
            assert mask[differing] == 0
            continue
        assert mask == case["assistant_masks"], case["id"]


@pytest.mark.parametrize(
    ("name", "template", "row"),
    [
        ("llama-3.1-instruct", "llama3_training", "llama3"),
        ("qwen3", "qwen3_instruct_2507_training", "qwen3_nothinking"),
    ],
)
def test_rows_train_the_same_but_for_the_newline_behind_an_answer(
    material: Any, name: str, template: str, row: str
) -> None:
    newline = material.tokenizer(name).encode("\n")
    ours = material.template(name, row, permissive_special_tokens=True)
    for case in material.json(f"golden/assistant_masks/{name}.{template}.json")["cases"]:
        conversation = material.conversation(case["id"])
        if conversation.tools or any(message.reasoning for message in conversation.messages):
            continue
        sample = ours.encode(conversation)
        assert sample.input_ids.tolist() == case["input_ids"], case["id"]
        pairs = zip(sample.input_ids.tolist(), sample.trained.tolist(), case["assistant_masks"], strict=True)
        differing = [id_ for id_, trained, mask in pairs if trained != bool(mask)]
        # The generation marks take in the newline that follows the closing token; no model need learn to write it.
        assert set(differing) <= set(newline), case["id"]


@pytest.mark.parametrize("own", [False, True], ids=["row", "chat_template"])
@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("qwen3", "<|im_end|>"),
        ("llama-3.1-instruct", "<|eot_id|>"),
        ("llama-2-chat", "</s>"),
        ("phi-3.5-mini-instruct", "<|end|>"),
        ("mistral-v3", "</s>"),
    ],
)
def test_every_answer_and_its_close_are_trained_and_nothing_else(
    material: Any, name: str, own: bool, close: str
) -> None:
    template = material.template(name, None if own else material.rows[name])
    tokenizer = template.tokenizer
    for id_ in ("system_multi_train", "long_multi_train", "whitespace_code_train", "unicode_train"):
        conversation = material.conversation(id_)
        sample = template.encode(conversation)
        assert isinstance(sample, Encoded)
        assert not sample.trained[0]
        answers = [message.content.strip() for message in conversation.messages if message.role == "assistant"]
        trained = [i for i, flag in zip(sample.input_ids.tolist(), sample.trained.tolist(), strict=True) if flag]
        assert trained.count(tokenizer.special_tokens[close]) == len(answers), id_
        text = tokenizer.decode(trained)
        for other in conversation.messages:
            if other.role != "assistant":
                assert other.content.strip() not in text, id_
        for answer in answers:
            assert normalize("NFC", answer).replace(" ", "") in normalize("NFC", text).replace(" ", ""), id_


def test_train_on_inputs_trains_all_but_the_first_position(material: Any) -> None:
    template = material.template("qwen3", "qwen2_5", train_on_inputs=True)
    sample = template.encode(material.conversation("system_multi_train"))
    assert sample.trained.tolist() == [False] + [True] * (len(sample) - 1)


def test_an_answer_can_be_left_out_and_weighed(material: Any) -> None:
    conversation = material.conversation("system_multi_train")
    messages = list(conversation.messages)
    messages[2] = replace(messages[2], train=False)
    messages[4] = replace(messages[4], weight=0.5)
    template: Template = material.template("qwen3", "qwen2_5")
    sample = template.encode(replace(conversation, messages=tuple(messages)))
    assert isinstance(sample, Encoded)
    trained = sample.input_ids[sample.trained].tolist()
    assert template.tokenizer.decode(trained) == "2 + 40 = 42.<|im_end|>"
    assert sample.loss_scale is not None
    assert set(sample.loss_scale[sample.trained].tolist()) == {0.5}
    assert template.encode(conversation).loss_scale is None
