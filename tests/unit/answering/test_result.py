"""The object that a result file holds for a row."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from swift.llm.answering.result import result_row
from swift.llm.catalog.rows import DatasetRow
from swift.llm.core import Conversation, Place
from swift.llm.dataset.columns import RowParser
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import load_tokenizer


def test_columns_that_the_registration_keeps_come_back() -> None:
    tokenizer = load_tokenizer(Path(str(files("swift.demo"))) / "model")
    template = open_template("chatml", tokenizer, TemplatePlan(template_type="chatml"))
    parser = RowParser(DatasetRow(name="x", keep_columns=True), need_answer=False)
    found = parser.parse({"query": "Q", "id": 4, "label": "other"}, Place("x", 1))
    assert isinstance(found, Conversation)
    row = result_row(found, "A", None, template)
    assert (row["id"], row["query"], row["response"], row["label"]) == (4, "Q", "A", None)
