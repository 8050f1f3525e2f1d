"""Rows that no template is put around: what of them becomes tokens, and what of those is trained."""

from __future__ import annotations

from typing import Any

import pytest

from swift.llm.catalog.rows import DatasetRow
from swift.llm.core import Conversation, Dropped, Encoded, Place
from swift.llm.dataset.columns import RowParser
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import Template, open_template
from swift.llm.tokenizer import TextTokenizer


@pytest.fixture(params=["chatml", None])
def template(request: pytest.FixtureRequest, tokenizer: TextTokenizer) -> Template:
    return open_template(request.param, tokenizer, TemplatePlan(template_type=request.param))


def parsed(row: dict[str, Any], kind: str | None = None) -> Conversation:
    found = RowParser(DatasetRow(name="x", format=kind)).parse(row, Place("x", 1))
    assert isinstance(found, Conversation), found
    return found


def told(template: Template, row: dict[str, Any], kind: str | None = None) -> tuple[str, str]:
    """All of the text, and what of it is trained."""
    encoded = template.encode(parsed(row, kind))
    assert isinstance(encoded, Encoded), encoded
    decode = template.tokenizer.decode
    return decode(encoded.input_ids.tolist()), decode(encoded.input_ids[encoded.trained].tolist())


SEGMENTS = {
    "segments": [
        {"label": False, "text": "<|im_start|>Q"},
        {"label": True, "text": "A<|im_end|>"},
        {"label": False, "text": " q"},
        {"label": True, "text": "a"},
    ]
}


def test_segments_are_the_whole_prompt(template: Template) -> None:
    assert told(template, SEGMENTS, "input_output") == ("<|im_start|>QA<|im_end|> qa", "A<|im_end|>a")
    encoded = template.encode(parsed(SEGMENTS, "input_output"))
    assert isinstance(encoded, Encoded)
    assert encoded.input_ids[0] == template.tokenizer.special_tokens["<|im_start|>"]  # the author's marker counts
    prompt = template.encode_prompt(parsed(SEGMENTS, "input_output"))
    assert prompt == encoded.input_ids[: len(prompt)].tolist()
    assert template.tokenizer.decode(prompt) == "<|im_start|>QA<|im_end|> q"
    assert next(iter(template.render(parsed(SEGMENTS, "input_output")))).text == "<|im_start|>"


def test_plain_text_is_no_answer_of_a_chat(template: Template) -> None:
    text, trained = told(template, {"text": "Once <|im_end|> upon"})
    assert text == "Once <|im_end|> upon<|im_end|>"
    assert text.endswith(trained)
    encoded = template.encode(parsed({"text": "x<|im_end|>"}))
    assert isinstance(encoded, Encoded)
    assert len(encoded) == len("x<|im_end|>") + 1  # what a text says stays text, and the end is one token


def test_three_ends_and_styles(template: Template) -> None:
    end = "<|im_end|>"
    assert told(template, {"prompt": "Q", "generation": "A"}, "metharme") == (f"QA{end * 3}", f"A{end * 3}")
    row = {"instruction": "Q", "response": "A"}
    assert told(template, row, "gpteacher:chat") == (f"USER: Q\nASSISTANT: A{end}", f"A{end}")
    prompt = template.encode_prompt(parsed(row, "gpteacher:chat"))
    assert template.tokenizer.decode(prompt) == "USER: Q\nASSISTANT: "


def test_ids_keep_their_mask(template: Template) -> None:
    row = {"input_ids": [5, 6, 7, 8], "labels": [-100, -100, 7, 8]}
    encoded = template.encode(parsed(row))
    assert isinstance(encoded, Encoded)
    assert encoded.input_ids.tolist() == [5, 6, 7, 8]
    assert encoded.trained.tolist() == [False, False, True, True]
    foreign = template.encode(parsed({"input_ids": [5, 99_999], "labels": [5, 99_999]}))
    assert foreign == Dropped("token id 99,999, the tokenizer has 261: made with another one", Place("x", 1))
    short = template.with_plan(max_length=3)
    assert isinstance(short.encode(parsed(row)), Dropped)


def test_inputs_are_trained_where_that_is_asked_for(template: Template) -> None:
    everything = template.with_plan(train_on_inputs=True)
    assert told(everything, SEGMENTS, "input_output")[1] == "QA<|im_end|> qa"
    row = {"input_ids": [5, 6, 7], "labels": [-100, -100, 7]}
    encoded = everything.encode(parsed(row))
    assert isinstance(encoded, Encoded)
    assert encoded.trained.tolist() == [False, False, True]  # a mask made elsewhere stays


def test_formats_that_continue_texts_begin_them_as_they_do(tokenizer: TextTokenizer) -> None:
    template = open_template("default-generation", tokenizer, TemplatePlan(template_type="default-generation"))
    assert told(template, {"text": "Once"}) == ("Once<|im_end|>", "nce<|im_end|>")
