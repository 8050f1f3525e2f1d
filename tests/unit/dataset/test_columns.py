from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swift.llm.catalog.rows import DatasetRow
from swift.llm.core import Conversation, Dropped, Media, Message, Place, ToolCall
from swift.llm.dataset.columns import RowParser
from swift.llm.dataset.formats import FORMATS
from swift.utils.errors import DataError

PLACE = Place("x.jsonl", 7)
TURNS = (Message("user", "Q"), Message("assistant", "A"))
BACK = (Message("user", "q"), Message("assistant", "a"))


def parse(
    values: Any, *, need_answer: bool = True, preference: Any = None, place: Place = PLACE, **row: Any
) -> Conversation:
    parser = RowParser(DatasetRow(name="x", **row), need_answer=need_answer, preference=preference)
    found = parser.parse(values, place)
    assert isinstance(found, Conversation), found
    return found


def lost(values: Any, *, preference: Any = None, **row: Any) -> str:
    found = RowParser(DatasetRow(name="x", **row), preference=preference).parse(values, PLACE)
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
        ({"query": "Q", "response": "A", "history": "[('q', 'a')]"}, (*BACK, *TURNS)),
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
def test_known_shapes(row: dict[str, Any], messages: tuple[Message, ...]) -> None:
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
        ({"query": "Q", "response": "A\ud83d"}, "broken text: a lone surrogate \\ud83d"),
        ({"query": "Q", "response": "A", "tools": [{"name": "f", "parameters": {"x": "\ud83d"}}]},
         "broken text: a lone surrogate \\ud83d"),
        ({"query": "Q", "response": "A", "tools": "[" * 9999}, "tools is nested too deeply"),
        ({"messages": [{"role": "patient", "content": "x"}, {"role": "doctor", "content": "y"}]},
         "unknown roles 'patient', 'doctor'"),
        ({"messages": [{"role": "user", "content": "Q", "weight": float("nan")}]}, "weight is no usable number"),
        ({"messages": [{"role": "user", "content": "Q", "weight": -(10**400)}]}, "weight is below 0, expected 0 or more"),
        ({"messages": [{"role": ["user"], "content": "Q"}]}, "unknown role ['user']"),
        ({"messages": [{"role": "assistant", "content": [{"type": "image", "image": "a"}]}]},
         "image in an assistant turn"),
        ({"query": "<img>a</img>", "response": "A", "images": ["b"]}, "images both as a column and inside of the text"),
        ({"text": "T", "prompt": None, "images": [], "label": "x", "segments": 1, "response": None}, None),
        ({"query": "Q", "response": "A", "images": ["a"], "history": [["<image><image>", "a"]]},
         "2 <image> tags for 1 media"),
    ],
)  # fmt: skip
def test_a_bad_row_is_lost_with_its_reason(row: Any, reason: str | None) -> None:
    if reason is None:
        assert parse(row).messages == (Message("assistant", "T"),)
    else:
        assert lost(row) == reason


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["user", "assistant", "[{", "A"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["role", "content", "from", "value", "type", "text", "name", "tool_calls", "function", "label", "score"]),
        inner, max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
COLUMNS = [
    "query", "response", "history", "history_roles", "query_role", "system", "instruction", "input", "output", "messages",
    "conversations", "conversation", "text", "prompt", "completion", "chosen", "rejected", "rejected_response", "label", "tools",
    "images", "objects", "responses", "scores", "input_ids", "labels", "question", "answer", "segments", "choices", "category",
]  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(COLUMNS), JSON, max_size=6), st.sampled_from([None, *FORMATS]))
def test_no_row_of_any_shape_crashes(row: dict[str, Any], kind: str | None) -> None:
    found = RowParser(DatasetRow(name="x", format=kind)).parse(row, PLACE)
    assert isinstance(found, Conversation | Dropped)
    assert isinstance(found, Conversation) or found.reason


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_no_value_of_a_column_crashes(value: Any) -> None:
    for row in (
        value,
        {"messages": value},
        {"chosen": value, "rejected": value},
        {"query": "Q", "response": value, "tools": value},
    ):
        assert isinstance(RowParser(DatasetRow(name="x")).parse(row, PLACE), Conversation | Dropped)


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


def test_calls_and_results_in_the_forms_of_other_services() -> None:
    made = ToolCall("f", {"x": 1}, "c1")
    old = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"x": 1}'}}
    assert parse({"messages": [*say("u:Q"), old]}).messages[1].tool_calls == (ToolCall("f", {"x": 1}),)
    use = {"type": "tool_use", "name": "f", "input": {"x": 1}, "id": "c1"}
    found = parse(
        {
            "functions": [{"name": "f"}],
            "messages": [
                {"role": "user", "content": "Q"},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, use]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": {"y": 2}}]},
                {"role": "ASSISTANT", "content": [{"type": "output_text", "text": "A"}]},
            ],
        }
    )
    assert found.messages == (
        Message("user", "Q"),
        Message("assistant", "", reasoning="hm", tool_calls=(made,)),
        Message("tool", '{"y": 2}', tool_call_id="c1"),
        Message("assistant", "A"),
    )
    assert found.tools[0]["function"] == {"name": "f"}
    for role in ("tool", "observation", "function", "ipython"):
        turns = [{"role": role, "content": "1"}, {"role": role, "content": "2"}, *say("a:A")]
        assert [m.role for m in parse({"messages": [*say("u:Q"), old, *turns]}).messages[2:4]] == ["tool", "tool"]


def test_nulls_of_a_table_are_no_part_of_tools() -> None:
    tools = [{"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "string"}, "y": None}}}]
    call = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "f", "arguments": {"x": "1", "y": None}}}],
    }
    row = {"messages": [*say("u:Q"), call], "tools": tools}
    table = parse(row, place=Place("x.parquet", 1))
    assert table.tools[0]["function"]["parameters"]["properties"] == {"x": {"type": "string"}}
    assert table.messages[1].tool_calls == (ToolCall("f", {"x": "1"}),)
    file = parse(row)
    assert file.tools[0]["function"]["parameters"]["properties"]["y"] is None  # what somebody wrote is kept
    assert file.messages[1].tool_calls == (ToolCall("f", {"x": "1", "y": None}),)


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


NO = (Message("assistant", "no"),)


def test_preference_shapes() -> None:
    gpt = [{"from": "gpt", "value": text} for text in ("A", "no")]
    whole = {"chosen": say("u:Q", "a:A"), "rejected": say("u:Q", "a:no")}
    for row in (
        {"query": "Q", "response": "A", "rejected_response": "no"},
        {"query": "Q", "response": "A", "rejected_response": ["no", "nor this"]},
        {"messages": say("u:Q", "a:A"), "rejected_response": "no"},
        {"messages": say("u:Q", "a:A"), "rejected_messages": say("u:Q", "a:no")},
        {"conversations": [{"from": "human", "value": "Q"}], "chosen": gpt[0], "rejected": gpt[1]},
        {"messages": say("u:Q"), "chosen": "A", "rejected": "no"},
        {"messages": say("u:Q", "a:A"), **whole, "prompt": "Q", "score_chosen": 9, "score_rejected": 2},
        {"prompt": "Q", "chosen": "A", "rejected": "no"},
        {"instruction": "Q", "chosen": "A", "rejected": "no"},
        {"prompt": say("u:Q"), "chosen": say("a:A"), "rejected": say("a:no")},
        {"prompt": "Q", "chosen": "[{'role': 'assistant', 'content': 'A'}]", "rejected": "no"},
        {"prompt": "Q", "chosen": say("a:A"), "rejected": say("u:Q", "a:no")},
        {"prompt": "Q", **whole},
        whole,
        {"chosen": str(whole["chosen"]), "rejected": str(whole["rejected"])},
        {"chosen": "\n\nHuman: Q\n\nAssistant: A", "rejected": "\n\nHuman: Q\n\nAssistant: no"},
        {"prompt": "Q", "responses": ["no", "A", "so"], "scores": [1, 3, 2.5]},
        {"question": "Q", "responses": [{"text": "A", "score": 2}, {"text": "no", "score": -1}]},
        {"input": "Q", "output": [{"text": "A", "score": 2}, {"text": "no", "score": -1}]},
        {
            "instruction": "Q",
            "completions": [{"response": "A", "overall_score": 4}, {"response": "no", "overall_score": 1}],
        },
    ):
        found = parse(row, preference="pair")
        assert (found.messages, found.rejected) == (TURNS, NO), row


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"query": "Q", "response": "A"}, "no rejected answer"),
        ({"query": "Q", "response": "A", "rejected_response": "A"}, "chosen and rejected are the same"),
        ({"chosen": "A", "rejected": "no"}, "chosen and rejected without a question: none of prompt, query"),
        ({"chosen": say("u:Q", "a:A"), "rejected": say("u:R", "a:no")}, "chosen and rejected begin differently"),
        (
            {"prompt": "Q", "chosen": "A", "rejected": "no", "score_chosen": 1, "score_rejected": 2},
            "score_chosen is below",
        ),
        ({"prompt": "Q", "responses": ["x", "y"], "scores": [1, 1]}, "all 2 answers have the same score"),
        ({"prompt": "Q", "responses": ["x"], "scores": [1]}, "1 answer in responses, two are needed"),
        ({"prompt": "Q", "responses": ["x", "y"], "scores": [1]}, "scores is no list as long as responses"),
        ({"prompt": "Q", "responses": ["x", "y"]}, "an answer of responses has no score"),
        ({"prompt": "Q", "responses": ["x", "y"], "scores": [1, "2"]}, "the score '2' is no number"),
        ({"prompt": "Q", "chosen": [], "rejected": "no"}, "chosen holds no turn"),
    ],
)
def test_a_pair_that_is_none_is_lost(row: dict[str, Any], reason: str) -> None:
    assert lost(row, preference="pair").startswith(reason)


def test_labels_are_booleans() -> None:
    for label in (True, False):
        assert parse({"query": "Q", "response": "A", "label": label}, preference="label").label is label
    for label, told in (("true", "'true', expected true or false, without quotes"), (1, "1, expected true or false")):
        assert (
            lost({"query": "Q", "response": "A", "label": label}, preference="label") == f"wrong type: label is {told}"
        )
        assert (
            parse({"query": "Q", "response": "A", "label": label}).label is None
        )  # of no concern where nothing is aligned
    assert lost({"query": "Q", "response": "A"}, preference="label") == "no label"


def test_registered_renames_and_turn_options() -> None:
    assert parse({"q": "Q", "a": "A"}, columns={"q": "query", "a": "response"}).messages == TURNS
    options = {"conversations_key": "chat", "from_key": "who", "value_key": "says", "user_role": "guest"}
    rows = {"chat": [{"who": "guest", "says": "Q"}, {"who": "assistant", "says": "A"}]}
    assert parse(rows, conversations=options).messages == TURNS
    assert lost({"other": 1}, conversations=options) == "no column 'chat': found other"
    with pytest.raises(DataError, match=r"x\.jsonl:7: no turns"):
        lost({"chat": []}, conversations={**options, "error_strategy": "raise"})
    with pytest.raises(DataError, match=r"unknown type 'nope'\. Known: swift"):
        parse({"text": "A"}, format="nope")
    assert parse({"text": "A", "response": "other"}, format="text").messages == TURNS[1:]
    assert "alpaca" in FORMATS


def test_a_medium_may_stand_alone() -> None:
    row = {"image": "a.png", "conversations": [{"from": "human", "value": "<image>\nQ"}, {"from": "gpt", "value": "A"}]}
    assert parse(row).media == (Media("image", "a.png"),)
    assert parse({"image": "", "query": "Q", "response": "A"}).media == ()


def test_a_table_holds_lists_as_text() -> None:
    row = {"query": "<image>Q<image>", "response": "A", "images": '["a.png", "b.png"]'}
    assert parse(row).media == (Media("image", "a.png"), Media("image", "b.png"))
    assert parse({"query": "Q", "response": "A", "images": "[1].png"}).media == (Media("image", "[1].png"),)
    turns = {"prompt": json.dumps(say("u:Q")), "completion": json.dumps(say("a:A"))}
    assert parse(turns).messages == TURNS
    assert parse({"prompt": turns["prompt"], "chosen": "A", "rejected": "B"}).messages == TURNS
    quoted = '[{"name": "no turn"}]'
    assert parse({"prompt": quoted, "completion": "A"}).messages[0].content == quoted


def test_a_system_text_has_other_names() -> None:
    system = (Message("system", "S"), *TURNS)
    assert parse({"system_prompt": "S", "question": "Q", "response": "A"}).messages == system
    assert parse({"system_message": "S", "messages": say("u:Q", "a:A")}).messages == system
    assert parse({"system_prompt": "T", "system": "S", "query": "Q", "response": "A"}).messages == system


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "Q", "output": "O", "reflection": "R", "corrected": "C"},
        {"title": "T", "text": "X", "explanation": "E"},
        {"text": "X", "question": "Q", "answer": "A"},
    ],
)
def test_no_shape_reads_half_of_a_row(row: dict[str, str]) -> None:
    assert lost(row).startswith("no known columns")


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


def test_media_inside_of_the_text_and_as_parts() -> None:
    found = parse({"query": "<img>a.jpg</img>What? <audio>b.wav</audio>", "response": "<img>c</img>"})
    assert found.messages == (Message("user", "<image>What? <audio>"), Message("assistant", "<img>c</img>"))
    assert found.media == (Media("image", "a.jpg"), Media("audio", "b.wav"))
    part = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    asked = {"role": "user", "content": [part, {"type": "text", "text": "What?"}]}
    found = parse({"messages": [asked, *say("a:A")]})
    assert (found.messages[0].content, found.media) == ("<image>What?", (Media("image", "https://x/y.png"),))
    asked["content"][0] = {"type": "image"}  # type: ignore[index]
    assert parse({"messages": [asked, *say("a:A")], "images": ["z.png"]}).media == (Media("image", "z.png"),)
    assert parse({"query": "<video>of <b>html</b>", "response": "A"}).media == ()
    raw = parse({"query": "Q", "response": "A", "images": [{"bytes": b"x", "path": None}]})
    assert raw.media == (Media("image", "data:;base64,eA=="),)
    caption = parse({"response": "A", "images": ["a"]})
    assert (caption.messages[0].content, caption.segments) == ("<image>", ())


def test_objects_are_checked() -> None:
    box = {"caption": "buoy", "bbox": [1, 2, 3, 4], "bbox_type": "real", "image": 0}
    row = {"query": "Where is <ref-object>?", "response": "<bbox>", "images": ["a"]}
    assert parse({**row, "objects": json.dumps([box])}).objects == (box,)
    for wrong, reason in (
        ([], None),
        ([{**box, "bbox": [1, 2]}], "the bbox of object 1 is not [x_min, y_min, x_max, y_max]"),
        ([{**box, "bbox_type": "x"}], "bbox_type 'x' of object 1 is none of real, norm_1000, norm_1"),
        ([{**box, "image": 1}], "object 1 is in image 1, and there are 1"),
        ("no", "wrong type: objects is text that is neither JSON nor a Python literal"),
    ):
        if reason is not None:
            assert lost({**row, "objects": wrong}) == reason
    assert lost({**row, "query": "<ref-object> <ref-object>", "objects": [box]}) == "2 <ref-object> tags for 1 objects"


def test_options_of_registrations() -> None:
    said = [{"from": "guest", "value": "Q"}, {"from": "cook", "value": "A"}]
    roles = {"roles": {"input": ["guest"], "output": ["cook"]}}
    assert parse({"conversations": said}, conversations=roles).messages == TURNS
    media = {"conversations_key": "chat", "media_type": "image", "media_key": "picture"}
    found = parse({"chat": say("u:Q", "a:A"), "picture": "p.png"}, conversations=media)
    assert found.media == (Media("image", "p.png"),)
    both = {"columns": {"q": "query", "a": "response"}, "conversations": {"conversations_key": "chat"}}
    assert parse({"q": "Q", "a": "A", "chat": say("u:x", "a:y")}, **both).messages == TURNS
    assert parse({"chat": say("u:Q", "a:A"), "tags": 3}, **both).messages == TURNS
    assert parse({"query": "Q", "response": "A", "id": 4, "label": True}, keep_columns=True).extra == {"id": 4}


def test_media_follow_their_tags() -> None:
    found = parse({"query": "<image>What? <video>", "response": "A", "images": ["a", "b"], "videos": "v"})
    assert found.messages[0].content == "<image><image>What? <video>"
    assert found.media == (Media("image", "a"), Media("image", "b"), Media("video", "v"))
