"""The real sample files: every row of each is read, and none is lost but where the file gives a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swift.llm.catalog.registries import DATASET_MAPPING, load_dataset_info
from swift.llm.core import Conversation
from swift.llm.dataset import PackedDataset, prepare, read_conversations
from swift.llm.plan.plans import DataPlan, TemplatePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import load_tokenizer

ROWS = {
    "sft/alpaca_en_demo.json": 999,
    "sft/alpaca_zh_demo.json": 1000,
    "sft/identity.json": 91,
    "sft/glaive_toolcall_en_demo.json": 300,
    "sft/reason_tool_use_demo_50.jsonl": 50,
    "sft/v1_sft_demo.jsonl": 500,
    "sft/gsm8k_train.jsonl": 7473,
    "sft/shapes": 9,
    "pref/dpo_en_demo.json": 300,
    "pref/kto_en_demo.json": 300,
    "pt/tinystories.jsonl": 3766,
    "pt/childrens_books.jsonl": 7171,
    "pt/wiki_demo.txt": 30,
    "pt/c4_demo.jsonl": 300,
    "mm/mllm_demo.json": 6,
    "mm/mllm_audio_demo.json": 3,
    "mm/mllm_video_demo.json": 3,
    "mm/mllm_video_audio_demo.json": 3,
}


def conversations(path: Path) -> list[Conversation]:
    found = list(read_conversations(DataPlan(dataset=(str(path),)), "train"))
    assert all(isinstance(one, Conversation) for one in found), next(
        o for o in found if not isinstance(o, Conversation)
    )
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_read(shared: Path, name: str) -> None:
    assert len(conversations(shared / name)) == ROWS[name]


def test_lines_are_the_lines_of_the_file(shared: Path) -> None:
    path = shared / "sft" / "alpaca_en_demo.json"
    lines = path.read_text(encoding="utf-8").split("\n")
    for one in conversations(path)[::100]:
        assert one.place is not None
        assert lines[one.place.line - 1].strip() == "{"
        instruction = json.loads(lines[one.place.line].strip().removeprefix('"instruction": ').rstrip(","))
        assert one.messages[0].content.startswith(instruction)


def test_shapes_hold_the_same_chats(shared: Path) -> None:
    chats = [[one.messages for one in conversations(path)] for path in sorted((shared / "sft" / "shapes").iterdir())]
    assert chats[0] == chats[1]
    assert chats[2][0] == chats[0][0]


def test_tool_dialogues(shared: Path) -> None:
    found = conversations(shared / "sft" / "glaive_toolcall_en_demo.json")
    assert sum(bool(m.tool_calls) for one in found for m in one.messages) == 211
    assert sum(m.role == "tool" for one in found for m in one.messages) == 211
    assert all("function" in tool for one in found for tool in one.tools)
    thinking = conversations(shared / "sft" / "reason_tool_use_demo_50.jsonl")
    assert sum(len(m.tool_calls) for one in thinking for m in one.messages) == 41 + 9 * 2 + 3 * 3
    assert all(m.reasoning for one in thinking for m in one.messages if m.role == "assistant")


def test_preferences(shared: Path) -> None:
    assert all(one.rejected[-1].role == "assistant" for one in conversations(shared / "pref" / "dpo_en_demo.json"))
    labels = [one.label for one in conversations(shared / "pref" / "kto_en_demo.json")]
    assert set(labels) == {True, False}


def test_media_stand_in_the_order_of_their_tags(shared: Path) -> None:
    (first, *_) = conversations(shared / "mm" / "mllm_video_audio_demo.json")
    assert [media.kind for media in first.media] == ["video", "audio"]


def test_the_description_beside_the_files_registers_them(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DATASET_MAPPING, "_known", dict(DATASET_MAPPING))
    monkeypatch.setattr(DATASET_MAPPING, "_sources", dict(DATASET_MAPPING._sources))
    rows = load_dataset_info(shared / "dataset_info.json")
    assert len(rows) == 15
    for row in rows:
        assert row.path is not None
        named = list(read_conversations(DataPlan(dataset=(row.name,)), "train"))
        assert len(named) == ROWS[row.path]
        assert all(isinstance(one, Conversation) for one in named)
    (pair, *_) = read_conversations(DataPlan(dataset=("dpo_en_demo",)), "train")
    assert isinstance(pair, Conversation)
    assert pair.rejected


def test_tools_of_a_table_are_those_of_the_file(shared: Path, tmp_path: Path) -> None:
    """Parquet gives every tool all keys of all tools, null where they were not: none of that may reach a prompt."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = shared / "sft" / "glaive_toolcall_en_demo.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    wanted = conversations(path)
    table = [{**row, "tools": json.loads(row["tools"] or "[]")} for row in rows]
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "x.parquet")
    found = conversations(tmp_path / "x.parquet")
    with_nulls = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert "None" in str(with_nulls[0]["tools"])
    filled = [
        (one, other)
        for one, other in zip(wanted, found, strict=True)
        if not any(_is_hollow(value) for value in one.tools)  # an empty object is gone from a table for good
    ]
    assert len(filled) > 200
    assert all(one.tools == other.tools and one.messages == other.messages for one, other in filled)


def _is_hollow(value: Any) -> bool:
    if isinstance(value, dict):
        return not value or any(map(_is_hollow, value.values()))
    return value is None or (isinstance(value, list) and any(map(_is_hollow, value)))


@pytest.fixture(scope="module")
def template(shared: Path) -> Any:
    return open_template(
        "qwen2_5",
        load_tokenizer(shared / "tokenizers" / "qwen3"),
        TemplatePlan(template_type="qwen2_5", max_length=2048),
    )


def test_alpaca_packs_without_waste(shared: Path, tmp_path: Path, template: Any) -> None:
    plan = DataPlan(
        dataset=(str(shared / "sft" / "alpaca_en_demo.json"),), packing=True, max_length=2048, cache_dir=str(tmp_path)
    )
    done = prepare(plan, template, progress=False)
    assert isinstance(done.train, PackedDataset)
    assert done.train.num_samples == 999
    assert done.train.efficiency >= 0.98


def test_gsm8k_is_recognised_and_split(shared: Path, tmp_path: Path, template: Any) -> None:
    plan = DataPlan(
        dataset=(str(shared / "sft" / "gsm8k_train.jsonl") + "#2000",), test_ratio=0.01, cache_dir=str(tmp_path)
    )
    done = prepare(plan, template, progress=False)
    assert done.val is not None
    assert (len(done.train), len(done.val)) == (1980, 20)
    text = template.tokenizer.decode(done.report.first_rows[0].input_ids.tolist())
    assert "####" in text
