"""What is said about a file that nobody can read: the fix, with the flags to copy."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from swift.llm.catalog.registries import _info_row
from swift.llm.catalog.rows import DatasetRow
from swift.llm.core import Conversation, Dropped, Place
from swift.llm.dataset.columns import RowParser

ROW = DatasetRow(name="x.json", path="/data/it's x.json")


def advice(values: dict[str, Any], row: DatasetRow = ROW) -> str:
    parser = RowParser(row)
    found = parser.parse(values, Place("x.json", 1))
    assert isinstance(found, Dropped), found
    return parser.advice(found.reason, values)


def follow(text: str) -> DatasetRow:
    """The registration that the advice gives."""
    start = text.index("--custom_dataset_info")
    words = shlex.split(text[start:].split(" --dataset mine")[0])
    return _info_row("mine", json.loads(words[1])["mine"], "here", __import__("pathlib").Path("/"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"question": "Q", "category": "C", "answer": "A"}, "type `jeopardy`"),
        ({"INSTRUCTION": "Q", "RESPONSE": "A"}, "`INSTRUCTION`/`RESPONSE` found; did you mean type `oasst`?"),
        ({"article": "T", "question": "Q", "answer": "A"}, "`context_qa`"),
        ({"question": "Q", "choices": ["x"], "solution": "x"}, "`explainchoice` or `concisechoice`"),
        ({"article": "T", "summary": "S"}, "`summarizetldr`"),
        ({"message_1": "Q", "message_2": "A"}, "`alpaca_chat.load_camel_ai`"),
        ({"prompt": "Q", "generation": "A"}, "`metharme`"),
        ({"segments": [{"label": True, "text": "A"}]}, "`input_output`"),
        ({"Question": "Q", "Answer": "A"}, "'Question' is the query, 'Answer' is the response"),
        ({"human": "Q", "gpt": "A", "id": 1}, "'human' is the query, 'gpt' is the response"),
        ({"inputs": "Q", "targets": "A"}, "'inputs' is the query"),
        ({"dialog": [{"speaker": "customer", "text": "Q"}, {"speaker": "agent", "text": "A"}]}, "'dialog' holds turns"),
        (
            {"dialog": json.dumps([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}])},
            "holds turns",
        ),
        ({"messages": [{"role": "patient", "content": "Q"}, {"role": "doctor", "content": "A"}]}, "Known roles"),
        ({"messages": [{"role": "user", "content": "Q"}, {"role": "agent", "content": "A"}]}, "Known roles"),
        ({"messages": [{"speaker": "human", "text": "Q"}, {"speaker": "bot", "text": "A"}]}, "Other keys"),
        ({"query": "Q", "response": "", "reply": "A"}, "'response' is empty in these rows"),
    ],
)
def test_the_fix_reads_the_row(values: dict[str, Any], told: str) -> None:
    text = advice(values)
    assert told in text
    row = follow(text)
    assert row.path == "/data/it's x.json"
    found = RowParser(row).parse(values, Place("x.json", 1))
    assert isinstance(found, Conversation), found


def test_a_type_is_also_told_for_a_yaml_file() -> None:
    assert "datasets: [{path: /data/it's x.json, type: oasst}]" in advice({"INSTRUCTION": "Q", "RESPONSE": "A"})


def test_a_hub_set_is_named_by_its_id() -> None:
    text = advice({"INSTRUCTION": "Q", "RESPONSE": "A"}, DatasetRow(name="a", hf="acme/faq", ms="acme/faq"))
    assert '"hf_dataset_id": "acme/faq"' in text


def test_unknown_columns_list_the_known_shapes() -> None:
    text = advice({"foo": 1, "bar": 2})
    assert "instruction + output" in text
    assert '"YOURS": "query"' in text


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"messages": "Q and A"}, "json.dumps"),
        ({"messages": [{"role": "assistant", "content": "Q"}, {"role": "user", "content": "A"}]}, "swapped"),
        ({"query": 3, "response": "A"}, "texts in quotes"),
    ],
)
def test_other_systematic_problems(values: dict[str, Any], told: str) -> None:
    assert told in advice(values)


def test_labels_as_texts_are_explained() -> None:
    parser = RowParser(ROW, preference="label")
    values = {"query": "Q", "response": "A", "label": "true"}
    found = parser.parse(values, Place("x.json", 1))
    assert isinstance(found, Dropped)
    assert '{"label": true}' in parser.advice(found.reason, values)


def test_another_sign_between_the_fields_is_told() -> None:
    parser = RowParser(DatasetRow(name="x", path="x.csv"))
    row = {"query;response": "a;b"}
    found = parser.parse(row, Place("x.csv", 2))
    assert isinstance(found, Dropped)
    assert "';'" in parser.advice(found.reason, row)
