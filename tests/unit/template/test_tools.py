"""Tool formats: what is written is read back."""

from __future__ import annotations

import pytest

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools import TOOL_FORMATS
from swift.llm.template.tools.mistral import with_ids

CALLS = (
    ToolCall("tide", {"place": "Skagen", "when": {"from": "06:00", "days": [1, 2]}, "high": True}),
    ToolCall("none", {}),
    ToolCall("text", {"quote": 'say "hi"\n</b> <tool> ü ☀ [1]'}),
)


@pytest.mark.parametrize("name", list(TOOL_FORMATS))
def test_calls_are_read_back(name: str) -> None:
    tool_format = TOOL_FORMATS[name]
    for call in CALLS:
        [message] = (
            with_ids([Message("assistant", "", tool_calls=(call,))])
            if tool_format.ids
            else [Message("assistant", "", tool_calls=(call,))]
        )
        text = "".join(piece for piece, _ in tool_format.calls("", message.tool_calls))
        assert tool_format.parse(text) == ("", message.tool_calls)
    if not tool_format.one_call:
        messages = (
            with_ids([Message("assistant", "", tool_calls=CALLS)])
            if tool_format.ids
            else [Message("assistant", "", tool_calls=CALLS)]
        )
        text = "".join(piece for piece, _ in tool_format.calls("", messages[0].tool_calls))
        assert tool_format.parse(text) == ("", messages[0].tool_calls)


@pytest.mark.parametrize("name", ["hermes", "react_en", "react_zh", "toolbench"])
def test_text_before_a_call_is_kept(name: str) -> None:
    tool_format = TOOL_FORMATS[name]
    text = "".join(piece for piece, _ in tool_format.calls("Thought: I look it up.", CALLS[:1]))
    assert tool_format.parse(text) == ("Thought: I look it up.", CALLS[:1])


@pytest.mark.parametrize("name", list(TOOL_FORMATS))
@pytest.mark.parametrize(
    "text", ["", "Plain answer.", "<tool_call>\n{broken\n</tool_call>", '{"name": 3}', "[TOOL_CALLS] [1]"]
)
def test_other_text_has_no_calls(name: str, text: str) -> None:
    assert TOOL_FORMATS[name].parse(text) == (text, ())


def test_arguments_that_are_no_json_stay_text() -> None:
    call = ToolCall("tide", "{place: Skagen")
    text = "".join(piece for piece, _ in TOOL_FORMATS["hermes"].calls("", (call,)))
    assert TOOL_FORMATS["hermes"].parse(text) == ("", (call,))


def test_ids_of_calls_and_answers_belong_together() -> None:
    messages = with_ids(
        [
            Message("assistant", "", tool_calls=(ToolCall("a", {}, "call_long_id_1"), ToolCall("b", {}, "abcDEF123"))),
            Message("tool", "2", tool_call_id="abcDEF123"),
            Message("tool", "1"),
        ]
    )
    first, second = (call.id for call in messages[0].tool_calls)
    assert (first, second) == ("000000000", "abcDEF123")
    assert [message.tool_call_id for message in messages[1:]] == ["abcDEF123", "000000000"]


def test_tools_in_bare_form_are_described() -> None:
    bare = {"name": "tide", "description": "Tide at a place", "parameters": {"type": "object"}}
    for name in ("react_en", "react_zh", "toolbench", "mistral"):
        wrapped = TOOL_FORMATS[name].describe([{"type": "function", "function": bare}])
        assert TOOL_FORMATS[name].describe([bare]) == wrapped
        assert "tide" in "".join(text for text, _ in wrapped)
