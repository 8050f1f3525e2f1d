"""Tool formats: what is written is read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools import TOOL_FORMATS, Tool, ToolFormat
from swift.llm.template.tools.mistral import with_ids
from swift.llm.template.tools.values import read_value

CALLS = (
    ToolCall("tide", {"place": "Skagen", "when": {"from": "06:00", "days": [1, 2]}, "high": True}),
    ToolCall("none", {}),
    ToolCall("text", {"quote": 'say "hi"\n</b> <tool> ü ☀ [1]'}),
)
TYPES = {"s": "string", "i": "integer", "x": "number", "b": "boolean", "l": "array", "o": "object", "z": "null"}
TOOL: Tool = {
    "type": "function",
    "function": {
        "name": "tide",
        "description": "",
        "parameters": {"type": "object", "properties": {key: {"type": kind} for key, kind in TYPES.items()}},
    },
}
# Text that reads like another type, markup that is not the format's, and any signs; the tags of the XML-like formats end
# their values, so a value may not hold them.
TEXTS = st.one_of(
    st.sampled_from(
        ("5", "007", "1e5", "true", "True", "null", "None", "[1]", '{"a": 1}', '"x"', "'x'", "", " ", "\n\n")
    ),
    st.text(st.characters(exclude_characters="<>", exclude_categories=("Cs",)), max_size=12),
    st.sampled_from(('say "hi"\n</b> <tool>', "Überall ☀ 天", "a\\nb", "}]}", "\t x ")),
)
VALUES = {
    "s": TEXTS,
    "i": st.integers(-(10**12), 10**12),
    "x": st.one_of(st.integers(-9, 9), st.floats(-1e6, 1e6, allow_nan=False)),
    "b": st.booleans(),
    "l": st.lists(st.one_of(st.integers(0, 9), TEXTS, st.none(), st.booleans()), max_size=3),
    "o": st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(0, 9), st.lists(st.booleans(), max_size=2)), max_size=2),
    "z": st.none(),
}
ARGUMENTS = st.fixed_dictionaries({}, optional=VALUES)


def written(tool_format: ToolFormat, content: str, calls: Sequence[ToolCall]) -> tuple[str, tuple[ToolCall, ...]]:
    """The text of an answer, and its calls with the ids that the format gives them."""
    messages: Sequence[Message] = [Message("assistant", content, tool_calls=tuple(calls))]
    if tool_format.ids is not None:
        messages = tool_format.ids(messages)
    [message] = messages
    return "".join(piece for piece, _ in tool_format.calls(content, message.tool_calls)), message.tool_calls


@pytest.mark.parametrize("name", list(TOOL_FORMATS))
def test_calls_are_read_back(name: str) -> None:
    tool_format = TOOL_FORMATS[name]
    for calls in [[call] for call in CALLS] + ([] if tool_format.one_call else [list(CALLS)]):
        text, expected = written(tool_format, "", calls)
        assert tool_format.parsed(text) == ("", expected)


@pytest.mark.parametrize("name", list(TOOL_FORMATS))
def test_any_calls_are_read_back(name: str) -> None:
    tool_format = TOOL_FORMATS[name]

    @settings(max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(ARGUMENTS, min_size=1, max_size=1 if tool_format.one_call else 3))
    def check(given_arguments: list[dict[str, Any]]) -> None:
        text, expected = written(tool_format, "", [ToolCall("tide", arguments) for arguments in given_arguments])
        assert tool_format.parsed(text, [TOOL]) == ("", expected)
        found = tool_format.parsed(text, [TOOL])[1]
        types = [{key: type(value) for key, value in dict(call.arguments).items()} for call in found]  # type: ignore[arg-type]
        assert types == [{key: type(value) for key, value in one.items()} for one in given_arguments]

    check()


# Formats that leave out a text beside a call, as their official templates do, or that keep it in another channel.
WITHOUT_TEXT = {
    "hermes_tool_use",
    "llama3_1",
    "mistral",
    "mistral_nemo",
    "mistral_v11",
    "firefunction",
    "bielik",
    "harmony",
    "command_r",
    "solar",
}


@pytest.mark.parametrize("name", sorted({*TOOL_FORMATS} - WITHOUT_TEXT))
def test_text_before_a_call_is_kept(name: str) -> None:
    tool_format = TOOL_FORMATS[name]
    text, expected = written(tool_format, "Thought: I look it up.", CALLS[:1])
    assert tool_format.parsed(text) == ("Thought: I look it up.", expected)


@pytest.mark.parametrize("name", list(TOOL_FORMATS))
@pytest.mark.parametrize(
    "text", ["", "Plain answer.", "<tool_call>\n{broken\n</tool_call>", '{"name": 3}', "[TOOL_CALLS] [1]"]
)
def test_other_text_has_no_calls(name: str, text: str) -> None:
    assert TOOL_FORMATS[name].parsed(text) == (text, ())


def test_arguments_that_are_no_json_stay_text() -> None:
    call = ToolCall("tide", "{place: Skagen")
    for name in ("hermes", "deepseek", "deepseek_v3_1", "kimi_k2", "harmony"):
        text, expected = written(TOOL_FORMATS[name], "", (call,))
        assert TOOL_FORMATS[name].parse(text) == ("", expected)


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("5", {"type": "string"}, "5"),
        ("5", {"type": "integer"}, 5),
        ("5", {}, 5),
        ("007", {}, "007"),
        ("True", {"type": "boolean"}, True),
        ("true", {"type": "boolean"}, True),
        ("None", {"type": ["string", "null"]}, None),
        ("5", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "5"),
        ("5", {"enum": ["5", "6"]}, "5"),
        ("{'a': [1, None]}", {"type": "object"}, {"a": [1, None]}),
        ("several", {"type": "integer"}, "several"),
        ('"x"', {}, '"x"'),
    ],
)
def test_bare_values_have_the_types_of_their_schema(text: str, schema: Any, value: Any) -> None:
    found = read_value(text, schema)
    assert (found, type(found)) == (value, type(value))


def test_harmony_answers_are_read_by_channel() -> None:
    answer = (
        "<|channel|>analysis<|message|>Look it up.<|end|><|start|>assistant<|channel|>commentary<|message|>One moment.<|end|>"
        '<|start|>assistant to=functions.tide<|channel|>commentary json<|message|>{"place": "Skagen"}<|call|>'
    )
    read = TOOL_FORMATS["harmony"].read
    assert read is not None
    call = ToolCall("tide", {"place": "Skagen"})
    assert read(answer, ()) == Message("assistant", "One moment.", reasoning="Look it up.", tool_calls=(call,))
    constrained = '<|channel|>commentary to=functions.tide <|constrain|>json<|message|>{"place": "Skagen"}'
    assert read(constrained, ()).tool_calls == (call,)
    final = "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b < c<|return|>"
    assert read(final, ()) == Message("assistant", "b < c", reasoning="a")
    assert read("<|channel|>final<|message|>half an ans", ()).content == "half an ans"
    assert read("no channel at all", ()) == Message("assistant", "no channel at all")


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
    bare = {"name": "tide", "description": "Tide at a place", "parameters": {"type": "object", "properties": {}}}
    for name in (
        "react_en",
        "react_zh",
        "toolbench",
        "mistral",
        "qwen3_coder",
        "harmony",
        "deepseek",
        "seed_oss",
        "minimax_m2",
    ):
        wrapped = TOOL_FORMATS[name].describe([{"type": "function", "function": bare}])
        assert TOOL_FORMATS[name].describe([bare]) == wrapped
        assert "tide" in "".join(text for text, _ in wrapped)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(JSON, max_size=3))
def test_keyword_arguments_are_read_in_python_s_spelling_and_in_json_s(values: list[Any]) -> None:
    fmt, arguments = TOOL_FORMATS["lfm2"], {f"k{number}": value for number, value in enumerate(values)}
    call = ToolCall("a-tool", arguments)
    text, calls = written(fmt, "then text", [call])
    assert fmt.parse(text) == ("then text", calls)
    spelled = ", ".join(f"{key}={json.dumps(value)}" for key, value in arguments.items())
    text = f"<|tool_call_start|>[a-tool({spelled})]<|tool_call_end|>"
    assert fmt.parse(text) == ("", (call,))


@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        ('f(a=\'it\\\'s\', b="""x\n""", )', {"a": "it's", "b": "x\n"}),
        ("f(a=(1, -2.5), **{'b c': .5})", {"a": [1, -2.5], "b c": 0.5}),
        ('f(a=b"x")', 'a=b"x"'),  # JSON has no bytes, sets, other keys than texts, or endless numbers
        ("f(a={1, 2})", "a={1, 2}"),
        ("f(a={1: 2})", "a={1: 2}"),
        ("f(a=1e999)", "a=1e999"),
        ("f(a=1, a=2)", "a=1, a=2"),
        ("f(g(1))", "g(1)"),
        ("f(a=1) and g(b=2)", None),
        ("f(a=1), , g()", None),
        ("f(a=" + "[" * 10_000, None),
    ],
)
def test_keyword_arguments_that_json_cannot_say_stay_text(body: str, arguments: Any) -> None:
    text = f"<|tool_call_start|>[{body}]<|tool_call_end|>"
    expected = (text, ()) if arguments is None else ("", (ToolCall("f", arguments),))
    assert TOOL_FORMATS["lfm2"].parse(text) == expected
