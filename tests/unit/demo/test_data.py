"""The data sets that come with the package: every row is well formed and none stands twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import swift.demo

PLACEHOLDER = re.compile(r"\{\{\w+\}\}")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_self_cognition_rows_are_whole_and_asked_once() -> None:
    found = rows(swift.demo.SELF_COGNITION)
    assert len(found) >= 100
    assert {tuple(row) for row in found} == {("query", "response", "tag")}
    assert all(row["query"].strip() and row["response"].strip() for row in found)
    assert max(Counter(row["query"] for row in found).values()) == 1


def test_self_cognition_is_half_chinese_and_half_english() -> None:
    found = rows(swift.demo.SELF_COGNITION)
    assert Counter(row["tag"] for row in found) == {"zh": len(found) // 2, "en": len(found) // 2}
    assert all(bool(re.search("[\u4e00-\u9fff]", row["response"])) == (row["tag"] == "zh") for row in found)


def test_self_cognition_has_the_two_placeholders_and_no_other() -> None:
    found = rows(swift.demo.SELF_COGNITION)
    names = {p for row in found for p in PLACEHOLDER.findall(row["query"] + row["response"])}
    assert names == {"{{NAME}}", "{{AUTHOR}}"}
    assert all(PLACEHOLDER.search(row["response"]) for row in found)


def test_small_instruct_rows_are_chats_that_end_with_an_answer() -> None:
    found = rows(swift.demo.SMALL_INSTRUCT)
    assert 200 <= len(found) <= 400
    for row in found:
        roles = [message["role"] for message in row["messages"]]
        turns = roles[1:] if roles[0] == "system" else roles
        assert turns == ["user", "assistant"] * (len(turns) // 2)
        assert turns
        assert all(message["content"].strip() == message["content"] != "" for message in row["messages"])


def test_small_instruct_asks_nothing_twice_and_has_no_placeholder() -> None:
    found = rows(swift.demo.SMALL_INSTRUCT)
    asked = Counter(json.dumps(row["messages"][:-1]) for row in found)
    assert max(asked.values()) == 1
    assert not PLACEHOLDER.search(swift.demo.SMALL_INSTRUCT.read_text(encoding="utf-8"))


def test_small_instruct_has_systems_and_several_turns() -> None:
    found = [row["messages"] for row in rows(swift.demo.SMALL_INSTRUCT)]
    assert sum(chat[0]["role"] == "system" for chat in found) >= 20
    assert sum(len(chat) > 3 for chat in found) >= 20
