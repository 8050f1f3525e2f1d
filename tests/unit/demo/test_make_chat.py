"""The maker of the demo model's chats: the same rows each time, well formed, and true to what was said before."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Chat = list[dict[str, str]]


@pytest.fixture(scope="module")
def chats(make_chat: ModuleType, stories: list[str]) -> list[Chat]:
    found: list[Chat] = make_chat.build(stories, make_chat.load_pieces(), seed=1)
    return found


def test_the_same_seed_writes_the_same_bytes(
    make_chat: ModuleType, stories: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "stories.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in stories))
    for name in ("a", "b"):
        monkeypatch.setattr("sys.argv", ["make_chat", "--stories", str(source), "--out", str(tmp_path / name)])
        make_chat.main()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_another_seed_gives_other_rows(make_chat: ModuleType, stories: list[str], chats: list[Chat]) -> None:
    assert make_chat.build(stories, make_chat.load_pieces(), seed=2) != chats


def test_turns_alternate_and_end_with_an_answer(chats: list[Chat]) -> None:
    for chat in chats:
        roles = [message["role"] for message in chat]
        turns = roles[1:] if roles[0] == "system" else roles
        assert turns == ["user", "assistant"] * (len(turns) // 2)
        assert turns


def test_no_row_twice_and_no_slot_left_open(chats: list[Chat]) -> None:
    assert len({json.dumps(chat) for chat in chats}) == len(chats)
    texts = [message["content"] for chat in chats for message in chat]
    assert [t for t in texts if not t.strip() or re.search(r"[{}@]", t)] == []


def test_names_are_remembered(chats: list[Chat]) -> None:
    asked = 0
    for chat in chats:
        said = [message["content"] for message in chat]
        before = " ".join(said[:-1])
        found = re.fullmatch(r"Your name is (\w+)\.", said[-1])
        if found:
            asked += 1
            assert re.search(rf"\b{found[1]}\b", before)
    assert asked > 300


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (r"Your favorite color is (\w+)\.", 1),
        (r"Your \w+ is called (\w+)\.", 1),
        (r"Your \w+ is (in|on|under|behind|by|near) .*", 1),
        (r"You are (\w+) years old\.", 1),
        (r"My name is (\w+)\.", 1),
    ],
)
def test_what_is_answered_was_said(chats: list[Chat], answer: str, shown: int) -> None:
    matches = [(chat, m) for chat in chats if (m := re.fullmatch(answer, chat[-1]["content"]))]
    assert len(matches) > 20
    assert all(m[shown] in " ".join(x["content"] for x in chat[:-1]) for chat, m in matches)


def test_slots_take_articles_and_capitals(make_chat: ModuleType) -> None:
    words = {"animal": "owl", "toy": "ball"}
    assert make_chat.fill("{An animal} has {an toy}. {Toy}!", words) == "An owl has a ball. Ball!"


def test_questions_about_a_story_are_answered_from_it(make_chat: ModuleType, stories: list[str]) -> None:
    made = make_chat.Stories(stories, make_chat.load_pieces(), random.Random(0))
    text = next(t for t in made.texts if "Hoot" in t)
    answers = {answer for _, answer in made.questions(text, made.hero(text))}
    assert {
        "The name of the owl was Hoot.",
        "The story was about an owl named Hoot.",
        "Hoot went to the forest.",
        "Hoot liked to play with a red ball.",
        "Yes, it has a happy end.",
    } <= answers


def test_a_renamed_story_keeps_no_trace_of_the_old_name(make_chat: ModuleType, stories: list[str]) -> None:
    made = make_chat.Stories(stories, make_chat.load_pieces(), random.Random(0))
    text = next(t for t in made.texts if "Lily" in t)
    renamed, hero = made.renamed(text, made.hero(text))
    assert "Lily" not in renamed
    assert hero.name in renamed
    assert hero.kind == "girl"


def test_harsh_stories_are_left_out(make_chat: ModuleType, stories: list[str]) -> None:
    harsh = stories[0].replace("was sad", "died")
    made: Any = make_chat.Stories([harsh, *stories[1:]], make_chat.load_pieces(), random.Random(0))
    assert len(made.texts) == len(stories) - 1
    assert not any("Lily" in text for text in made.texts)
