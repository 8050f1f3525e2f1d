"""Rows by name, and suggestions for names that are none."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from swift.utils.errors import ArgumentError
from swift.utils.registry import Registry, nearest, unknown


class Row(NamedTuple):
    name: str


def test_a_registry_is_a_mapping() -> None:
    rows = Registry("tuner", [Row("lora"), Row("full")])
    assert list(rows) == ["lora", "full"]
    assert rows["lora"] == Row("lora")
    assert "lora" in rows
    assert rows.get("nothing") is None


def test_an_unknown_name_has_suggestions() -> None:
    rows = Registry("tuner", [Row("adalora"), Row("lora")])
    with pytest.raises(ArgumentError, match="unknown tuner 'loar'; did you mean 'lora'"):
        rows.find("loar")
    with pytest.raises(KeyError, match="did you mean"):
        rows["loar"]


def test_a_duplicate_names_both_places() -> None:
    rows = Registry("tuner", [Row("lora")])
    with pytest.raises(ArgumentError, match=r"registered twice: in swift and in my_rows\.py"):
        rows.register(Row("lora"), source="my_rows.py")
    assert rows.source("lora") == "swift"


def test_a_frozen_registry_refuses() -> None:
    rows: Registry[Row] = Registry("tuner")
    rows.freeze()
    with pytest.raises(ArgumentError, match="comes too late"):
        rows.register(Row("lora"), source="my_rows.py")


def test_nearest_folds_case_and_dashes_and_knows_beginnings() -> None:
    assert nearest("Qwen2-5", ["qwen2_5", "llama"]) == ["qwen2_5"]
    assert nearest("lora", ["lora_rank", "x"]) == ["lora_rank"]
    assert nearest("zzz", ["lora_rank"]) == []
    assert unknown("shell", "zzz", ["bash", "fish"]) == "unknown shell 'zzz'; known: bash, fish"
