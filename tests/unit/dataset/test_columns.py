from __future__ import annotations

from typing import Any

import pytest

from swift.llm.catalog.rows import DatasetRow
from swift.llm.core import Conversation, Dropped, Media, Message, Place, ToolCall
from swift.llm.dataset.columns import FORMATS, RowParser
from swift.utils.errors import DataError

PLACE = Place("x.jsonl", 7)
TURNS = (Message("user", "Q"), Message("assistant", "A"))
BACK = (Message("user", "q"), Message("assistant", "a"))


def parse(values: Any, *, need_answer: bool = True, **row: Any) -> Conversation:
    found = RowParser(DatasetRow(name="x", **row), need_answer=need_answer).parse(values, PLACE)
    assert isinstance(found, Conversation), found
    return found


def lost(values: Any, **row: Any) -> str:
    found = RowParser(DatasetRow(name="x", **row)).parse(values, PLACE)
    assert isinstance(found, Dropped), found
    assert found.place == PLACE
    return found.reason


def say(*turns: str) -> list[dict[str, str]]:
    """`say("u:hello", "a:hi")` as a messages column."""
    roles = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    return [{"role": roles[turn[0]], "content": turn[2:]} for turn in turns]


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"query": "Q", "response": "A"}, TURNS),
        ({"query": "Q", "response": "A", "history": [["q", "a"]]}, (*BACK, *TURNS)),
        ({"query": "Q", "response": "A", "history": '[["q", "a"]]'}, (*BACK, *TURNS)),
        ({"query": "Q", "response": "A", "history": "[('q', 'a')]"}, None),
        ({"query": "Q", "response": "A", "history": "[['q', 'a']]"}, (*BACK, *TURNS)),
        ({"query": "Q", "response": "A", "history": None, "system": None}, TURNS),
        ({"instruction": "Q", "output": "A"}, TURNS),
        ({"instruction": "Q", "input": "", "output": "A"}, TURNS),
        ({"instruction": "Q", "input": "in", "output": "A"}, (Message("user", "Q\nin"), TURNS[1])),
        ({"instruction": "Q", "response": "A"}, TURNS),
        ({"prompt": "Q", "response": "A"}, TURNS),
        ({"question": "Q", "answer": "A"}, TURNS),
        ({"prompt": "Q", "completion": "A"}, TURNS),
        ({"prompt": say("u:Q"), "completion": say("a:A")}, TURNS),
        ({"messages": say("u:Q", "a:A")}, TURNS),
        ({"messages": str(say("u:Q", "a:A"))}, TURNS),
        ({"conversations": [{"from": "user", "value": "Q"}, {"from": "assistant", "value": "A"}]}, TURNS),
        ({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}, TURNS),
        ({"conversations": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}, TURNS),
        ({"conversation": [{"human": "q", "assistant": "a"}, {"human": "Q", "assistant": "A"}]}, (*BACK, *TURNS)),
        ({"text": "A"}, TURNS[1:]),
        ({"text": "A", "prompt": "Q"}, TURNS),
        ({"response": "A"}, TURNS[1:]),
        ({"id": 3, "query": "Q", "response": "A", "source": "web"}, TURNS),
    ],
)
def test_known_shapes(row: dict[str, Any], messages: tuple[Message, ...] | None) -> None:
    if messages is None:
        assert lost(row) == "history 1 is not a pair of question and answer"
    else:
        found = parse(row)
        assert found.messages == messages
        assert found.place == PLACE


def test_a_system_text_may_be_given_empty_or_absent() -> None:
    told = Message("system", "S")
    for row in (
        {"system": "S", "query": "Q", "response": "A"},
        {"system": "S", "messages": say("u:Q", "a:A")},
        {"messages": say("s:S", "u:Q", "a:A")},
        {"system": "S", "conversation": [{"human": "Q", "assistant": "A"}]},
    ):
        found = parse(row)
        assert (found.messages, found.system_given) == ((told, *TURNS), True)
    for row in ({"system": "", "query": "Q", "response": "A"}, {"messages": say("s:", "u:Q", "a:A")}):
        found = parse(row)
        assert (found.messages, found.system_given) == (TURNS, True)
    assert not parse({"query": "Q", "response": "A"}).system_given


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"query": "Q", "response": ""}, "empty answer"),
        ({"query": "Q", "response": " \n"}, "empty answer"),
        ({"query": "Q", "response": None}, "empty answer"),
        ({"messages": say("u:Q", "a:", "u:Q", "a:A")}, "empty answer"),
        ({"messages": say("u:Q")}, "no assistant turn"),
        ({"messages": []}, "no turns"),
        ({"messages": say("s:S")}, "no turns"),
        ({"messages": say("u:Q", "a:A", "u:Q")}, "the last turn is the user's, expected the assistant's"),
        ({"messages": say("a:A", "u:Q", "a:A")}, "not alternating: the assistant begins"),
        ({"messages": say("u:Q", "u:Q", "a:A")}, "not alternating: a user turn after a user turn"),
        ({"messages": say("u:Q", "a:A", "a:A")}, "not alternating: two assistant turns in a row"),
        ({"messages": say("u:Q", "s:S", "a:A")}, "not alternating: a system turn after the first turn"),
        ({"messages": [{"role": "foo", "content": "x"}]}, "unknown role 'foo'"),
        ({"messages": [{"content": "x"}]}, "turn 1 names no role ('from')"),
        ({"messages": ["hello"]}, "wrong type: turn 1 is text, expected an object"),
        ({"messages": 3}, "wrong type: messages is a number, expected a list of turns"),
        ({"messages": "no json"}, "wrong type: messages is text that is neither JSON nor a Python literal"),
        ({"query": 4, "response": "A"}, "wrong type: query is a number, expected text"),
        ({"query": "Q", "response": ["A"]}, "wrong type: response is a list, expected text"),
        ({"query": "Q", "response": "A", "history": [["q"]]}, "history 1 is not a pair of question and answer"),
        ({"text": ""}, "empty text"),
        ({"instruction": "Q", "reply": "A"}, "no known columns: found instruction, reply"),
        ({}, "no known columns: found none"),
        (["Q", "A"], "the row is a list, expected an object"),
        ({"query": "Q", "response": "A", "tools": [{"x": 1}]}, "a tool has neither 'function' nor 'name'"),
        ({"query": "Q", "response": "A", "images": ["a"], "history": [["<image><image>", "a"]]},
         "2 <image> tags for 1 media"),
    ],
)  # fmt: skip
def test_a_bad_row_is_lost_with_its_reason(row: Any, reason: str) -> None:
    assert lost(row) == reason


def test_inference_takes_rows_without_an_answer() -> None:
    for row in ({"query": "Q"}, {"question": "Q"}, {"messages": say("u:Q")}, {"instruction": "Q", "output": None}):
        assert parse(row, need_answer=False).messages == TURNS[:1]
    assert parse({"query": "Q", "response": "A"}, need_answer=False).messages == TURNS


def test_typed_parts_reasoning_and_tool_calls() -> None:
    call = '{"name": "tide", "arguments": {"place": "Skagen"}}'
    made = ToolCall("tide", {"place": "Skagen"})
    found = parse(
        {
            "tools": '[{"name": "tide", "parameters": {}}]',
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Ti"}, {"type": "text", "value": "de?"}]},
                {
                    "role": "assistant",
                    "content": [{"type": "reasoning", "value": "hm"}, {"type": "tool_call", "value": call}],
                },
                {"role": "tool", "content": "rising", "tool_call_id": "c1", "name": "tide"},
                {"role": "tool", "content": "falling"},
                {"role": "assistant", "content": "It is.", "reasoning_content": "so"},
            ],
        }
    )
    assert found.messages == (
        Message("user", "Tide?"),
        Message("assistant", "", reasoning="hm", tool_calls=(made,)),
        Message("tool", "rising", tool_call_id="c1", name="tide"),
        Message("tool", "falling"),
        Message("assistant", "It is.", reasoning="so"),
    )
    assert found.tools == ({"type": "function", "function": {"name": "tide", "parameters": {}}},)


def test_calls_in_the_openai_form_and_as_their_own_turns() -> None:
    openai = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    found = parse({"messages": [*say("u:Q"), {"role": "assistant", "content": None, "tool_calls": [openai]}]})
    assert found.messages[1] == Message("assistant", "", tool_calls=(ToolCall("f", {"x": 1}, "c1"),))
    glaive = [
        {"from": "human", "value": "Q"},
        {"from": "gpt", "value": "Let me see."},
        {"from": "function_call", "value": '{"name": "f", "arguments": {}}'},
        {"from": "function_call", "value": '{"name": "g", "arguments": "as text"}'},
        {"from": "observation", "value": "1"},
        {"from": "gpt", "value": "A"},
    ]
    calls = (ToolCall("f", {}), ToolCall("g", "as text"))
    assert parse({"conversations": glaive}).messages == (
        Message("user", "Q"), Message("assistant", "Let me see.", tool_calls=calls), Message("tool", "1"), TURNS[1],
    )  # fmt: skip
    glaive[2]["value"] = "f()"
    assert lost({"conversations": glaive}) == "the tool call of turn 3 is not JSON"


def test_loss_weights() -> None:
    def weighed(role: str, **loss: Any) -> Message:
        turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
        turns[role == "assistant"].update(loss)
        return parse({"messages": turns}).messages[role == "assistant"]

    assert weighed("assistant", loss_weight=1.0) == TURNS[1]
    assert weighed("assistant", loss_weight=0.0) == Message("assistant", "A", train=False)
    assert weighed("assistant", loss_weight=0.5) == Message("assistant", "A", weight=0.5)
    assert weighed("assistant", loss=False) == Message("assistant", "A", train=False)
    assert weighed("user", loss_weight=0.0) == TURNS[0]
    assert weighed("user", loss=True) == Message("user", "Q", train=True)


def test_preference_shapes() -> None:
    no = (Message("assistant", "no"),)
    gpt = [{"from": "gpt", "value": text} for text in ("A", "no")]
    for row in (
        {"query": "Q", "response": "A", "rejected_response": "no"},
        {"messages": say("u:Q", "a:A"), "rejected_response": "no"},
        {"conversations": [{"from": "human", "value": "Q"}], "chosen": gpt[0], "rejected": gpt[1]},
        {"prompt": "Q", "chosen": "A", "rejected": "no"},
        {"prompt": say("u:Q"), "chosen": say("a:A"), "rejected": say("a:no")},
        {"chosen": say("u:Q", "a:A"), "rejected": say("u:Q", "a:no")},
    ):
        found = parse(row)
        assert (found.messages, found.rejected) == (TURNS, no), row
    assert parse({"query": "Q", "response": "A", "label": True}).label is True
    assert parse({"query": "Q", "response": "A", "label": "true"}).label is None


def test_registered_renames_and_turn_options() -> None:
    assert parse({"q": "Q", "a": "A"}, columns={"q": "query", "a": "response"}).messages == TURNS
    options = {"conversations_key": "chat", "from_key": "who", "value_key": "says", "user_role": "guest"}
    rows = {"chat": [{"who": "guest", "says": "Q"}, {"who": "assistant", "says": "A"}]}
    assert parse(rows, conversations=options).messages == TURNS
    assert lost({"other": 1}, conversations=options) == "no column 'chat': found other"
    with pytest.raises(DataError, match=r"x\.jsonl:7: no turns"):
        lost({"chat": []}, conversations={**options, "error_strategy": "raise"})
    with pytest.raises(DataError, match="unknown format 'nope'; known: swift"):
        parse({"text": "A"}, format="nope")
    assert parse({"text": "A", "response": "other"}, format="text").messages == TURNS[1:]
    assert "alpaca" in FORMATS


def test_names_are_filled_by_the_language_of_the_row() -> None:
    row = DatasetRow(name="self", fill_names=True)
    parser = RowParser(row, ("小蓝", "Bluebell"), ("青空", "Clear Sky"))
    values = {"query": "Who?", "response": "I am {{NAME}} of {{ author }}, {{other}}.", "tag": "en"}
    english, chinese = parser.parse(values, PLACE), parser.parse({**values, "tag": "zh"}, PLACE)
    assert isinstance(english, Conversation)
    assert isinstance(chinese, Conversation)
    assert english.messages[1].content == "I am Bluebell of Clear Sky, {{other}}."
    assert chinese.messages[1].content == "I am 小蓝 of 青空, {{other}}."
    with pytest.raises(DataError, match="--model_name is not given"):
        RowParser(row).parse(values, PLACE)
    assert parse(values).messages[1].content == values["response"]


def test_media_follow_their_tags() -> None:
    found = parse({"query": "<image>What? <video>", "response": "A", "images": ["a", "b"], "videos": "v"})
    assert found.messages[0].content == "<image><image>What? <video>"
    assert found.media == (Media("image", "a"), Media("image", "b"), Media("video", "v"))
