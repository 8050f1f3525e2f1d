from __future__ import annotations

from pathlib import Path

import pytest

from swift.llm.dataset.syntax import DatasetItem, parse_item, parse_items
from swift.utils.errors import DataError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alpaca-en", DatasetItem("alpaca-en", "alpaca-en")),
        ("alpaca-en#500", DatasetItem("alpaca-en#500", "alpaca-en", count=500)),
        ("alpaca-en#-1", DatasetItem("alpaca-en#-1", "alpaca-en")),
        ("HF::acme/faq", DatasetItem("HF::acme/faq", "acme/faq", "hf")),
        ("ms::acme/faq", DatasetItem("ms::acme/faq", "acme/faq", "ms")),
        (
            "acme/faq:short/ long #2000",
            DatasetItem("acme/faq:short/ long #2000", "acme/faq", subsets=("short", "long"), count=2000),
        ),
        ("s3://b/x.jsonl#5", DatasetItem("s3://b/x.jsonl#5", "s3://b/x.jsonl", count=5)),
        ("http://h:80/x.jsonl", DatasetItem("http://h:80/x.jsonl", "http://h:80/x.jsonl")),
        ("data/*.jsonl#7", DatasetItem("data/*.jsonl#7", "data/*.jsonl", count=7)),
        ("data/mine.jsonl#50", DatasetItem("data/mine.jsonl#50", "data/mine.jsonl", count=50)),
    ],
)
def test_the_parts_of_an_item(text: str, expected: DatasetItem) -> None:
    assert parse_item(text) == expected


def test_an_existing_file_is_not_cut(tmp_path: Path) -> None:
    odd = tmp_path / "a:b#7.jsonl"
    odd.touch()
    assert parse_item(str(odd)).path == odd
    assert parse_item(str(odd)).count == -1
    counted = parse_item(f"{odd}#3")
    assert (counted.path, counted.count) == (odd, 3)


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.jsonl").touch()
    assert parse_item("~/x.jsonl#2").path == tmp_path / "x.jsonl"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alpaca-en#many", "number of rows, not 'many'"),
        ("alpaca-en#0", "number of rows after '#' is 0"),
        ("alpaca-en#-5", "is -5"),
        ("GH::acme/faq", "unknown hub 'GH'"),
        ("HF::", "no name or path"),
        ("  ", "no name or path"),
        (":sub", "no name or path"),
    ],
)
def test_what_cannot_be_understood_is_named(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        parse_item(text)


def test_commas_separate_in_one_item_only(tmp_path: Path) -> None:
    assert [item.source for item in parse_items(["a, b#2,c"])] == ["a", "b", "c"]
    with pytest.raises(DataError, match="commas separate"):
        parse_items(["a,b", "c"])
    with_comma = tmp_path / "a,b.jsonl"
    with_comma.touch()
    assert [item.path for item in parse_items([str(with_comma)])] == [with_comma]
    assert [item.path for item in parse_items([str(with_comma), "c"])] == [with_comma, None]
