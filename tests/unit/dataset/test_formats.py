"""Formats that a registration names by type: what becomes the question, the answer, the system text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from swift.llm.catalog.registries import DATASET_MAPPING
from swift.llm.catalog.rows import DatasetRow
from swift.llm.core import Conversation, Dropped, Place, Segment
from swift.llm.dataset.columns import RowParser
from swift.llm.dataset.formats import AUTO, FORMATS
from swift.utils.errors import DataError

PLACE = Place("x.jsonl", 7)
BOS, EOS = Segment("{auto_bos}", special=True), Segment("{eos}", train=True, special=True)


def parse(values: Any, kind: str | None = None, **row: Any) -> Conversation:
    found = RowParser(DatasetRow(name="x", format=kind, **row)).parse(values, PLACE)
    assert isinstance(found, Conversation), found
    return found


def lost(values: Any, kind: str | None = None, **row: Any) -> str:
    found = RowParser(DatasetRow(name="x", format=kind, **row)).parse(values, PLACE)
    assert isinstance(found, Dropped), found
    return found.reason


def said(conversation: Conversation) -> list[str]:
    return [f"{message.role[0]}:{message.content}" for message in conversation.messages]


def turns(from_key: str, value_key: str, *pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{from_key: role, value_key: text} for role, text in pairs]


JUDGED = {"instruction": "Q", "answer": "A", "scores": {"tone": 3}, "critiques": [{"tone": "flat"}]}
JUDGEMENT = "tone: 3\n- tone: flat\n"


@pytest.mark.parametrize(
    ("kind", "row", "messages"),
    [
        ("completion", {"text": "T", "response": "other"}, ["a:T"]),
        ("alpaca", {"instruction": "Q", "input": "I", "output": "A"}, ["u:Q\nI", "a:A"]),
        ("jeopardy", {"question": "Q", "category": "C", "answer": "A"}, ["u:Q\nC", "a:what is A"]),
        ("oasst", {"INSTRUCTION": "Q", "RESPONSE": "A"}, ["u:Q", "a:A"]),
        ("gpteacher", {"instruction": "Q", "input": "I", "response": "A"}, ["u:Q\nI", "a:A"]),
        ("gpteacher", {"instruction": "Q", "input": "", "response": "A"}, ["u:Q", "a:A"]),
        ("reflection", {"instruction": "Q", "input": "I", "output": "O", "reflection": "R", "corrected": "C"},
         ["u:Q\nI", "a:### Thought:\nO\n\n### Reflection:\nR\n\n### Final answer:\nC"]),
        ("summarizetldr", {"article": "A", "summary": "S"}, ["u:Write a TL;DR of this article.\n\nA", "a:S"]),
        ("alpaca_chat", {"instruction": "Q", "input": "I", "response": "A"}, ["u:Q\nI", "a:A"]),
        ("alpaca_chat", {"instruction": "Q", "output": "A"}, ["u:Q", "a:A"]),
        ("alpaca_chat.load_qa", {"question": "Q", "answer": "A", "article": "x"}, ["u:Q", "a:A"]),
        ("alpaca_chat.load_camel_ai", {"message_1": "Q", "message_2": "A"}, ["u:Q", "a:A"]),
        ("alpaca_w_system.load_open_orca", {"system_prompt": "S", "question": "Q", "response": "A"}, ["s:S", "u:Q", "a:A"]),
        ("context_qa", {"article": "T", "question": "Q", "answer": "A"}, ["u:T\n===\nQ", "a:A"]),
        ("context_qa.load_v2", {"context": "T", "question": "Q", "answer": "A"},
         ["u:Context: T\nQuestion: Q", "a:Answer: A"]),
        ("creative_acr.load_answer", {"instruction": "Q", "revision": "A"}, ["u:Q", "a:A"]),
        ("sharegpt", {"conversations": turns("from", "value", ("system", "S"), ("human", "Q"), ("gpt", "A"))},
         ["s:S", "u:Q", "a:A"]),
        ("sharegpt", {"conversation": [{"human": "Q", "assistant": "A"}]}, ["u:Q", "a:A"]),
        ("sharegpt.load_role", {"conversations": turns("role", "value", ("human", "Q"), ("gpt", "A"))}, ["u:Q", "a:A"]),
        ("sharegpt.load_guanaco", {"conversations": turns("from", "value", ("prompter", "Q"), ("assistant", "A"))},
         ["u:Q", "a:A"]),
        ("sharegpt.load_guanaco", {"conversations": turns("role", "text", ("prompter", "Q"), ("assistant", "A"))},
         ["u:Q", "a:A"]),
        ("sharegpt_jokes", {"title": "T", "text": "J", "explanation": "E"},
         ["u:Tell me a joke.", "a:T J", "u:Why is it funny?", "a:E"]),
        ("pygmalion", {"conversations": turns("role", "value", ("system", "S"), ("human", "Q"), ("bot", "A"))},
         ["s:S", "u:Q", "a:A"]),
        ("dolly", {"instruction": "Q", "context": "C", "response": "A"}, ["u:C\n\nQ", "a:A"]),
        ("dolly", {"instruction": "Q", "context": "", "response": "A"}, ["u:Q", "a:A"]),
        ("blossom-math", {"input": "Q", "output": "O", "answer": 4}, None),
        ("blossom-math", {"input": "Q", "output": "O", "answer": "4"}, ["u:Q", "a:O\n\nAnswer: 4"]),
        ("sentiment-classification", {"sentence": "good", "label": 1.0},
         ["u:Task: Sentiment classification\nsentence: good\nClasses: negative, positive\nClass:", "a:positive"]),
        ("loose-turns", {"conversations": "[{'from': 'human', 'value': 'Q'}\n {'from': 'gpt', 'value': 'A'}]"},
         ["u:Q", "a:A"]),
        ("guanaco", {"instruction": "User: q\nAssistant: a", "input": "User: Q", "output": "A"},
         ["u:q", "a:a", "u:Q", "a:A"]),
        ("rounds", {"conversation": [{"data": {"question": "Q", "answer": "A"}}]}, ["u:Q", "a:A"]),
        ("leetcode", {"code_with_problem": "# P\n```python\nx\n```", "explanation_only": "E"},
         ["u:P", "a:```python\nx\n```\n\nE"]),
        ("ms-bench", {"conversations": turns("from", "value", ("system", "You are a helpful assistant."),
                                             ("user", "Q"), ("assistant", "A"))}, ["u:Q", "a:A"]),
    ],
)  # fmt: skip
def test_types(kind: str, row: dict[str, Any], messages: list[str] | None) -> None:
    if messages is None:
        assert lost(row, kind) == "wrong type: answer is a number, expected text"
    else:
        assert said(parse(row, kind)) == messages


def test_types_that_bring_a_system_text() -> None:
    choices = {"question": "Q", "choices": ["x", "y"], "explanation": "E"}
    for kind, row, question in (
        ("explainchoice", {**choices, "solution": "S"}, "u:Q\n- x\n- y"),
        ("concisechoice", {**choices, "solution": "S"}, "u:Q\n- x\n- y"),
        ("alpaca_chat.load_concise", {"instruction": "Q", "response": "S"}, "u:Q"),
    ):
        system, asked, answer = said(parse(row, kind))
        assert (asked, answer) == (question, "a:S")
        assert system.startswith("s:")
        assert len(system) > 20
        assert said(parse({**row, "system": "mine"}, kind))[0] == "s:mine"
    assert said(parse(choices, "explainchoice"))[2] == "a:E"
    assert said(parse({**choices, "choices": "['x', 3]"}, "explainchoice"))[1] == "u:Q\n- x\n- 3"
    orca = parse({"system_prompt": "", "question": "Q", "response": "A"}, "alpaca_w_system.load_open_orca")
    assert (said(orca), orca.system_given) == (["u:Q", "a:A"], True)


def test_unanswerable_and_judged_answers() -> None:
    question, answer = said(parse({"article": "T", "unanswerable_question": "Q"}, "context_qa.load_404"))
    assert question == "u:T\n===\nQ"
    assert "article" in answer
    question, answer = said(parse(JUDGED, "creative_acr.load_critique"))
    assert question.endswith("Instruction:\nQ\n\nAnswer:\nA")
    assert answer == f"a:{JUDGEMENT}"
    question, answer = said(parse({**JUDGED, "revision": "R"}, "creative_acr.load_revise"))
    assert JUDGEMENT in question
    assert answer == "a:R"


def test_a_type_says_what_it_needs() -> None:
    assert lost({"question": "Q", "answer": "A"}, "jeopardy") == (
        "type jeopardy needs answer + category + question: found answer, question"
    )
    assert lost({"question": "Q", "category": "C", "answer": None}, "jeopardy") == "empty answer"
    assert lost({"question": "Q", "category": "C", "answer": " "}, "jeopardy") == "empty answer"
    with pytest.raises(DataError, match=r"unknown type 'jeopardi'.*did you mean 'jeopardy'"):
        parse({}, "jeopardi")
    found = RowParser(DatasetRow(name="x", format="jeopardy"), need_answer=False).parse(
        {"question": "Q", "category": "C"}, PLACE
    )
    assert isinstance(found, Conversation)
    assert said(found) == ["u:Q\nC"]


def test_a_mapping_names_columns_and_texts() -> None:
    prompt = {
        "field_system": "sys", "field_instruction": "q", "field_input": "i", "field_output": "a",
        "format": "{instruction} ({input}) {x}", "no_input_format": "{instruction}!", "system_format": "<<{system}>>",
        "system_prompt": "usual",
    }  # fmt: skip
    assert said(parse({"q": "Q", "i": "I {instruction}", "a": "A"}, prompt=prompt)) == [
        "s:<<usual>>", "u:Q (I {instruction}) {x}", "a:A",
    ]  # fmt: skip
    assert said(parse({"q": "Q", "a": "A", "sys": "S"}, prompt=prompt)) == ["s:<<S>>", "u:Q!", "a:A"]
    assert said(parse({"instruction": "Q", "input": "I", "output": "A"}, prompt={"system_prompt": ""})) == [
        "u:Q\nI",
        "a:A",
    ]
    assert lost({"q": "Q"}, prompt=prompt) == "type given needs a + q or a + i: found q"
    assert lost({"q": "", "a": "A"}, prompt=prompt) == "empty q"


def test_rows_without_a_template() -> None:
    parts = [{"label": False, "text": "<s>Q"}, {"label": True, "text": "A</s>"}, {"label": True, "text": ""}]
    own = parse({"segments": parts}, "input_output")
    assert own.segments == (Segment("<s>Q", special=True), Segment("A</s>", train=True, special=True, cut=True))
    assert lost({"segments": [{"label": 1, "text": "x"}]}, "input_output") == (
        "wrong type: the label of segment 1 is a number, expected true or false"
    )
    assert lost({"segments": parts[:1]}, "input_output") == "no segment with label true"
    told = parse({"prompt": "<|user|>Q<|model|>", "generation": "A"}, "metharme")
    assert told.segments[1:3] == (
        Segment("<|user|>Q<|model|>", special=True), Segment("A", train=True, special=True, cut=True),
    )  # fmt: skip
    assert told.segments[3:] == (EOS, EOS, EOS)
    assert parse({"text": "T"}).segments == (BOS, Segment("T", train=True), EOS)


def test_ids_are_taken_as_they_are() -> None:
    row = {"input_ids": [5, 6, 7, 0], "attention_mask": [1, 1, 1, 0], "labels": [5, -100, 7, -100]}
    encoded = parse(row).encoded
    assert encoded is not None
    assert encoded.input_ids.tolist() == [5, 6, 7]
    assert encoded.input_ids.dtype == np.int32
    assert encoded.trained.tolist() == [False, False, True]
    assert lost({**row, "labels": [5, -100, 8, -100]}) == "label 2 is 8, neither its input id nor -100"
    assert lost({**row, "labels": [5]}) == "4 input_ids and 1 labels"
    assert lost({**row, "input_ids": "no"}).startswith("wrong type: input_ids is text")
    assert lost({**row, "input_ids": [5, 6, 1 << 40, 0]}).startswith("input_ids are below 0")


def test_a_style_takes_the_templates_place() -> None:
    row = {"system": "S", "instruction": "Q", "input": "I", "response": "A"}
    instruct = parse(row, "gpteacher:instruct").segments
    assert instruct == (
        BOS, Segment("S\n\n"), Segment("### Instruction:\nQ\n\n### Input:\nI\n\n### Response:\n"),
        Segment("A", train=True, cut=True), EOS,
    )  # fmt: skip
    chat = parse(
        {"messages": turns("role", "content", *[("user", "Q"), ("assistant", "A")] * 2)}, "messages:chat"
    ).segments
    assert [segment.text for segment in chat] == [
        "{auto_bos}", "USER: Q\nASSISTANT: ", "A", "{eos}", "\nUSER: Q\nASSISTANT: ", "A", "{eos}",
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"unknown prompt style 'poem'.*Known: instruct, chat"):
        parse(row, "gpteacher:poem")


def test_the_order_of_recognition() -> None:
    both = {"instruction": "I", "output": "O", "response": "R", "query": "Q", "text": "T"}
    assert said(parse(both)) == ["u:Q", "a:R"]
    assert [one.name for one in AUTO[:5]] == ["swift", "alpaca", "conversations", "messages", "conversation"]
    assert said(parse({"instruction": "I", "output": "O", "text": "T"})) == ["u:I", "a:O"]
    assert said(parse({"input": "Q", "output": "A"})) == ["u:Q", "a:A"]


def test_no_part_of_the_question_is_left_out_in_silence() -> None:
    for row in (
        {"input": "Q", "response": "A"},
        {"article": "T", "question": "Q", "answer": "A"},
        {"instruction": "Q", "context": "C", "response": "A"},
    ):
        assert lost(row).startswith("no known columns: found")
    assert said(parse({"response": "T", "id": 3})) == ["a:T"]


def test_every_registered_set_has_a_format_that_is_there() -> None:
    for row in DATASET_MAPPING.values():
        RowParser(row)
        assert row.format is None or row.format in FORMATS


@pytest.mark.parametrize(
    ("name", "row", "messages"),
    [
        ("codefuse-python-en", {"chat_rounds": turns("role", "content", ("human", "Q"), ("bot", "A"))}, ["u:Q", "a:A"]),
        ("hh-rlhf", {"chosen": "\n\nHuman: Q\n\nAssistant: A", "rejected": "\n\nHuman: Q\n\nAssistant: no"}, ["u:Q", "a:A"]),
        ("hh-rlhf-cn", {"context": turns("role", "text", ("human", "Q")), "chosen": {"role": "assistant", "text": "A"},
                        "rejected": {"role": "assistant", "text": "no"}}, ["u:Q", "a:A"]),
        ("lawyer-llama-zh", {"instruction": "Q", "output": "A", "history": "x", "input": ""}, ["u:Q", "a:A"]),
        ("toolbench-for-alpha-umi", {"conversations": turns("from", "value", ("system", "Q"), ("caller", "A"))},
         ["u:Q", "a:A"]),
        ("sql-create-context-en", {"question": "Q", "context": "C", "answer": "A"}, ["u:Q\nC", "a:A"]),
        ("stack-exchange-paired", {"question": "Q", "response_j": "A", "response_k": "no", "qid": 1}, ["u:Q", "a:A"]),
        ("coco-en-2", {"image": {"path": "a.png", "bytes": None}, "caption": "A"}, ["u:<image>", "a:A"]),
    ],
)  # fmt: skip
def test_registered_sets(name: str, row: dict[str, Any], messages: list[str]) -> None:
    found = RowParser(DATASET_MAPPING[name]).parse(row, PLACE)
    assert isinstance(found, Conversation), found
    assert said(found) == messages
    if "rejected" in row or "response_k" in row:
        assert found.rejected[-1].content == "no"
