from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swift.llm.core import Conversation, Dropped, Encoded
from swift.llm.dataset.stream import StreamedRows, prepare_stream
from swift.llm.plan.plans import DataPlan
from swift.utils.errors import CheckpointError, DataError


class Letters:
    """One token a character of the answer; texts of x alone are too long for it."""

    fingerprint = "letters"

    def encode_batch(self, conversations: Sequence[Conversation]) -> list[Encoded | Dropped]:
        out: list[Encoded | Dropped] = []
        for conversation in conversations:
            text = conversation.messages[-1].content
            if text.startswith("x"):
                out.append(Dropped("9 tokens, limit 8", conversation.place, 9))
                continue
            ids = np.array([ord(letter) for letter in text], np.int32)
            trained = np.ones(len(ids), np.bool_)
            trained[0] = False
            out.append(Encoded(ids, trained))
        return out


def text_of(unit: Any) -> list[str]:
    units = [unit] if isinstance(unit, Encoded) else unit
    return ["".join(map(chr, sample.input_ids)) for sample in units]


def taken(stream: StreamedRows, num_batches: int, start: int = 0) -> list[list[str]]:
    return [
        [text for unit in stream.batch(number) for text in text_of(unit)]
        for number in range(start, start + num_batches)
    ]


@pytest.fixture
def opened() -> Iterator[Any]:
    streams: list[StreamedRows] = []

    def make(*files: Path, batch_size: int = 4, **settings: Any) -> Any:
        plan = DataPlan(
            dataset=tuple(map(str, files)), streaming=True, **{"stream_buffer": 50, "max_length": 64, **settings}
        )
        prepared = prepare_stream(plan, Letters(), batch_size=batch_size)
        streams.append(prepared.train)
        return prepared

    yield make
    for stream in streams:
        stream.close()


def written(folder: Path, name: str, texts: Sequence[str]) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return written(tmp_path, "rows.jsonl", [f"row-{i}" for i in range(430)])


def test_a_pass_gives_every_row_once_and_another_one_follows_in_another_order(opened: Any, rows: Path) -> None:
    batches = taken(opened(rows, batch_size=10).train, 86)
    first, second = batches[:43], batches[43:]
    one, two = ([text for batch in half for text in batch] for half in (first, second))
    assert sorted(one) == sorted(two) == sorted(f"row-{i}" for i in range(430))
    assert len({tuple(one), tuple(two), tuple(f"row-{i}" for i in range(430))}) == 3


def test_without_shuffling_rows_come_in_the_order_of_the_file(opened: Any, rows: Path) -> None:
    batches = taken(opened(rows, batch_size=43, shuffle=False).train, 11)
    assert [text for batch in batches for text in batch] == [f"row-{i % 430}" for i in range(473)]


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("stop", [1, 12, 13, 40, 90])
def test_it_goes_on_from_any_batch_as_if_it_had_not_stopped(opened: Any, rows: Path, stop: int, packing: bool) -> None:
    whole = opened(rows, packing=packing)
    expected = taken(whole.train, 120)
    first = opened(rows, packing=packing).train
    assert taken(first, stop) == expected[:stop]
    place = json.loads(json.dumps(first.state_before(stop)))
    again = opened(rows, packing=packing).train
    again.go_to(stop, place)
    assert again.fingerprint == first.fingerprint
    assert taken(again, 120 - stop, stop) == expected[stop:]


def test_the_place_of_a_batch_is_known_when_later_ones_were_read_ahead(opened: Any, rows: Path) -> None:
    stream = opened(rows).train
    batches = taken(stream, 60)
    place = stream.state_before(31)
    again = opened(rows).train
    again.go_to(31, place)
    assert taken(again, 29, 31) == batches[31:]


def test_packs_hold_no_more_than_their_room_and_no_row_is_split_or_lost(opened: Any, tmp_path: Path) -> None:
    texts = ["abcdefghij"[: 1 + i % 9] for i in range(300)]
    stream = opened(
        written(tmp_path, "rows.jsonl", texts), packing=True, max_length=16, stream_buffer=300, batch_size=1
    )
    blocks = [stream.train.batch(i) for i in range(40)]
    sizes = [sum(len(sample) for sample in unit) for batch in blocks for unit in batch]
    assert max(sizes) <= 16
    assert sum(sizes) / (16 * len(sizes)) > 0.98


def test_sources_take_turns_and_the_shorter_one_waits_for_the_longer(opened: Any, tmp_path: Path) -> None:
    a = written(tmp_path, "a.jsonl", [f"a{i}" for i in range(3)])
    b = written(tmp_path, "b.jsonl", [f"b{i}" for i in range(6)])
    batch = taken(opened(a, b, batch_size=18, shuffle=False).train, 1)[0]
    one_pass = ["a0", "b0", "a1", "b1", "a2", "b2", "b3", "b4", "b5"]
    assert batch == one_pass * 2


def test_one_after_the_other_and_by_weights(opened: Any, tmp_path: Path) -> None:
    a = written(tmp_path, "a.jsonl", [f"a{i}" for i in range(3)])
    b = written(tmp_path, "b.jsonl", [f"b{i}" for i in range(6)])
    plain = {"batch_size": 9, "shuffle": False}
    assert taken(opened(a, b, **plain, mix_strategy="concat").train, 1)[0] == [
        "a0", "a1", "a2", "b0", "b1", "b2", "b3", "b4", "b5"
    ]  # fmt: skip
    assert taken(opened(a, b, **plain, mix_strategy="interleave_over", weights=(1.0, 2.0)).train, 2) == [
        ["b0", "a0", "b1", "b2", "a1", "b3", "b4", "a2", "b5"], ["b0", "a0", "b1", "b2", "a1", "b3", "b4", "a2", "b5"]
    ]  # fmt: skip
    batch = taken(opened(a, b, **plain, mix_strategy="interleave_over", weights=(2.0, 1.0)).train, 1)[0]
    assert [text for text in batch if text.startswith("a")] == ["a0", "a1", "a2", "a0", "a1", "a2"]


def test_a_count_bounds_a_pass(opened: Any, rows: Path) -> None:
    batch = taken(opened(Path(f"{rows}#5"), batch_size=12, shuffle=False).train, 1)[0]
    assert batch == [f"row-{i % 5}" for i in range(12)]


def test_rows_for_validation_are_taken_from_the_start_and_never_trained(opened: Any, rows: Path) -> None:
    prepared = opened(rows, stream_val=30, batch_size=10)
    held = [text for i in range(len(prepared.val)) for text in text_of(prepared.val[i])]
    assert held == [f"row-{i}" for i in range(30)]
    assert prepared.val.lengths.tolist() == [5] * 10 + [6] * 20
    trained = [text for batch in taken(prepared.train, 80) for text in batch]
    assert set(trained) == {f"row-{i}" for i in range(30, 430)}
    assert len(trained) == 2 * 400


def test_every_row_is_accounted_for_once_over_stop_and_resume(opened: Any, tmp_path: Path) -> None:
    texts = ["x" if i % 7 == 0 else "" if i % 11 == 0 else f"row-{i}" for i in range(1000)]
    path = written(tmp_path, "rows.jsonl", texts)
    ledger = tmp_path / "ledger.jsonl"
    expected = {i + 1 for i, text in enumerate(texts) if not text.startswith("row")}

    whole = opened(path, batch_size=10).train
    whole.write_ledger_to(ledger)
    taken(whole, 200)
    once = ledger.read_text()
    lines = [json.loads(line) for line in once.splitlines()]
    assert sorted(line["line"] for line in lines) == sorted(expected)
    assert f"read 1,000, kept {1000 - len(expected):,}, lost {len(expected):,}" in whole.report()

    ledger.unlink()
    first = opened(path, batch_size=10).train
    first.write_ledger_to(ledger)
    taken(first, 33)
    place = first.state_before(20)  # saved at 20, killed at 33: what 33 had written is written again, not twice
    again = opened(path, batch_size=10).train
    again.go_to(20, place)
    again.write_ledger_to(ledger)
    taken(again, 180, 20)
    assert ledger.read_text() == once
    assert again.report() == whole.report()


def test_a_few_bad_rows_at_the_end_of_a_pass_stop_nothing_and_a_bad_block_does(opened: Any, tmp_path: Path) -> None:
    good = [f"row-{i}" for i in range(256)]
    few = opened(written(tmp_path, "few.jsonl", [*good, "x", "x"]), batch_size=64, stream_buffer=512).train
    assert len({text for batch in taken(few, 8) for text in batch}) == 256
    assert "read 258, kept 256, lost 2" in few.report()
    many = opened(written(tmp_path, "many.jsonl", [*good, *["x"] * 600]), batch_size=64, stream_buffer=512).train
    with pytest.raises(DataError, match=r"rows lost|over --max_length"):
        taken(many, 8)


def test_what_cannot_be_used_at_all_is_said_before_training(opened: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"all 8 rows lost|over --max_length"):
        opened(written(tmp_path, "rows.jsonl", ["x"] * 8))
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"foo": "a", "bar": "b"}\n' * 3)
    with pytest.raises(DataError, match=r"(?s)wrong.jsonl: no known columns.*rows are all lost this way.*Known shapes"):
        opened(wrong)
    with pytest.raises(DataError, match="no row"):
        empty = tmp_path / "empty.jsonl"
        empty.write_text("")
        opened(empty)


def test_other_data_another_seed_and_another_batch_size_are_another_stream(
    opened: Any, rows: Path, tmp_path: Path
) -> None:
    one = opened(rows).train.fingerprint
    other = written(tmp_path, "other.jsonl", [f"row-{i}" for i in range(430)][::-1])
    others = [
        opened(rows, seed=1), opened(rows, packing=True), opened(rows, batch_size=5), opened(rows, stream_val=3), opened(other)
    ]  # fmt: skip
    assert len({one, *(prepared.train.fingerprint for prepared in others)}) == 6


def test_a_place_of_something_else_is_refused(opened: Any, rows: Path) -> None:
    with pytest.raises(CheckpointError, match="no place"):
        opened(rows).train.go_to(3, {"epoch": 1})


def test_blocks_begin_small_so_that_training_starts_at_once(opened: Any, rows: Path) -> None:
    assert len(opened(rows, stream_buffer=10_000).train.first) == 256
    assert len(opened(rows, stream_buffer=40).train.first) == 40
    assert replace(DataPlan(dataset=()), streaming=True).streaming
