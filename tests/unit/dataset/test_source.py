from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import tracemalloc
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from swift.llm.catalog.rows import DatasetRow
from swift.llm.dataset.locate import locate
from swift.llm.dataset.source import Position, Source, Unusable
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
        ("x.json", b'{"data": [1],\n "b": 2}', r"holds one JSON object; .*under 'data'"),
        ("x.json", b"3", r"holds int 3; expected a list of rows"),
        ("x.json", b"rows: 3", r"x\.json:1: not JSON"),
        ("x.json", b"[]", r"holds no rows"),
        ("x.json", b'[{"a": "b', r"not JSON: Unterminated string.*Nothing of it can be read"),
        ("x.json", b"", r"holds no rows"),
        ("x.jsonl", b"\n\n", r"holds no rows"),
        ("x.csv", b"query,response\n", r"holds no rows"),
        ("x.csv", b"query,query\na,b\n", r"x\.csv:1: the header names a column twice"),
        ("x.csv", b"qu\xffery,response\na,b\n", r"x\.csv:1: the header is not UTF-8 \(byte 0xff at offset 2\)"),
        ("x.jsonl.gz", b"plain", r"damaged or cut off"),
        ("x.jsonl.zst", b"plain", r"damaged or cut off"),
        ("x.jsonl.bz2", b"plain", r"damaged or cut off"),
        ("x.jsonl.xz", b"plain", r"damaged or cut off"),
        ("x.csv.gz", gzip.compress(b"query,response\n" * 99, mtime=0)[:12], r"cut off in its header"),
        ("x.parquet", b"PAR1 not really", r"not a parquet file"),
        ("x.parquet", b"", r"not a parquet file"),
        ("x.arrow", b"ARROW1 not really", r"not an Arrow file"),
        ("x.arrow", b"", r"not an Arrow file|cannot be read"),
    ],
)
def test_a_file_of_which_nothing_can_be_read_is_told(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read(path)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        # each list: (line, value), with the beginning of the reason in place of a row that is lost
        ("x.jsonl", b'{"a": 1}\n{"a": \n{"a": 3}\n', [(1, {"a": 1}), (2, "not JSON: Expecting value (column 6"), (3, {"a": 3})]),
        ("x.jsonl", b'{"a": "\xff"}\n{"a": 2}', [(1, "not UTF-8 (byte 0xff at offset 7)"), (2, {"a": 2})]),
        ("x.jsonl", b'{"a": 1},\r\n{"a": 2}{"a": 3}\r\n', [(1, {"a": 1}), (2, {"a": 2}), (2, {"a": 3})]),
        ("x.jsonl", b'{"a": 1}\n[1]\n7\n"x"\nnull\n', [(1, {"a": 1}), (2, [1]), (3, 7), (4, "x"), (5, None)]),
        ("x.jsonl", b"[1, 2]\n[3]\n", [(1, [1, 2]), (2, [3])]),
        ("x.jsonl", b'{\n "a": 1\n}\n{\n "a": 2}\n', [(1, {"a": 1}), (4, {"a": 2})]),
        ("x.jsonl", b'{"a": NaN, "b": -Infinity}\n', [(1, {"a": None, "b": float("-inf")})]),
        ("x.jsonl", b'{"a": 1}\n{"a": ' + b"9" * 5000 + b"}\n", [(1, {"a": 1}), (2, "holds an integer of more than 4,300")]),
        ("x.jsonl", b'{"a": 1, "a": 2}\n', [(1, {"a": 2})]),
        ("x.jsonl", b'{"a": "\\ud83d"}\n{"a": "\\ud83d\\ude00"}\n', [(1, "holds half of a surrogate"), (2, {"a": "\U0001f600"})]),
        ("x.jsonl", b'{"a": "\\u0000"}\n{"a": "\0"}\n', [(1, {"a": "\0"}), (2, "not JSON: Invalid control character")]),
        ("x.jsonl", b'{"a": 1}\n{"a":' + b"[" * 100_000 + b"\n", [(1, {"a": 1}), (2, "nested too deeply")]),
        ("x.json", b'[{"a": 1},\n {"a": tru},\n {"a": 3}]', [(1, {"a": 1}), (2, "not JSON: Expecting value"), (3, {"a": 3})]),
        ("x.json", b'[{"a": 1},\n {"a": "\xff"}]', [(1, {"a": 1}), (2, "not UTF-8 (byte 0xff at offset 19)")]),
        ("x.json", b'[{"a": 1},\n {"a": 2', [(1, {"a": 1}), (2, "the rest of the file cannot be read: not JSON")]),
        ("x.json", b'[{"a": 1}\n', [(1, {"a": 1}), (2, "the rest of the file cannot be read: the list is not closed")]),
        ("x.json", b'[{"a": 1}] 7', [(1, {"a": 1}), (1, "the rest of the file cannot be read: there is more")]),
        ("x.json", b'[{"a": 1},,{"a": 2},\n]', [(1, {"a": 1}), (1, {"a": 2})]),
        ("x.json", b'[[1], 2, "x"]', [(1, [1]), (1, 2), (1, "x")]),
        ("x.json", b'{"a": 1}{"a": 2}', [(1, {"a": 1}), (1, {"a": 2})]),
        ("x.csv", b"a,b\n1,2\n\"x\"y,2\n3,4\n", [(2, {"a": "1", "b": "2"}), (3, "not a row that csv"), (4, {"a": "3", "b": "4"})]),
        ("x.csv", b'a,b\n1,2\n"x,2\n3,4\n', [(2, {"a": "1", "b": "2"}), (3, "a quote is opened and never closed")]),
        ("x.csv", b"a,b\n1,\xff\n3,4\r\n", [(2, "not UTF-8 (byte 0xff at offset 6)"), (3, {"a": "3", "b": "4"})]),
        ("x.csv", b"a,b\n\n1\n1,2,3\n", [(3, "1 fields, the header has 2"), (4, "3 fields")]),
        ("x.txt", b"a\0b\n\xe4\n", [(1, {"text": "a\0b"}), (2, "not UTF-8 (byte 0xe4 at offset 4)")]),
    ],
)  # fmt: skip
def test_a_broken_row_costs_itself_alone(
    tmp_path: Path, name: str, content: bytes, rows: list[tuple[int, Any]]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    found = read(path)
    assert [line for line, _ in found] == [line for line, _ in rows]
    for (_, value), (_, expected) in zip(found, rows, strict=True):
        if isinstance(value, Unusable):
            assert value.reason.startswith(expected)
        else:
            assert value == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv.gz"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, name: str, encoding: str) -> None:
    text = {"x.jsonl": '{"a": "Ä"}\n{"a": "b"}\n', "x.json": '[{"a": "Ä"},\n{"a": "b"}]', "x.csv.gz": "a\nÄ\nb\n"}[name]
    data = text.encode(encoding) if encoding != "utf-16-be" else b"\xfe\xff" + text.encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert [row for _, row in read(tmp_path / name)] == [{"a": "Ä"}, {"a": "b"}]


def compressed(data: bytes, suffix: str) -> bytes:
    if suffix == ".zst":
        return pa.compress(data, codec="zstd", asbytes=True)  # type: ignore[no-any-return]
    return {".gz": gzip.compress, ".bz2": lambda d: bz2.compress(d, 1), ".xz": lzma.compress}[suffix](data)


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".bz2", ".xz"])
def test_a_file_cut_off_gives_the_rows_before_the_cut(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"a": i, "b": hashlib.sha256(str(i).encode()).hexdigest()} for i in range(8_000)]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    whole = tmp_path / f"x.jsonl{suffix}"
    whole.write_bytes(compressed(data, suffix))
    assert [row for _, row in read(whole)] == rows
    cut = tmp_path / f"cut.jsonl{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with caplog.at_level("WARNING", "swift"):
        found = read(cut)
    assert 2000 < len(found) < 5000
    assert [row for _, row in found[:-1]] == rows[: len(found) - 1]
    assert found[-1][0] == len(found)
    assert "the rest of the file cannot be read: the compressed file is damaged" in found[-1][1].reason
    source = Source("x", DatasetRow(name="x"), (cut,))
    assert source.num_rows() == len(found)


def text_files(tmp_path: Path) -> list[Path]:
    """One file of each reader; each has 30 rows, one of them broken where the format allows."""
    rows = [{"a": i, "b": "zeile\nä" * (i % 4)} for i in range(30)]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    lines[7] = lines[7].replace(":", ";")
    lines[9:11] = [lines[9] + " " + lines[10]]
    (tmp_path / "a.jsonl").write_text("\ufeff" + "\n\n".join(lines), encoding="utf-8")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress("\r\n".join(lines).encode()))
    (tmp_path / "c.json").write_text(
        "[\n" + ",\n".join(lines[:9] + lines[10:]) + ",\n" + lines[1] + "]", encoding="utf-16"
    )
    (tmp_path / "d.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    table = "a,b\n" + "".join(f'{i},"{row["b"]}"\n' for i, row in enumerate(rows[1:])) + "1,2,3\n"
    (tmp_path / "e.csv").write_text(table, encoding="utf-8")
    (tmp_path / "f.txt").write_text("".join(f"zeile {i}\n" for i in range(30)))
    arrow = pa.Table.from_pylist(rows)
    pq.write_table(arrow, tmp_path / "g.parquet", row_group_size=7)
    with pa.OSFile(str(tmp_path / "h.arrow"), "wb") as sink, pa.ipc.new_stream(sink, arrow.schema) as writer:
        writer.write_table(arrow, max_chunksize=8)
    with pa.OSFile(str(tmp_path / "i.arrow"), "wb") as sink, pa.ipc.new_file(sink, arrow.schema) as writer:
        writer.write_table(arrow, max_chunksize=8)
    return sorted(tmp_path.iterdir())


def test_a_stream_goes_on_from_every_place(tmp_path: Path) -> None:
    paths = text_files(tmp_path)
    for path in paths:
        source = Source(path.name, DatasetRow(name="x"), (path,))
        whole = list(source.stream())
        assert len(whole) in (29, 30), path
        assert [at.row for at, _, _ in whole] == list(range(1, len(whole) + 1))
        assert [(line, row) for _, line, row in whole] == read(path), path
        for number, (at, _, _) in enumerate(whole, 1):
            again = Position(**json.loads(json.dumps(asdict(at))))
            assert list(source.stream(again)) == whole[number:], (path, number)
    together = Source("all", DatasetRow(name="x"), tuple(paths))
    whole = list(together.stream())
    assert whole[-1][0].row == together.num_rows() == len(whole)
    for number in range(1, len(whole), 17):
        assert list(together.stream(whole[number - 1][0])) == whole[number:]


def test_a_broken_end_is_not_given_twice(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"a": 1},\n {"a": "')
    (tmp_path / "b.json").write_text('[{"a": 2}]')
    source = Source("x", DatasetRow(name="x"), (tmp_path / "a.json", tmp_path / "b.json"))
    whole = list(source.stream())
    assert [line for _, line, _ in whole] == [1, 2, 1]
    assert list(source.stream(whole[1][0])) == whole[2:]


def test_a_large_row_and_a_row_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = {"a": "ä" * 6_000_000}
    (tmp_path / "x.jsonl").write_text(json.dumps(large) + "\n" + '{"a": 2}\n')
    (tmp_path / "x.json").write_text(json.dumps([large, {"a": 2}], ensure_ascii=False), encoding="utf-8")
    (tmp_path / "x.csv").write_text("a\n" + large["a"] + "\n2\n", encoding="utf-8")
    for name in ("x.jsonl", "x.json", "x.csv"):
        assert len(read(tmp_path / name)[0][1]["a"]) == 6_000_000
    for module in ("content", "values", "table"):
        monkeypatch.setattr(f"swift.llm.dataset.readers.{module}.MAX_ROW", 1 << 20)
    for name in ("x.jsonl", "x.csv"):
        (line, first), second = read(tmp_path / name)
        assert isinstance(first, Unusable)
        assert "longer than 1 MiB" in first.reason
        assert second == (line + 1, {"a": 2} if name == "x.jsonl" else {"a": "2"})
    with pytest.raises(DataError, match="longer than 1 MiB"):
        read(tmp_path / "x.json")


def test_memory_is_that_of_a_block_not_of_the_file(tmp_path: Path) -> None:
    row = '{"a": "' + "x" * 1000 + '"}'
    (tmp_path / "x.json").write_text("[" + ",\n".join([row] * 20_000) + "]")
    (tmp_path / "x.jsonl").write_text("\n".join([row] * 20_000))
    for name in ("x.json", "x.jsonl"):
        source = Source(name, DatasetRow(name="x"), (tmp_path / name,))
        tracemalloc.start()
        assert sum(1 for _ in source.stream()) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 6 << 20, name


def test_a_damaged_row_group_costs_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [f"{i:099}" for i in range(300)]}), path, row_group_size=100, use_dictionary=False)
    data = bytearray(path.read_bytes())
    begin = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    data[begin : begin + 40] = b"\xff" * 40
    path.write_bytes(data)
    found = read(path)
    assert [line for line, _ in found] == list(range(1, 301))
    assert [line for line, row in found if isinstance(row, Unusable)] == list(range(101, 201))


def test_what_python_cannot_hold_is_lost_alone(tmp_path: Path) -> None:
    texts = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffc")]
    )
    pq.write_table(pa.table({"a": texts, "b": [1.0, float("nan"), float("nan")]}), tmp_path / "x.parquet")
    first, second, third = read(tmp_path / "x.parquet")
    assert first == (1, {"a": "a", "b": 1.0})
    assert "UnicodeDecodeError" in second[1].reason
    assert third == (3, {"a": "c", "b": None})


def test_a_saved_data_set_gives_its_train_split(tmp_path: Path) -> None:
    for split in ("test", "train"):
        (tmp_path / "saved" / split).mkdir(parents=True)
        with pa.OSFile(str(tmp_path / "saved" / split / "data-00000-of-00001.arrow"), "wb") as sink:
            table = pa.table({"a": [split]})
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
        (tmp_path / "saved" / split / "cache-123.arrow").write_bytes(b"left by map")
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
        (tmp_path / "saved" / split / "state.json").write_text(json.dumps(state))
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    assert read(tmp_path / "saved") == [(1, {"a": "train"})]
    assert read(tmp_path / "saved" / "test") == [(1, {"a": "test"})]
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["test", "dev"]}')
    with pytest.raises(DataError, match="has the splits test, dev, and train is not among them"):
        read(tmp_path / "saved")


def test_a_pattern_takes_the_files_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "deep").mkdir(parents=True)
    for name in ("data/b.jsonl", "data/a.jsonl", "data/c.md", "data/deep/d.jsonl"):
        (tmp_path / name).write_text(json.dumps({"a": name}))
    found = {}
    for text in ("data/*.jsonl#5", "data/[ac].*", "data/**/*.jsonl"):
        (source,) = locate(parse_item(text), {}, use_hf=False)
        found[text] = [path.name for path in source.files]
        assert source.count == (5 if "#" in text else -1)
    assert found == {
        "data/*.jsonl#5": ["a.jsonl", "b.jsonl"],
        "data/[ac].*": ["a.jsonl"],
        "data/**/*.jsonl": ["a.jsonl", "b.jsonl", "d.jsonl"],
    }
    with pytest.raises(DataError, match=r"data/\*\.csv: no data file matches this pattern"):
        locate(parse_item("data/*.csv"), {}, use_hf=False)
    with pytest.raises(DataError, match=r"matches 1 others, such as data/c\.md"):
        locate(parse_item("data/*.md"), {}, use_hf=False)


def test_a_registered_name_goes_before_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x.jsonl").write_text("{}")
    (tmp_path / "y.jsonl").write_text("{}")
    row = DatasetRow(name="mine", path=str(tmp_path / "y.jsonl"))
    assert locate(parse_item("mine"), {"mine": row}, use_hf=False)[0].files == (tmp_path / "y.jsonl",)
    assert locate(parse_item("./mine"), {"mine": row}, use_hf=False)[0].files == (Path("mine/x.jsonl"),)
    with pytest.raises(DataError, match="is a path and has no subsets"):
        locate(parse_item("y.jsonl:a"), {}, use_hf=False)


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
