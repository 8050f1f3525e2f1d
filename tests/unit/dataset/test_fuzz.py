"""Broken files through the real reader, the row parser and ``prepare``: nothing crashes, and every row is accounted for."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swift.llm.catalog.rows import DatasetRow
from swift.llm.core import Conversation, Place
from swift.llm.dataset import prepare
from swift.llm.dataset.columns import RowParser
from swift.llm.dataset.readers import KINDS
from swift.llm.dataset.source import Source, Unusable
from swift.llm.plan.plans import DataPlan
from swift.utils.errors import DataError

from .rows import ByteEncoder

FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
GOOD = [{"query": f"question {i}", "response": f"Antwort ä {i}"} for i in range(6)]


def account(path: Path) -> tuple[int, int] | None:
    """Read a file in every way that training does; (rows kept, rows lost), or None where it cannot be read at all."""
    source = Source(path.name, DatasetRow(name="x"), (path,))
    try:
        rows = [
            (line, values) for chunk in source.chunks(3) for line, values in zip(chunk.lines, chunk.rows, strict=True)
        ]
    except DataError:
        with pytest.raises(DataError, match=re.escape(path.name)):
            source.num_rows()
        return None
    assert source.num_rows() == len(rows)
    streamed = list(source.stream())
    assert [line for _, line, _ in streamed] == [line for line, _ in rows]
    assert [at.row for at, _, _ in streamed] == list(range(1, len(rows) + 1))
    for at, _, _ in streamed[:: max(len(streamed) // 4, 1)]:
        assert len(list(source.stream(at))) == len(rows) - at.row
    parser = RowParser(source.row)
    lost = 0
    for line, values in rows:
        parsed = parser.parse(values, Place(str(path), line))
        if not isinstance(parsed, Conversation):
            assert parsed.reason
            lost += 1
        assert lost or not isinstance(values, Unusable)
    plan = DataPlan(dataset=(str(path),), cache_dir=str(path.parent / "cache"), max_lost_ratio=1.0)
    try:
        report = prepare(plan, ByteEncoder(), progress=False).report
    except DataError:
        assert lost == len(rows)  # a file of which no row can be used is told once
        return 0, lost
    (told,) = report.sources
    assert (told.read, told.kept) == (len(rows), len(rows) - lost)
    assert len(report.ledger) == lost
    for line in report.ledger:
        assert (line.source, line.action) == (str(path), "lost")
        assert line.line >= 1
        assert line.reason
        json.dumps(line.to_json(), ensure_ascii=False).encode()
    return told.kept, lost


def lines(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def table(rows: list[Any]) -> bytes:
    return ("query,response\n" + "".join(f'{row["query"]},"{row["response"]}"\n' for row in rows)).encode()


def parquet(rows: list[Any]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=2)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def arrow(rows: list[Any]) -> bytes:
    sink = pa.BufferOutputStream()
    data = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write_table(data, max_chunksize=2)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def in_a_row(text: str) -> bytes:
    return lines(GOOD[:2]) + b'{"query": "q", "response": "r", "other": ' + text.encode() + b"}\n" + lines(GOOD[2:])


DEEP = "[" * 600 + "]" * 600

CORPUS: dict[str, tuple[bytes, tuple[int, int] | None]] = {
    # name: content, (kept, lost)
    "whole.jsonl": (lines(GOOD), (6, 0)),
    "empty.jsonl": (b"", None),
    "blank.json": (b" \n\t", None),
    "only-a-mark.jsonl": (b"\xef\xbb\xbf", None),
    "only-a-wide-mark.csv": (b"\xff\xfe", None),
    "zeros.jsonl": (b"\0" * 4096, (0, 1)),
    "header-only.csv": (b"query,response\n", None),
    "mark.jsonl": (b"\xef\xbb\xbf" + lines(GOOD), (6, 0)),
    "wide.jsonl": (lines(GOOD).decode().encode("utf-16"), (6, 0)),
    "wide-odd.jsonl": (lines(GOOD).decode().encode("utf-16")[:-3], (5, 1)),
    "wide-unmarked.jsonl": (lines(GOOD).decode().encode("utf-16-le"), None),
    "crlf.jsonl": (lines(GOOD).replace(b"\n", b"\r\n"), (6, 0)),
    "crlf.csv": (table(GOOD).replace(b"\n", b"\r\n"), (6, 0)),
    "old-mac.csv": (table(GOOD).replace(b"\n", b"\r"), None),
    "latin.jsonl": (lines(GOOD[:3]) + lines(GOOD[3:]).decode().encode("latin-1"), (3, 3)),
    "latin.csv": (table(GOOD[:3]) + b"q,\xe4\nq,r\n", (4, 1)),
    "latin.json": (b'[{"text": "\xe4"}, {"text": "a"}]', (1, 1)),
    "nan.jsonl": (in_a_row("NaN"), (7, 0)),
    "infinite.jsonl": (in_a_row("-Infinity"), (7, 0)),
    "nan-answer.jsonl": (b'{"query": "q", "response": NaN}\n' + lines(GOOD), (6, 1)),
    "nested-nulls.jsonl": (in_a_row('[null, {"a": null, "b": [null]}]'), (7, 0)),
    "null-turns.jsonl": (b'{"messages": [null, {"role": null, "content": null}]}\n{"messages": null}\n' + lines(GOOD), (6, 2)),
    "huge-integer.jsonl": (in_a_row("1" + "0" * 4000), (7, 0)),
    "huger-integer.jsonl": (in_a_row("1" + "0" * 5000), (6, 1)),
    "huge-float.jsonl": (in_a_row("1e999999"), (7, 0)),
    "deep.jsonl": (in_a_row(DEEP), (7, 0)),
    "deeper.jsonl": (in_a_row("[" * 100_000), (6, 1)),
    "wrong-types.jsonl": (b'{"query": 3, "response": {"a": 1}}\n[]\n7\nnull\n"x"\ntrue\n' + lines(GOOD), (6, 6)),
    "twice.jsonl": (b'{"query": "a", "query": "b", "response": "c"}\n', (1, 0)),
    "half-pair.jsonl": (b'{"query": "\\ud83d", "response": "a"}\n' + lines(GOOD), (6, 1)),
    "half-key.jsonl": (b'{"\\udead": 1, "query": "a", "response": "a"}\n' + lines(GOOD), (6, 1)),
    "half-raw.jsonl": (b'{"query": "\xed\xa0\x80", "response": "a"}\n' + lines(GOOD), (6, 1)),
    "nul.jsonl": (b'{"query": "a\\u0000b", "response": "a"}\n{"query": "\0", "response": "a"}\n' + lines(GOOD), (7, 1)),
    "nul.csv": (table(GOOD) + b"a\0b,c\n", (7, 0)),
    "commas.jsonl": (lines(GOOD).replace(b"}\n", b"},\n"), (6, 0)),
    "joined.jsonl": (lines(GOOD).replace(b"}\n", b"}"), (6, 0)),
    "joined.json": (lines(GOOD).replace(b"}\n", b"} "), (6, 0)),
    "pretty.jsonl": ("\n".join(json.dumps(row, indent=2) for row in GOOD).encode(), (6, 0)),
    "list.jsonl": (json.dumps(GOOD).encode(), (6, 0)),
    "object.json": (json.dumps({"data": GOOD}).encode(), None),
    "lists.json": (json.dumps([[1, 2], ["a"], []]).encode(), (0, 3)),
    "lists-and-rows.json": (json.dumps([[1], *GOOD]).encode(), (6, 1)),
    "cut.json": (json.dumps(GOOD).encode()[:-20], (5, 1)),
    "open.json": (json.dumps(GOOD).encode()[:-1], (6, 1)),
    "more.json": (json.dumps(GOOD).encode() + b"x", (6, 1)),
    "quotes.json": (b"[{'query': 'a', 'response': 'b'}, " + json.dumps(GOOD).encode()[1:], (6, 1)),
    "ragged.csv": (table(GOOD) + b"a\na,b,c\n\n,\n", (6, 3)),
    "open-quote.csv": (table(GOOD) + b'"a,b\nc,d\n', (6, 1)),
    "bad-quote.csv": (table(GOOD) + b'"a"b,c\nd,e\n', (7, 1)),
    "large.jsonl": (lines([{"query": "q", "response": "x" * 10_000_000}, *GOOD]), (7, 0)),
    "large.json": (json.dumps([{"query": "q", "response": "x" * 10_000_000}, *GOOD]).encode(), (7, 0)),
    "cut.jsonl": (lines(GOOD)[:-9], (5, 1)),
    "cut.jsonl.gz": (gzip.compress(lines(GOOD * 2000))[:-600], None),  # how many are kept is zlib's business
    "damaged.csv.gz": (gzip.compress(table(GOOD * 2000))[:2000] + b"\xff" * 99, None),
    "checksum.jsonl.gz": (gzip.compress(lines(GOOD))[:-8] + b"\0" * 8, (6, 1)),
    "two.jsonl.gz": (gzip.compress(lines(GOOD)) * 2, (12, 0)),
    "tail.jsonl.gz": (gzip.compress(lines(GOOD)) + b"garbage behind", (6, 1)),
    "not.jsonl.gz": (lines(GOOD), None),
    "empty.jsonl.gz": (b"", None),
    "cut.jsonl.xz": (lzma.compress(lines(GOOD))[:-30], (6, 1)),
    "whole.jsonl.zst": (pa.compress(lines(GOOD), codec="zstd", asbytes=True), (6, 0)),
    "whole.csv.bz2": (bz2.compress(table(GOOD)), (6, 0)),
    "cut.jsonl.bz2": (bz2.compress(lines(GOOD))[:-9], (6, 1)),
    "whole.parquet": (parquet(GOOD), (6, 0)),
    "cut.parquet": (parquet(GOOD)[:-30], None),
    "whole.arrow": (arrow(GOOD), (6, 0)),
    "cut.arrow": (arrow(GOOD)[:-200], None),
    "empty.parquet": (b"", None),
    "empty.arrow": (b"", None),
    "zeros.arrow": (b"\0" * 512, None),
    "binary.txt": (bytes(range(256)) * 4, None),
}  # fmt: skip
_UNSURE = {"cut.jsonl.gz", "damaged.csv.gz", "cut.arrow", "binary.txt", "cut.jsonl.xz", "wide-unmarked.jsonl"}


@pytest.mark.parametrize("name", CORPUS)
def test_the_corpus_of_broken_files(tmp_path: Path, name: str) -> None:
    content, expected = CORPUS[name]
    (tmp_path / name).write_bytes(content)
    found = account(tmp_path / name)
    assert name in _UNSURE or found == expected


def test_a_shape_of_every_kind_is_in_the_corpus() -> None:
    assert {kind for kind in KINDS if any(kind in name for name in CORPUS)} >= set(KINDS) - {".ndjson", ".tsv"}


KEYS = st.sampled_from(
    ["query", "response", "messages", "conversations", "system", "history", "text", "role", "content", "x"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("user") | st.just("assistant"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
ROW = st.fixed_dictionaries({"query": st.text(max_size=9), "response": st.text(min_size=1, max_size=9)})


@FUZZ
@given(
    rows=st.lists(VALUES | ROW | st.dictionaries(KEYS, VALUES, max_size=5), max_size=8),
    indent=st.sampled_from([None, 1]),
)
def test_json_of_any_shape(tmp_path_factory: pytest.TempPathFactory, rows: list[Any], indent: int | None) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "x.json").write_text(json.dumps(rows, indent=indent))
    found = account(folder / "x.json")
    assert (found is None) == (not rows)
    assert found is None or sum(found) == len(rows)
    (folder / "y.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=True) for row in [*GOOD[:1], *rows]))
    found = account(folder / "y.jsonl")
    assert found is not None
    assert sum(found) == len(rows) + 1


WRITERS: list[tuple[str, Callable[[list[Any]], bytes]]] = [
    ("x.jsonl", lines), ("x.json", lambda rows: json.dumps(rows, indent=1).encode()), ("x.csv", table), ("x.txt", lines),
    ("x.jsonl.gz", lambda rows: gzip.compress(lines(rows))), ("x.csv.xz", lambda rows: lzma.compress(table(rows))),
    ("x.jsonl.zst", lambda rows: pa.compress(lines(rows), codec="zstd", asbytes=True)),
    ("x.json", lambda rows: json.dumps(rows).encode("utf-16")), ("x.parquet", parquet), ("x.arrow", arrow),
]  # fmt: skip


@FUZZ
@given(
    writer=st.sampled_from(WRITERS),
    cut=st.none() | st.integers(0, 2000),
    edits=st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=4), st.integers(0, 3)), max_size=4),
)
def test_files_that_were_cut_and_overwritten(
    tmp_path_factory: pytest.TempPathFactory,
    writer: tuple[str, Callable[[list[Any]], bytes]],
    cut: int | None,
    edits: list[tuple[int, bytes, int]],
) -> None:
    name, write = writer
    data = write(GOOD)[:cut]
    for at, new, length in edits:
        at %= len(data) + 1
        data = data[:at] + new + data[at + length :]
    path = tmp_path_factory.mktemp("fuzz") / name
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = account(path)
    assert found is None or sum(found) > 0


@FUZZ
@given(data=st.binary(max_size=200), kind=st.sampled_from([*KINDS, ".jsonl.gz", ".csv.zst", ".json.bz2", ".txt.xz"]))
def test_any_bytes_under_any_name(tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: str) -> None:
    path = tmp_path_factory.mktemp("fuzz") / f"x{kind}"
    path.write_bytes(data)
    found = account(path)
    assert found is None or sum(found) > 0


@FUZZ
@given(
    text=st.text(alphabet='{}[]",:\\ \nab1\ud800', max_size=60),
    kind=st.sampled_from([".json", ".jsonl", ".csv", ".tsv"]),
)
def test_texts_made_of_the_marks_of_the_formats(tmp_path_factory: pytest.TempPathFactory, text: str, kind: str) -> None:
    path = tmp_path_factory.mktemp("fuzz") / f"x{kind}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = account(path)
    assert found is None or sum(found) > 0
    path.write_bytes(b'[{"text": "a"},\n' + text.encode("utf-8", "surrogatepass"))
    found = account(path)
    assert found is None or sum(found) > 0


def test_a_reader_closes_its_file(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(lines(GOOD))
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        next(Source("x", DatasetRow(name="x"), (tmp_path / "x.jsonl",)).stream())
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after <= before + 1
