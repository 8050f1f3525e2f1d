"""`swift list`: rows by words."""

from __future__ import annotations

import json

import pytest

from swift.llm.arguments.listing import ListArguments
from swift.llm.catalog.registries import DATASET_MAPPING
from swift.llm.list import find_rows, list_main, table


def test_words_narrow_whatever_field_holds_them() -> None:
    names = [row.model_type for row in find_rows("models", ["QWEN2.5", "coder", "awq"])]
    assert names == [f"qwen2_5-coder-{size}-instruct-awq" for size in ("0_5b", "1_5b", "3b", "7b", "14b", "32b")]
    assert {row.family for row in find_rows("models", ["yi1_5", "chat"])} == {"yi-1_5"}
    assert "self-cognition" in {row.name for row in find_rows("datasets", ["offline"])}


def test_columns_are_aligned() -> None:
    assert table(("a", "b"), [("long", "x"), ("s", "")]) == ["a     b", "long  x", "s"]
    assert table(("a",), [("abcdef",)], width=4) == ["a", "abc…"]


def test_the_number_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_main(ListArguments(what="models", words=("gemma2", "base"))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == "model_type"
    assert lines[-1].startswith("3 of ")
    assert len({line.index("default-generation") for line in lines[1:-1]}) == 1


@pytest.mark.parametrize("what", ["models", "templates", "datasets", "tuners"])
def test_each_list_has_rows(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_main(ListArguments(what=what)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{len(find_rows(what, []))} {what}"


def test_near_names_where_nothing_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_main(ListArguments(what="models", words=("qwen2_5-7b-instrct",))) == 1
    assert "Near: qwen2_5-7b-instruct" in capsys.readouterr().out
    assert list_main(ListArguments(what="tuners", words=("zzzz",))) == 1
    assert "`swift list tuners` shows all" in capsys.readouterr().out


def test_json_lines_hold_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_main(ListArguments(what="models", words=("llama2-7b-chat",), json=True)) == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert row["name"] == row["model_type"] == "llama2-7b-chat"
    assert row["hf"] == "meta-llama/Llama-2-7b-chat-hf"


def test_rows_of_ones_own_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DATASET_MAPPING, "_known", dict(DATASET_MAPPING))
    info = {"only-in-this-test": {"dataset_path": "rows.jsonl"}}
    arguments = ListArguments(what="datasets", words=("only-in-this-test",), custom_dataset_info=info)
    assert list_main(arguments) == 0
    assert "rows.jsonl" in capsys.readouterr().out
