from __future__ import annotations

import json
from pathlib import Path

from swift.llm.dataset import prepare
from swift.llm.dataset.statistics import measure

from .rows import ByteEncoder, plan_of, qa, write_jsonl


def test_what_samples_look_like(tmp_path: Path) -> None:
    rows = [
        *qa(20),
        {"query": "question 3", "response": "answer 3"},
        {"query": "", "response": "long " * 30},
        *qa(1, 3),
    ]
    train, val = write_jsonl(tmp_path / "x.jsonl", rows), write_jsonl(tmp_path / "v.jsonl", [*qa(2, 4), *qa(3, 90)])
    plan = plan_of(train, cache=tmp_path, max_length=200, val_dataset=(str(val),))
    found = measure(prepare(plan, ByteEncoder(), progress=False), max_length=200, seed=0)
    assert (found.train.samples, found.train.shortest, found.train.longest) == (23, 22, 154)
    assert sum(count for _, _, count in found.train.bins) == 23
    assert found.train.bins[-1] == (129, 256, 1)
    assert found.duplicates == 2
    assert found.duplicate_rows == (f"{train}:21 as {train}:4", f"{train}:23 as {train}:4")
    assert (found.overlap, found.overlap_rows) == (2, (f"{val}:1", f"{val}:2"))
    assert found.longest[0] == (f"{train}:22", 154)
    assert found.packs is not None
    assert found.efficiency == found.train.tokens / (found.packs * 200)
    text = "\n".join(found.lines())
    assert "turns without text: 1" in text
    assert "129 to 256  ██ 1" in text
    assert json.loads(json.dumps(found.to_json()))["train"]["tokens"] == found.train.tokens


def test_draws_of_one_row_are_no_duplicates(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", qa(20))
    prepared = prepare(
        plan_of(f"{path}#50", cache=tmp_path, packing=True, max_length=64), ByteEncoder(), progress=False
    )
    found = measure(prepared, max_length=64, seed=0)
    assert (found.train.samples, found.duplicates, found.val) == (50, 0, None)
