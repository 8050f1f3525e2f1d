from __future__ import annotations

import json
import os
import pickle
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swift.llm.catalog.registries import DATASET_MAPPING
from swift.llm.catalog.rows import DatasetRow
from swift.llm.core import Conversation, Dropped, Encoded, Place
from swift.llm.dataset import PackedDataset, prepare, read_conversations
from swift.llm.dataset.cache import Worker
from swift.llm.dataset.preparation import build_parts, split_blocks
from swift.llm.tokenizer.bulk import InexactError
from swift.utils.errors import DataError, DiskError

from .rows import ByteEncoder, plan_of, qa, text_of, write_json, write_jsonl


def texts(samples: Any) -> list[str]:
    return [text_of(samples[i]) for i in range(len(samples))]


def ledger_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_become_samples_and_bad_ones_ledger_lines(tmp_path: Path) -> None:
    rows = [*qa(20), {"query": "Q", "response": ""}, {"messages": [{"role": "foo", "content": ""}]},
            {"query": "Q", "response": "long " * 20}, {"query": 1, "response": "A"}]  # fmt: skip
    path = write_json(tmp_path / "x.json", rows)
    ledger = tmp_path / "run" / "row_ledger.jsonl"
    done = prepare(plan_of(path, cache=tmp_path, max_length=60), ByteEncoder(60), ledger_path=ledger, progress=False)
    assert sorted(texts(done.train)) == sorted(f"uquestion {i}\naanswer {i}\n" for i in range(20))
    assert done.val is None
    assert [line["reason"] for line in ledger_of(ledger)] == [
        "empty answer", "unknown role 'foo'", "105 tokens, limit 60", "wrong type: query is a number, expected text",
    ]  # fmt: skip
    first = ledger_of(ledger)[0]
    assert first == {
        "source": str(path),
        "line": 82,
        "action": "lost",
        "reason": "empty answer",
        "tokens": 0,
        "split": "train",
    }
    assert path.read_text().splitlines()[81].startswith(" {")
    (source,) = done.report.sources
    assert (source.read, source.kept, source.num_lost) == (24, 20, 4)
    assert source.lost["over 60 tokens"] == 1
    (line,) = done.report.lines()
    assert line.startswith("x.json: read 24, kept 20, lost 4 (1 empty answer, 1 unknown role 'foo', 1 over 60 tokens")
    assert len(done.report.first_rows) == 3
    assert done.train.num_tokens == sum(map(len, texts(done.train)))


def test_the_second_launch_reads_the_cache_and_reports_the_same(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", [*qa(30), {"query": "Q", "response": ""}])
    encoder = ByteEncoder()
    first = prepare(plan_of(path, cache=tmp_path, test_ratio=0.1), encoder, ledger_path=tmp_path / "a", progress=False)
    moved = path.rename(tmp_path / "y.jsonl")
    again = prepare(plan_of(moved, cache=tmp_path, test_ratio=0.1), encoder, ledger_path=tmp_path / "b", progress=False)
    assert encoder.rows_encoded == 30
    assert texts(again.train) == texts(first.train)
    assert again.report.sources[0].lost == first.report.sources[0].lost == {"empty answer": 1}
    assert ledger_of(tmp_path / "b")[0] == {**ledger_of(tmp_path / "a")[0], "source": str(moved)}


@pytest.mark.parametrize("change", ["content", "encoder", "max_length", "count", "columns"])
def test_what_changes_the_samples_changes_the_address(tmp_path: Path, change: str) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", qa(10))
    prepare(plan_of(path, cache=tmp_path), ByteEncoder(), progress=False)
    encoder = ByteEncoder(99 if change == "encoder" else None)
    if change == "content":
        write_jsonl(path, qa(10, start=1))
    item = f"{path}#5" if change == "count" else str(path)
    if change == "columns":
        row = DatasetRow(name="renamed", path=str(path), columns={"query": "response", "response": "query"})
        DATASET_MAPPING._rows["renamed"] = row
        item = "renamed"
    try:
        done = prepare(
            plan_of(item, cache=tmp_path, max_length=99 if change == "max_length" else None), encoder, progress=False
        )
    finally:
        DATASET_MAPPING._rows.pop("renamed", None)
    assert encoder.rows_encoded == (5 if change == "count" else 10)
    assert len(done.train) == encoder.rows_encoded


def test_seed_ratio_and_further_sets_reuse_the_cache(tmp_path: Path) -> None:
    one, two = write_jsonl(tmp_path / "x.jsonl", qa(30)), write_jsonl(tmp_path / "y.jsonl", qa(10, start=50))
    encoder = ByteEncoder()
    before = prepare(plan_of(one, cache=tmp_path, seed=1), encoder, progress=False)
    other = prepare(plan_of(one, cache=tmp_path, seed=2, test_ratio=0.2), encoder, progress=False)
    both = prepare(plan_of(one, two, cache=tmp_path, seed=1), encoder, progress=False)
    assert encoder.rows_encoded == 40
    assert texts(other.train) != texts(before.train)
    assert other.val is not None
    assert sorted(texts(other.train) + texts(other.val)) == sorted(texts(before.train))
    assert len(both.train) == 40
    assert both.report.lines()[-1].startswith("all: read 40, kept 40, lost 0")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [_cut, _flip, Path.unlink])
@pytest.mark.parametrize("suffix", [".arrow", ".json"])
def test_a_damaged_cache_is_made_anew(
    tmp_path: Path, harm: Callable[[Path], None], suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", qa(50))
    whole = texts(prepare(plan_of(path, cache=tmp_path), ByteEncoder(), progress=False).train)
    (file,) = (tmp_path / "cache").glob(f"*/*0{suffix}")
    harm(file)
    encoder = ByteEncoder()
    assert texts(prepare(plan_of(path, cache=tmp_path), encoder, progress=False).train) == whole
    assert encoder.rows_encoded == 50
    assert not list((tmp_path / "cache").glob("*/.*.partial"))
    again = ByteEncoder()
    prepare(plan_of(path, cache=tmp_path), again, progress=False)
    assert again.rows_encoded == 0


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", [*qa(3000), 7])
    with pytest.raises(DataError, match=r"x\.jsonl: 1 row cannot be used"):
        prepare(plan_of(path, cache=tmp_path, strict=True), ByteEncoder(), progress=False)
    assert [file.suffix for file in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_cache_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", qa(3))
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DiskError, match=r"cannot write .*cache"):
        prepare(plan_of(path, cache=tmp_path), ByteEncoder(), progress=False)


@pytest.mark.skipif(os.name == "nt", reason="no file size limits")
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    import resource

    path = write_jsonl(tmp_path / "x.jsonl", qa(5000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(DiskError, match=r"cannot write .*\.arrow"):
            prepare(plan_of(path, cache=tmp_path), ByteEncoder(), progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [file.suffix for file in (tmp_path / "cache").iterdir()] == [".lock"]
    assert len(prepare(plan_of(path, cache=tmp_path), ByteEncoder(), progress=False).train) == 5000


def test_two_at_once_build_once(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", qa(4000))
    encoders = [ByteEncoder(), ByteEncoder()]
    found: list[Any] = []

    def work(encoder: ByteEncoder) -> None:
        found.append(prepare(plan_of(path, cache=tmp_path), encoder, progress=False))

    threads = [threading.Thread(target=work, args=(encoder,)) for encoder in encoders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(encoder.rows_encoded for encoder in encoders) == [0, 4000]
    assert texts(found[0].train) == texts(found[1].train)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # Python 3.12 on forking beside threads
def test_processes_give_what_threads_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")  # what prepare exports ends with this test
    path = write_jsonl(tmp_path / "x.jsonl", [*qa(2500), {"query": "Q", "response": ""}])
    threads = prepare(plan_of(path, cache=tmp_path / "a"), ByteEncoder(), progress=False)
    processes = prepare(plan_of(path, cache=tmp_path / "b", num_proc=2), ByteEncoder(), progress=False)
    assert texts(processes.train) == texts(threads.train)
    assert processes.report.lines() == threads.report.lines()


def test_counts_draw_and_repeat(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", qa(20))
    some = prepare(plan_of(f"{path}#8", cache=tmp_path, test_ratio=0.25), ByteEncoder(), progress=False)
    assert (len(some.train), len(some.val or ())) == (6, 2)
    assert some.report.lines()[0].startswith("x.jsonl#8: read 20, drawn 8, kept 8, lost 0, cut 0; 6 samples + 2 for")
    encoder = ByteEncoder()
    many = prepare(plan_of(f"{path}#50", cache=tmp_path), encoder, progress=False)
    assert set(Counter(texts(many.train)).values()) == {2, 3}
    assert encoder.rows_encoded == 20
    ordered = prepare(plan_of(path, cache=tmp_path, shuffle=False), ByteEncoder(), progress=False)
    assert texts(ordered.train) == [f"uquestion {i}\naanswer {i}\n" for i in range(20)]


def test_a_validation_set_takes_the_place_of_the_ratio(tmp_path: Path) -> None:
    train, val = (
        write_jsonl(tmp_path / "x.jsonl", qa(20)),
        write_jsonl(tmp_path / "v.jsonl", [*qa(5, 90), {"text": ""}]),
    )
    plan = plan_of(train, cache=tmp_path, test_ratio=0.5, val_dataset=(str(val),))
    done = prepare(plan, ByteEncoder(), ledger_path=tmp_path / "l", progress=False)
    assert (len(done.train), texts(done.val)) == (20, [f"uquestion {i}\naanswer {i}\n" for i in range(90, 95)])
    assert [line["split"] for line in ledger_of(tmp_path / "l")] == ["val"]


def test_cut_rows_are_in_the_ledger(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", [*qa(3), {"query": "Q" * 50, "response": "A"}])
    done = prepare(
        plan_of(path, cache=tmp_path, max_length=30),
        ByteEncoder(30, cut=True),
        ledger_path=tmp_path / "l",
        progress=False,
    )
    (line,) = ledger_of(tmp_path / "l")
    assert (line["action"], line["reason"], line["tokens"], line["line"]) == ("cut", "55 tokens, cut to 30", 55, 4)
    assert "kept 4, lost 0, cut 1 (25 tokens)" in done.report.lines()[0]
    assert sorted(sample.cut_tokens for sample in (done.train[i] for i in range(4))) == [0, 0, 0, 25]


def test_weights_survive_the_cache(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "loss_weight": 0.5}]
    path = write_jsonl(tmp_path / "x.jsonl", [{"messages": turns}, *qa(1)])
    train = prepare(plan_of(path, cache=tmp_path, shuffle=False), ByteEncoder(), progress=False).train
    assert train[0].loss_scale is not None
    assert train[0].loss_scale.tolist() == [1, 1, 1, 0.5, 0.5, 0.5]
    assert train[1].loss_scale is None
    assert (train.num_trained, train.lengths.tolist()) == (3 + 10, [6, 22])


def test_samples_are_views_and_travel_by_path(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", qa(2000))
    train = prepare(plan_of(path, cache=tmp_path), ByteEncoder(), progress=False).train
    sample = train[5]
    assert (sample.input_ids.dtype, sample.trained.dtype) == (np.int32, np.bool_)
    assert not sample.input_ids.flags.owndata
    assert not sample.input_ids.flags.writeable
    sent = pickle.dumps(train)
    assert len(sent) < 60_000
    assert texts(pickle.loads(sent)) == texts(train)
    assert text_of(train[-1]) == text_of(train[len(train) - 1])
    with pytest.raises(IndexError, match="sample 2000 of 2000"):
        train[2000]


def test_packing_in_the_whole(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", qa(100))
    plan = plan_of(path, cache=tmp_path, packing=True, max_length=100, test_ratio=0.1)
    done = prepare(plan, ByteEncoder(100), progress=False)
    assert isinstance(done.train, PackedDataset)
    assert isinstance(done.val, PackedDataset)
    assert done.train.num_samples == 90
    assert max(done.train.lengths) <= 100
    assert done.report.lines()[-1].startswith(f"packed 90 samples into {len(done.train)} blocks of 100 tokens, ")


@pytest.mark.parametrize("length", [1, 9, 10, 11, 19, 20, 28, 29, 100])
def test_split_blocks_train_each_token_once(length: int) -> None:
    trained = np.arange(length) % 3 > 0
    sample = Encoded(np.arange(length, dtype=np.int32), trained, np.arange(length, dtype=np.float32))
    blocks = split_blocks(sample, 10)
    assert max(map(len, blocks)) <= 10
    assert len(blocks) == max(-(-(length - 1) // 9), 1)
    kept = [int(i) for block in blocks for i in block.input_ids[block.trained]]
    assert kept == np.flatnonzero(trained).tolist()
    seen = [int(i) for n, block in enumerate(blocks) for i in block.input_ids[n > 0 :]]
    assert seen == list(range(length))
    assert all(
        block.loss_scale is not None and block.loss_scale.tolist() == block.input_ids.tolist() for block in blocks
    )


def test_long_texts_are_split_for_pretraining(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("a" * 95 + "\n" + "short\n")
    done = prepare(
        plan_of(path, cache=tmp_path, split_long=True, max_length=33, shuffle=False), ByteEncoder(), progress=False
    )
    assert done.train.lengths.tolist() == [33, 33, 33, 7]
    assert done.train.num_trained == 96 + 6
    assert "kept 2, lost 0, cut 0, split 1 rows into blocks; 4 samples" in done.report.lines()[0]


# --- too much is lost ---


def failing(tmp_path: Path, rows: list[Any], encoder: ByteEncoder | None = None, **fields: Any) -> str:
    path = write_jsonl(tmp_path / "x.jsonl", rows)
    with pytest.raises(DataError) as caught:
        prepare(
            plan_of(path, cache=tmp_path, **fields),
            encoder or ByteEncoder(),
            ledger_path=tmp_path / "l",
            progress=False,
        )
    assert not (tmp_path / "l").exists()
    return str(caught.value)


def test_wrong_columns_are_told_once_for_the_file(tmp_path: Path) -> None:
    said = failing(tmp_path, [{"instruction": "Q", "reply": "A"}] * 3000)
    assert "x.jsonl: no known columns: found instruction, reply; the first 1,024 rows are all lost this way" in said
    assert "--custom_dataset_info" in said
    assert "instruction + output" in said


def test_one_reason_for_all_rows_stops_at_once(tmp_path: Path) -> None:
    said = failing(tmp_path, [{"messages": [{"role": "visitor", "content": "x"}]}] * 5)
    assert "unknown role 'visitor'; the first 5 rows are all lost this way" in said
    assert "user_role" in said


def test_too_many_lost_rows_stop_the_run(tmp_path: Path) -> None:
    rows = [*qa(2), *[{"query": "Q", "response": ""}] * 2, {"query": "Q"}]
    said = failing(tmp_path, rows)
    assert "3 of 5 rows lost (more than --max_lost_ratio 0.5): 2 empty answer, 1 no known columns: found query" in said
    assert f"\n  {tmp_path / 'x.jsonl'}:3: empty answer" in said
    done = prepare(plan_of(tmp_path / "x.jsonl", cache=tmp_path, max_lost_ratio=0.7), ByteEncoder(), progress=False)
    assert len(done.train) == 2


def test_strict_stops_at_any_lost_row(tmp_path: Path) -> None:
    said = failing(tmp_path, [*qa(9), {"query": "Q", "response": ""}], strict=True)
    assert "1 row cannot be used, and --strict_data is true: 1 empty answer" in said
    assert "x.jsonl:10: empty answer" in said


def test_wrong_types_by_strategy(tmp_path: Path) -> None:
    rows = [*qa(9), {"query": "Q", "response": 4}]
    assert "1 row of the wrong type, and --check_dataset_strategy is error" in failing(
        tmp_path, rows, check_strategy="error"
    )
    for strategy in ("none", "discard", "warning"):
        plan = plan_of(tmp_path / "x.jsonl", cache=tmp_path, check_strategy=strategy)
        assert len(prepare(plan, ByteEncoder(), progress=False).train) == 9


def test_all_rows_too_long_tells_the_lengths(tmp_path: Path) -> None:
    rows = [{"query": "Q", "response": "A" * n} for n in (30, 40, 50)]
    said = failing(tmp_path, rows, ByteEncoder(20), max_length=20)
    assert (
        "all 3 rows are over --max_length 20: the shortest has 35 tokens, the longest 55. Give --max_length 55" in said
    )
    assert "--truncation_strategy" in said


def test_media_are_not_trained_on_in_silence(tmp_path: Path) -> None:
    said = failing(tmp_path, [{"query": "<image>Q", "response": "A", "images": ["x.png"]}])
    assert "has image, and only text is trained on" in said


def test_no_data_set_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data set is given"):
        prepare(plan_of(cache=tmp_path), ByteEncoder(), progress=False)
    with pytest.raises(DataError, match="no such file"):
        prepare(plan_of(tmp_path / "none.jsonl", cache=tmp_path), ByteEncoder(), progress=False)


def test_self_cognition_needs_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", [{"query": "Who?", "response": "{{NAME}}", "tag": "en"}])
    monkeypatch.setitem(DATASET_MAPPING._rows, "me", DatasetRow(name="me", path=str(path), fill_names=True))
    with pytest.raises(DataError, match="--model_name is not given"):
        prepare(plan_of("me", cache=tmp_path), ByteEncoder(), progress=False)
    for name in ("Blue", "Red"):
        done = prepare(
            plan_of("me", cache=tmp_path, names=("x", name), authors=("y", "z")), ByteEncoder(), progress=False
        )
        assert texts(done.train) == [f"uWho?\na{name}\n"]


def test_conversations_are_those_of_the_same_split(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "x.jsonl", [*qa(40), {"query": "only a question"}, {"foo": 1}])
    plan = plan_of(path, cache=tmp_path, test_ratio=0.3, shuffle=False, max_lost_ratio=1.0)
    done = prepare(plan, ByteEncoder(), progress=False)
    train = list(read_conversations(plan, "train"))
    val = list(read_conversations(plan, "val"))
    assert (len(train), len(val)) == (30, 12)
    both = [*train, *val]
    assert sum(isinstance(one, Dropped) for one in both) == 1
    answered = [one for one in val if isinstance(one, Conversation) and len(one.messages) == 2]
    assert [f"u{c.messages[0].content}\na{c.messages[1].content}\n" for c in answered] == texts(done.val)
    assert any(isinstance(one, Conversation) and one.messages[-1].role == "user" for one in both)


# --- parts ---


def killed_after(encoder: ByteEncoder, rows: int) -> ByteEncoder:
    """An encoder that dies once it has encoded so many rows."""
    encode = encoder.encode_batch

    def encode_batch(conversations: Any) -> Any:
        if encoder.rows_encoded >= rows:
            raise KeyboardInterrupt
        return encode(conversations)

    encoder.encode_batch = encode_batch  # type: ignore[method-assign]
    return encoder


def test_a_killed_run_goes_on_behind_its_last_whole_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swift.llm.dataset.encoding.CHUNK_ROWS", 10)
    path = write_jsonl(tmp_path / "x.jsonl", [*qa(700), {"query": "Q", "response": ""}, *qa(100, 800)])
    with pytest.raises(KeyboardInterrupt):
        prepare(plan_of(path, cache=tmp_path), killed_after(ByteEncoder(), 500), progress=False)
    (folder,) = (tmp_path / "cache").glob("*/")
    whole = len(list(folder.glob("*.arrow")))
    files = sorted(file.name for file in folder.iterdir())
    assert whole in (2, 3)
    assert files == [f"{n:05}.{kind}" for n in range(whole) for kind in ("arrow", "json")]
    encoder = ByteEncoder()
    done = prepare(plan_of(path, cache=tmp_path, shuffle=False), encoder, progress=False)
    assert encoder.rows_encoded == 800 - 160 * whole
    assert texts(done.train) == [f"uquestion {i}\naanswer {i}\n" for i in (*range(700), *range(800, 900))]
    assert done.report.sources[0].lost == {"empty answer": 1}
    assert done.report.ledger[0].line == 701


def test_shards_are_joined_by_whoever_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swift.llm.dataset.encoding.CHUNK_ROWS", 10)
    path = write_jsonl(tmp_path / "x.jsonl", [*qa(400), {"query": "Q", "response": ""}])
    plan = plan_of(path, cache=tmp_path, shuffle=False)
    encoders = [ByteEncoder(), ByteEncoder()]
    ((label, first),) = build_parts(plan, encoders[0], Worker(1, 2), progress=False)
    assert (label, first.made, first.missing, first.num_parts, first.store) == ("x.jsonl", 1, 2, 3, None)
    ((_, second),) = build_parts(plan, encoders[1], Worker(0, 2), progress=False)
    assert (second.made, second.missing, second.found) == (2, 0, False)
    assert [encoder.rows_encoded for encoder in encoders] == [160, 240]
    idle = ByteEncoder()
    done = prepare(plan, idle, progress=False)
    assert idle.rows_encoded == 0
    assert texts(done.train) == [f"uquestion {i}\naanswer {i}\n" for i in range(400)]
    assert done.report.sources[0].lost == {"empty answer": 1}
    assert "prepared before" in done.report.lines()[-1]


def test_a_sample_says_where_it_came_from(tmp_path: Path) -> None:
    one, two = write_jsonl(tmp_path / "x.jsonl", qa(30)), write_jsonl(tmp_path / "y.jsonl", qa(20, start=30))
    train = prepare(plan_of(one, two, cache=tmp_path), ByteEncoder(), progress=False).train
    for i in range(50):
        number = int(text_of(train[i]).split()[1])
        assert train.place(i) == (Place(str(one), number + 1) if number < 30 else Place(str(two), number - 29))


def test_all_rows_are_accounted_for(tmp_path: Path) -> None:
    rows = [*qa(40), {"query": "Q", "response": ""}, 7, None, {"query": "long " * 30, "response": "A"}, {"foo": 1}] * 3
    one, two = write_jsonl(tmp_path / "x.jsonl", rows), write_jsonl(tmp_path / "y.jsonl", rows[:90])
    for items in ((one,), (one, two), (f"{one}#50", two), (f"{one}#300", f"{two}#10")):
        for fields in ({}, {"test_ratio": 0.3}, {"val_dataset": (str(two),)}, {"shard": (1, 3)}):
            plan = plan_of(*items, cache=tmp_path, max_lost_ratio=1.0, **fields)
            ledger = tmp_path / "l"
            done = prepare(plan, ByteEncoder(60), ledger_path=ledger, progress=False)
            lost = Counter(line["action"] for line in ledger_of(ledger))["lost"]
            assert sum(source.drawn for source in done.report.sources) == lost + sum(
                source.kept for source in done.report.sources
            )
            kept = {str(done.train.place(i)) for i in range(len(done.train))}
            kept |= {f"{done.val.place(i)}" for i in range(len(done.val or ()))} if done.val else set()
            names = {f"{line['source']}:{line['line']}" for line in ledger_of(ledger)}
            assert not kept & names
            if not any("#" in str(item) for item in items) and "val_dataset" not in fields and "shard" not in fields:
                assert len(kept) + len(names) == sum(source.read for source in done.report.sources)


def test_a_reason_that_many_rows_share_is_explained_where_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = [{"INSTRUCTION": "Q", "RESPONSE": "A"}] * 4
    path = write_jsonl(tmp_path / "x.jsonl", [*qa(16), *foreign])
    done = prepare(plan_of(path, cache=tmp_path), ByteEncoder(), progress=False)
    assert done.report.sources[0].num_lost == 4
    (told,) = [record.getMessage() for record in caplog.records if "of 20 rows" in record.getMessage()]
    assert "4 of 20 rows: no known columns: found INSTRUCTION, RESPONSE" in told
    assert "type `oasst`" in told
    path = write_jsonl(tmp_path / "y.jsonl", [*qa(4), *foreign, *foreign])
    with pytest.raises(DataError, match=r"8 of 12 rows: no known columns.*oasst"):
        prepare(plan_of(path, cache=tmp_path), ByteEncoder(), progress=False)


def test_ids_that_prove_inexact_are_discarded_and_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Doubted(ByteEncoder):
        """Finds out behind its first chunk that the faster implementation cannot be trusted."""

        def encode_batch(self, conversations: Any) -> list[Encoded | Dropped]:
            if self.rows_encoded and os.environ.get("SWIFT_FAST_TOKENIZER") != "false":
                raise InexactError("fastokens gives other ids than tokenizers.")
            return super().encode_batch(conversations)

    monkeypatch.setenv("SWIFT_FAST_TOKENIZER", "true")
    path = write_jsonl(tmp_path / "rows.jsonl", qa(3000))
    plan = plan_of(path, cache=tmp_path / "one")
    doubted = prepare(plan, Doubted(), progress=False)
    assert "made anew without it" in caplog.text
    plain = prepare(plan_of(path, cache=tmp_path / "other"), ByteEncoder(), progress=False)
    assert [text_of(doubted.train[i]) for i in range(len(doubted.train))] == [
        text_of(plain.train[i]) for i in range(len(plain.train))
    ]
    assert sum(source.kept for source in doubted.report.sources) == 3000
