from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from swift.llm.catalog.rows import DatasetRow
from swift.llm.dataset.source import Source, Unusable, locate
from swift.llm.dataset.syntax import parse_item
from swift.utils.errors import DataError

ROWS = [{"query": "a", "response": "Ä"}, {"query": "b", "response": "2"}, {"query": "c", "response": "3\n"}]


def read(path: Path) -> list[tuple[int, Any]]:
    (source,) = locate(parse_item(str(path)), {}, use_hf=False)
    return [pair for chunk in source.chunks(2) for pair in zip(chunk.lines, chunk.rows, strict=True)]


def test_json_tells_the_line_of_each_row(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('\n[ {"a": 1},\n  {"a":\n 2}, {"a": 3}\n]\n')
    assert read(path) == [(2, {"a": 1}), (3, {"a": 2}), (4, {"a": 3})]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json"])
def test_json_lines_under_either_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('{"a": "\\u2028"}\n\n{"a": "x\u2028y"}\n', encoding="utf-8")
    assert read(path) == [(1, {"a": "\u2028"}), (3, {"a": "x\u2028y"})]


def test_a_list_named_jsonl_is_read_as_a_list(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('[{"a": 1},\n{"a": 2}]')
    assert read(path) == [(1, {"a": 1}), (2, {"a": 2})]


def test_tables_keep_empty_strings_and_count_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('\ufeffsystem,query,response\n,"two\nlines",A\n,Q\n,Q,A\n', encoding="utf-8")
    assert read(path) == [
        (2, {"system": "", "query": "two\nlines", "response": "A"}),
        (4, Unusable("2 fields, the header has 3")),
        (5, {"system": "", "query": "Q", "response": "A"}),
    ]
    tabs = tmp_path / "x.tsv"
    tabs.write_text("query\tresponse\na,b\tc\n")
    assert read(tabs) == [(2, {"query": "a,b", "response": "c"})]


def test_text_is_one_row_a_line(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"one\r\n\n two \n")
    assert read(path) == [(1, {"text": "one"}), (3, {"text": " two "})]


def test_all_formats_give_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("\ufeff" + json.dumps(ROWS), encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    (tmp_path / "b.jsonl").write_bytes(lines)
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(lines))
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, tmp_path / "d.parquet")
    with pa.OSFile(str(tmp_path / "e.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pa.OSFile(str(tmp_path / "f.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    for path in sorted(tmp_path.iterdir()):
        assert [row for _, row in read(path)] == ROWS, path.name
    whole = read(tmp_path)
    assert [row for _, row in whole] == ROWS * 6
    (source,) = locate(parse_item(str(tmp_path)), {}, use_hf=False)
    assert source.num_rows() == 18
    assert [chunk.first for chunk in source.chunks(2)][:4] == [0, 2, 3, 5]


def test_a_folder_is_read_without_its_metadata(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "dataset_info.json").write_text("{}")
    (tmp_path / ".hidden.jsonl").write_text("{}")
    (tmp_path / "README.md").write_text("read me")
    with pytest.raises(DataError, match="no data files in this folder"):
        read(tmp_path)
    (tmp_path / "deep" / "x.jsonl").write_text('{"a": 1}\n')
    assert read(tmp_path) == [(1, {"a": 1})]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.jsonl", b'{"a": 1}\n{"a": \n', r"x\.jsonl:2: not JSON: Expecting value"),
        ("x.json", b'[{"a": 1},\n {"a": tru}]', r"x\.json:2: not valid JSON: .*column 8"),
        ("x.json", b'[{"a": 1},\n {"a": 2', r"x\.json:2: not valid JSON"),
        ("x.json", b'[{"a": 1}\n', r"the list is not closed"),
        ("x.json", b'[{"a": 1},\n]', r"x\.json:2: .*a comma and no row after it"),
        ("x.json", b'[{"a": 1}] 7', r"more after the list"),
        ("x.json", b'{"data": [1],\n "b": 2}', r"holds one JSON object; .*under 'data'"),
        ("x.json", b"3", r"holds int 3; expected a list of rows"),
        ("x.json", b"[]", r"holds no rows"),
        ("x.json", b"", r"holds no rows"),
        ("x.jsonl", b"\n\n", r"holds no rows"),
        ("x.csv", b"query,response\n", r"holds no rows"),
        ("x.csv", b"query,query\na,b\n", r"x\.csv:1: the header names a column twice"),
        ("x.csv", b'query,response\n"a,b\n', r"x\.csv:2: not a table"),
        ("x.jsonl", b'{"a": "\xff"}\n', r"x\.jsonl: not UTF-8 text"),
        ("x.jsonl.gz", b"plain", r"damaged or cut off"),
        ("x.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99)[:-9], r"damaged or cut off"),
        ("x.parquet", b"PAR1 not really", r"not a parquet file"),
        ("x.arrow", b"ARROW1 not really", r"not an Arrow file"),
        ("x.jsonl", b'{"a":' + b"[" * 100_000 + b"\n", r"x\.jsonl:1: nested too deeply"),
    ],
)
def test_a_broken_file_is_told_with_its_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read(path)
    assert "Traceback" not in str(caught.value)


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "alpaca_en_demo.json").touch()
    with pytest.raises(DataError, match=r"no such file. Did you mean .*alpaca_en_demo\.json\?"):
        read(tmp_path / "alpaca_en_dmo.json")
    with pytest.raises(DataError, match=r"There is no folder .*nowhere either"):
        read(tmp_path / "nowhere" / "x.json")


def test_an_unknown_name_suggests_a_registered_one() -> None:
    registry = {"alpaca-en": DatasetRow(name="alpaca-en", ms="a/b")}
    with pytest.raises(DataError, match="unknown data set 'alpaca_em'; did you mean 'alpaca-en'"):
        locate(parse_item("alpaca_em"), registry, use_hf=False)


def test_an_unknown_kind_of_file_lists_the_known(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").touch()
    with pytest.raises(DataError, match=r"not read. Known: \.json, \.jsonl"):
        read(tmp_path / "x.xlsx")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("{}\n")
    path.chmod(0)
    with pytest.raises(DataError, match="no permission to read it"):
        read(path)


def test_a_registered_path_is_relative_to_its_base(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n')
    row = DatasetRow(name="mine", path="x.jsonl", base=str(tmp_path))
    (source,) = locate(parse_item("mine#1"), {"mine": row}, use_hf=False)
    with pytest.raises(DataError, match="mine is a file and has no subsets; leave ':a/b' out"):
        locate(parse_item("mine:a/b"), {"mine": row}, use_hf=False)
    assert (source.files, source.count, source.label) == ((tmp_path / "x.jsonl",), 1, "mine#1")


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    def fingerprint(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return Source("x", DatasetRow(name="x"), (tmp_path / name,)).fingerprint()

    one = fingerprint("a.jsonl", "{}")
    assert fingerprint("b.jsonl", "{}") == one
    assert fingerprint("a.jsonl", "{ }") != one
