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


URL = "data:image/png;base64,AAAA"


def test_pictures_go_with_the_text_behind_them() -> None:
    picture = state.show_picture(URL, "Picture")
    answer = {"role": "assistant", "content": f"![x]({URL})"}
    lost = {"role": "user", "content": "not kept", "metadata": {"title": "Picture"}}
    assert state.turns_of([picture, picture, USER, answer, lost, picture, answer, picture], "") == [
        Turn("user", "Why is the sky blue?", (URL, URL)),
        Turn("assistant", f"![x]({URL})"),  # what the model wrote stays text
        Turn("user", "", (URL,)),
        Turn("assistant", f"![x]({URL})"),
        Turn("user", "", (URL,)),
    ]
    assert state.split_pictures([USER, picture, picture]) == ([USER], [URL, URL])
    assert state.split_pictures([USER]) == ([USER], [])


@pytest.mark.parametrize(
    "text", ["![a](http://example.org/a.png)", f"![a]({URL}) and more", "![a](data:text/html;base64,AA)", ""]
)
def test_what_is_no_picture(text: str) -> None:
    assert state.picture_of({"role": "user", "content": text}) is None


def test_a_turn_as_the_request_says_it() -> None:
    assert Turn("user", "x").message() == {"role": "user", "content": "x"}
    image = {"type": "image_url", "image_url": {"url": URL}}
    assert Turn("user", "x", (URL,)).message() == {"role": "user", "content": [image, {"type": "text", "text": "x"}]}
    assert Turn("user", "", (URL, URL)).message() == {"role": "user", "content": [image, image]}


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
