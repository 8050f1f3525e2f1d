from __future__ import annotations

import json
from pathlib import Path

import pytest

from swift.llm.dataset import prepare
from swift.utils.errors import DataError

from .rows import ByteEncoder, plan_of, qa, text_of, write_jsonl


def test_rows_are_encoded_when_they_are_used(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", [*qa(50), {"query": "Q", "response": ""}])
    plan = plan_of(path, cache=tmp_path, lazy=True, test_ratio=0.1)
    eager = prepare(plan_of(path, cache=tmp_path, test_ratio=0.1), ByteEncoder(), progress=False)
    encoder = ByteEncoder()
    lazy = prepare(plan, encoder, progress=False)
    assert encoder.rows_encoded == 3  # the rows that are shown first
    assert [text_of(lazy.train[i]) for i in range(45)] == [text_of(eager.train[i]) for i in range(45)]
    assert lazy.train.place(7) == eager.train.place(7)
    assert lazy.report.sources[0].lost == {"empty answer": 1}
    (store,) = lazy.train.lazy
    assert (store.used, store.lost) == (45, 0)
    assert prepare(plan, ByteEncoder(), progress=False).report.lines()[0] == lazy.report.lines()[0]


def test_a_lost_row_is_a_sample_without_loss_and_one_line(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", [*qa(5), {"query": "Q" * 99, "response": "A"}])
    train = prepare(plan_of(path, cache=tmp_path, lazy=True, shuffle=False), ByteEncoder(40), progress=False).train
    (store,) = train.lazy
    store.append_to(tmp_path / "ledger")
    for _ in range(2):
        assert [len(train[i]) for i in range(6)] == [len(f"uquestion {i}\naanswer {i}\n") for i in range(5)] + [1]
        assert not train[5].trained.any()
    (line,) = map(json.loads, (tmp_path / "ledger").read_text().splitlines())
    assert (line["line"], line["reason"], line["tokens"]) == (6, "104 tokens, limit 40", 104)
    assert store.report() == "x.jsonl: of 6 rows 6 were used, 1 of them without loss (see the ledger)"


def test_too_many_lost_rows_stop_the_run(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", qa(400))
    lost = prepare(plan_of(path, cache=tmp_path, lazy=True, shuffle=False), ByteEncoder(5), progress=False).train
    with pytest.raises(DataError, match=r"256 of the 256 rows that were used so far .* --max_lost_ratio 0\.5"):
        [lost[i] for i in range(400)]
    strict = plan_of(path, cache=tmp_path, lazy=True, strict=True)
    with pytest.raises(DataError, match="limit 5, and --strict_data is true"):
        prepare(strict, ByteEncoder(5), progress=False)
