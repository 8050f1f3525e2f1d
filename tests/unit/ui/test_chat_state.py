from __future__ import annotations

import pytest

pytest.importorskip("openai", reason="the pages' packages are not installed: pip install swift[ui]")

from swift.ui import chat_state as state
from swift.ui.chat_client import Growing, Settings, Turn

USER = {"role": "user", "content": [{"type": "text", "text": "Why is the sky blue?"}]}


def test_thoughts_and_calls_are_shown_and_not_sent_back() -> None:
    answer = Growing(content="Scattering.", reasoning="hm", calls=[["look", '{"at": "sky"}']], finish="stop")
    shown = state.show([USER], answer, "Thought", "Call")
    assert [(m["role"], m.get("metadata", {}).get("title")) for m in shown] == [
        ("user", None),
        ("assistant", "Thought"),
        ("assistant", "Call: look"),
        ("assistant", None),
    ]
    assert state.turns_of(shown, " Be brief. ") == [
        Turn("system", "Be brief."),
        Turn("user", "Why is the sky blue?"),
        Turn("assistant", "Scattering."),
    ]


def test_a_thought_is_under_way_until_the_answer_begins() -> None:
    def status(**values: str) -> str:
        return state.show([], Growing(reasoning="hm", **values), "Thought", "Call")[0]["metadata"]["status"]

    assert (status(), status(content="so"), status(finish="length")) == ("pending", "done", "done")


def test_chats_are_kept_opened_and_removed() -> None:
    kept = state.keep(state.empty(), [USER], "sys")
    first = kept["current"]
    kept = state.keep(state.start(kept), [{"role": "user", "content": "x" * 100}], "")
    assert [title for title, _ in state.labels(kept)] == ["x" * 39 + "…", "Why is the sky blue?"]
    kept = state.open_chat(kept, first)
    assert state.current(kept) == ([{"role": "user", "content": "Why is the sky blue?"}], "sys")
    kept = state.remove(state.remove(kept))
    assert state.current(kept) == ([], "")
    assert state.open_chat(kept, "unknown") == kept


def test_a_new_chat_leaves_no_empty_one_behind() -> None:
    kept = state.start(state.start(state.empty()))
    assert len(kept["chats"]) == 1


def test_the_oldest_chats_make_room() -> None:
    kept = state.empty()
    for number in range(5):
        kept = state.keep(state.start(kept), [{"role": "user", "content": f"{number} " + "y" * 600_000}], "")
    assert [title[0] for title, _ in state.labels(kept)] == ["4", "3", "2"]


def test_settings_say_only_what_was_set() -> None:
    assert Settings().fields() == {}
    fields = Settings(temperature=0.0, top_k=5, stop=("END",), thinking=False).fields()
    assert fields == {
        "temperature": 0.0,
        "stop": ["END"],
        "extra_body": {"top_k": 5, "chat_template_kwargs": {"enable_thinking": False}},
    }


def test_counts_say_what_is_known() -> None:
    assert Growing().counts() == ""
    done = Growing(prompt_tokens=1200, answer_tokens=30, took_s=2.0, first_after_s=0.5, finish="length")
    assert done.counts() == "1,200 + 30 tokens · 15.0 tokens/s · 0.50 s to the first · ended by: length"
