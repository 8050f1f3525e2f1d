"""What inference encodes is, token for token, a prefix of what training encodes: all rows, all tokenizers, nasty texts."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from swift.llm.catalog.registries import TEMPLATE_MAPPING
from swift.llm.core import Conversation, Encoded, Message

TOKENIZERS = (
    "bge-small",
    "deepseek-coder-instruct",
    "gpt2",
    "llama-2-chat",
    "llama-3.1-instruct",
    "mistral-v3",
    "phi-3.5-mini-instruct",
    "qwen3",
)
TEXTS = (
    "Hello",
    "",
    " ",
    "\n",
    "\n\n  leading and trailing \n ",
    "  two spaces",
    "\u0301combining first, e\u0301 and é",
    "😀👨\u200d👩\u200d👧🏳️\u200d🌈",
    "<|im_end|> </s> <|eot_id|> [/INST] <end_of_turn> <|end|> <|EOT|> <s> [SEP] <|endoftext|>",
    "<think>\nhm\n</think>\n\nso",
    "\tdef f(x):\n\t\treturn x\r\n",
    "你好，世界",
    "1234567890",
    "'s and 'll",
    "\xa0nbsp\u3000wide",
    "] [INST",
    "\U000f0000\U000f0001",
)
# Rules by which prompts end with text that an answer in an earlier turn need not have: only the last turn can be compared.
ONLY_LAST = {"think", "think_kept", "nemotron", "harmony"}


def conversations(seed: int, rounds: int) -> list[Conversation]:
    chooser = random.Random(seed)
    out = [Conversation((Message("user", "Hi"), Message("assistant", text))) for text in TEXTS]
    out += [Conversation((Message("user", text), Message("assistant", "Yes"))) for text in TEXTS]
    for _ in range(rounds):
        turns = [Message("system", chooser.choice(TEXTS))] if chooser.random() < 0.5 else []
        for _ in range(chooser.randint(1, 4)):
            turns += [Message("user", chooser.choice(TEXTS)), Message("assistant", chooser.choice(TEXTS))]
        out.append(Conversation(tuple(turns)))
    return out


# Every format once; not those that name tokens by their ids in one vocabulary, nor those that are a chat template.
ROWS = list(
    {
        repr(replace(row, name="")): name
        for name, row in TEMPLATE_MAPPING.items()
        if not row.own_template and "{id:" not in repr(row)
    }.values()
)
# What a format cannot express: an empty answer without a close, a second question, a system text.
REFUSED = ("no trained token", "this format holds one question", "has no place for a system text")


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_prompt_is_a_prefix_of_its_sample(material: Any, name: str) -> None:
    for row in ROWS[TOKENIZERS.index(name) % 3 :: 3]:  # each row with two or three of the tokenizers
        closed = TEMPLATE_MAPPING[row].assistant_close  # without it an empty answer in the middle has nothing to train
        alternatives = [{}, {"enable_thinking": False}] if row == "qwen3" else [{}]
        for plan in alternatives:
            template = material.template(name, row, **plan)
            assert check(
                template,
                row,
                conversations(seed=7, rounds=12),
                last_only=not closed or bool(ONLY_LAST & {*TEMPLATE_MAPPING[row].behaviours}),
            ) >= len(TEXTS)


@pytest.mark.parametrize(
    "name", ["llama-2-chat", "llama-3.1-instruct", "phi-3.5-mini-instruct", "deepseek-coder-instruct"]
)
def test_so_it_is_with_the_tokenizers_own_template(material: Any, name: str) -> None:
    assert check(material.template(name, None), "own", conversations(seed=3, rounds=12), last_only=False) >= len(TEXTS)


def check(template: Any, row: str, samples: list[Conversation], last_only: bool) -> int:
    """Compare every prompt of every conversation; how many there were."""
    compared = 0
    for conversation, sample in zip(samples, template.encode_batch(samples), strict=True):
        if not isinstance(sample, Encoded):
            assert any(reason in sample.reason for reason in REFUSED), (row, sample.reason)
            continue
        ids = sample.input_ids.tolist()
        for number, message in enumerate(conversation.messages):
            if message.role != "assistant" or (last_only and number + 1 < len(conversation.messages)):
                continue
            moves = template.row is not None and "system_in_last_user" in template.row.behaviours
            earlier = number + 1 < len(conversation.messages)
            if moves and earlier and conversation.messages[0].role == "system":
                continue  # the system text moves with the last user turn: only the last prompt begins the whole
            prompt = template.encode_prompt(Conversation(conversation.messages[:number]))
            assert ids[: len(prompt)] == prompt, (row, conversation.messages)
            compared += 1
            assert not sample.trained[: len(prompt)].all() or not prompt
            close = sample.trained[len(prompt) :]
            if template.tokenizer.eos_token is not None and prompt:  # else an empty answer may have no token at all
                assert close[0], (row, conversation.messages)
    return compared


def test_one_by_one_or_in_bulk_the_ids_are_the_same(material: Any) -> None:
    template = material.template("qwen3", "qwen2_5")
    samples = conversations(seed=5, rounds=1100)
    bulk = template.encode_batch(samples)
    assert len(bulk) == len(samples)
    for conversation, sample in list(zip(samples, bulk, strict=True))[::97]:
        alone = template.encode(conversation)
        assert alone.input_ids.tolist() == sample.input_ids.tolist()
        assert alone.trained.tolist() == sample.trained.tolist()
