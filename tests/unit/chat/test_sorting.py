"""Sorting an answer that grows: whatever the cuts, the pieces joined are what the template reads in the whole text."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swift.llm.chat.sorting import Sorter
from swift.llm.core import Message, ToolCall
from swift.llm.template import Template
from swift.llm.template.tools import TOOL_FORMATS, ToolFormat

TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "tide",
            "description": "",
            "parameters": {
                "type": "object",
                "properties": {"s": {"type": "string"}, "i": {"type": "integer"}, "o": {"type": "object"}},
            },
        },
    },
)
CONTENTS = (
    "",
    "I look it up.",
    "Two\n\nlines < with { [ signs ☀",
    "An Action is near",
    "a <tool_ or <| is no call",
    " x ",
)
TEXTS = st.one_of(
    st.sampled_from(("", "5", "true", 'say "hi"\n</b>', "}]}", "\\", "☀ 天", "{", '\\"}')),
    st.text(st.characters(exclude_characters="<>", exclude_categories=("Cs",)), max_size=8),
)
ARGUMENTS = st.fixed_dictionaries(
    {}, optional={"s": TEXTS, "i": st.integers(-99, 99), "o": st.dictionaries(st.just("k"), TEXTS, max_size=1)}
)
OWN_READER = {name for name, row in TOOL_FORMATS.items() if row.read is not None}


@dataclass
class Reader:
    """The reading half of a template, for any pair of tool format and reasoning tags."""

    tool_format: ToolFormat | None
    thinking_tags: tuple[str, str] | None
    parse = Template.parse


def written(tool_format: ToolFormat, content: str, calls: Sequence[ToolCall]) -> str:
    messages: Sequence[Message] = [Message("assistant", content, tool_calls=tuple(calls))]
    if tool_format.ids is not None:
        messages = tool_format.ids(messages)
    return "".join(piece for piece, _ in tool_format.calls(content, messages[0].tool_calls))


def joined(
    reader: Any, parts: Sequence[str], tools: Sequence[Any] = TOOLS, opened: bool = False
) -> tuple[str, str, list[tuple[str, str]]]:
    """Content, reasoning, and the name and the arguments of each call."""
    sorter = Sorter(reader, tools, opened=opened)
    content = reasoning = ""
    names: dict[int, str] = {}
    arguments: dict[int, str] = {}
    ids = []
    for number, part in enumerate(parts):
        piece = sorter.push(part, is_end=number + 1 == len(parts))
        content, reasoning = content + piece.content, reasoning + piece.reasoning
        for call in piece.calls:
            if call.name is not None:
                assert call.index == len(names)
                assert call.index not in names
                names[call.index] = call.name
                ids.append(call.id)
            else:
                assert call.id is None
            arguments[call.index] = arguments.get(call.index, "") + call.arguments
    assert len(set(ids)) == len(ids)
    assert all(id_ is not None and len(id_) == 29 for id_ in ids)
    return content, reasoning, [(names[index], arguments[index]) for index in names]


def expected(reader: Any, text: str, opened: bool = False) -> tuple[str, str, list[tuple[str, Any]]]:
    message = reader.parse(text, TOOLS, opened=opened)
    return message.content, message.reasoning or "", [(call.name, call.arguments) for call in message.tool_calls]


def decoded(found: tuple[str, str, list[tuple[str, str]]]) -> tuple[str, str, list[tuple[str, Any]]]:
    def value(text: str) -> Any:
        try:
            read = json.loads(text)
        except json.JSONDecodeError:
            return text
        return read if isinstance(read, dict) else text

    return found[0], found[1], [(name, value(text)) for name, text in found[2]]


def cut(text: str, places: Sequence[int]) -> list[str]:
    borders = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(borders)]


def test_every_format_has_signs() -> None:
    assert [name for name, row in TOOL_FORMATS.items() if not (row.streaming.begins or row.streaming.channels)] == []


@pytest.mark.parametrize("name", list(TOOL_FORMATS))
def test_pieces_joined_are_the_message(name: str) -> None:
    tool_format = TOOL_FORMATS[name]

    @settings(max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(CONTENTS),
        st.lists(ARGUMENTS, max_size=1 if tool_format.one_call else 3),
        st.sampled_from(("none", "plain", "opened", "unclosed")),
        st.lists(st.integers(0, 500), max_size=6),
        st.booleans(),
    )
    def check(content: str, arguments: list[dict[str, Any]], thinking: str, places: list[int], letters: bool) -> None:
        text = written(tool_format, content, [ToolCall("tide", one) for one in arguments]) if arguments else content
        reader = Reader(tool_format, None if thinking == "none" or name in OWN_READER else ("<think>", "</think>"))
        if reader.thinking_tags is not None:
            text = {"plain": "<think>\nHm, {so} <t\n</think>\n\n", "opened": "Hm\n</think>\n\n", "unclosed": "<think>"}[
                thinking
            ] + text
        opened = thinking == "opened" and reader.thinking_tags is not None
        found = joined(reader, list(text) if letters else cut(text, places), opened=opened)
        assert decoded(found) == expected(reader, text, opened)

    check()


@pytest.mark.parametrize("name", list(TOOL_FORMATS))
def test_text_without_a_call_is_content(name: str) -> None:
    reader = Reader(TOOL_FORMATS[name], None)
    texts = ["Plain.", "<tool_call>\n{broken\n</tool_call>", '{"name": 3}', "[TOOL_CALLS] [1]", "Action: wait\nThen"]
    texts += [begin + " x" for begin in TOOL_FORMATS[name].streaming.begins]
    for text in texts:
        if name in OWN_READER and "<|" in text:
            continue
        assert decoded(joined(reader, list(text))) == expected(reader, text), text


@pytest.mark.parametrize("name", list(TOOL_FORMATS))
def test_an_answer_cut_off_in_a_call_keeps_its_beginning(name: str) -> None:
    tool_format = TOOL_FORMATS[name]
    reader = Reader(tool_format, None)
    text = written(tool_format, "", [ToolCall("tide", {"s": "Skagen"})])
    whole = json.dumps({"s": "Skagen"})
    for size in range(len(text)):
        _, _, calls = joined(reader, list(text[:size]))
        assert len(calls) <= 1
        for called, arguments in calls:
            assert called == "tide"
            assert whole.replace(" ", "").startswith("".join(arguments.split()))
        assert joined(reader, list(text[:size])) == joined(reader, [text[:size]])


@pytest.mark.parametrize("name", [name for name, row in TOOL_FORMATS.items() if row.streaming.around is not None])
def test_arguments_come_in_pieces(name: str) -> None:
    tool_format = TOOL_FORMATS[name]
    text = written(tool_format, "", [ToolCall("tide", {"s": "Skagen", "i": 5})])
    sorter = Sorter(Reader(tool_format, None), TOOLS)  # type: ignore[arg-type]
    pieces = [call.arguments for letter in text for call in sorter.push(letter).calls]
    assert len([piece for piece in pieces if piece]) > 10
    assert json.loads("".join(pieces)) == {"s": "Skagen", "i": 5}


def test_text_comes_as_soon_as_it_is_certain() -> None:
    sorter = Sorter(Reader(TOOL_FORMATS["hermes"], ("<think>", "</think>")), TOOLS)  # type: ignore[arg-type]
    shown = []
    for part in ("<thi", "nk>", "\nHm", "\n", "</think>", "\n\n", "Look", " <", "b> and", " <tool_call>", " is a tag"):
        piece = sorter.push(part)
        shown.append((piece.reasoning, piece.content))
    nothing = ("", "")
    assert shown[:7] == [nothing, nothing, ("Hm", ""), nothing, nothing, nothing, ("", "Look")]
    assert [content for _, content in shown[7:]] == ["", " <b> and", "", " <tool_call> is a tag"]


def test_calls_that_look_like_text_need_tools() -> None:
    text = '{"name": "tide", "parameters": {"s": "x"}}'
    reader = Reader(TOOL_FORMATS["llama3_1"], None)
    assert joined(reader, list(text), tools=()) == (text, "", [])
    assert joined(reader, list(text))[2] == [("tide", '{"s": "x"}')]


def test_a_second_call_follows_a_first_one_at_once() -> None:
    sorter = Sorter(Reader(TOOL_FORMATS["qwen3_coder"], None), TOOLS)  # type: ignore[arg-type]
    call = "<tool_call>\n<function=tide>\n<parameter=s>\nx\n</parameter>\n</function>\n</tool_call>"
    assert [one.name for one in sorter.push(call).calls] == ["tide"]
    assert [one.index for one in sorter.push("\n" + call).calls] == [1]


@pytest.mark.parametrize("name", list(TOOL_FORMATS))
def test_cuts_change_nothing_in_broken_text(name: str) -> None:
    tool_format = TOOL_FORMATS[name]
    call = written(tool_format, "", [ToolCall("tide", {"s": "x"})])
    marks = [call[:size] for size in range(1, len(call), 7)] + [call[size:] for size in range(1, len(call), 9)]
    marks += [
        "<think>",
        "</think>",
        "\n",
        " ",
        "text",
        "{",
        *tool_format.streaming.ending,
        *tool_format.streaming.opening,
        call,
    ]
    reader = Reader(tool_format, tool_format.streaming.thinking or ("<think>", "</think>"))

    @settings(max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.sampled_from(marks), max_size=6), st.lists(st.integers(0, 500), max_size=6), st.booleans())
    def check(parts: list[str], places: list[int], opened: bool) -> None:
        text = "".join(parts)
        once = joined(reader, [text], opened=opened)
        assert joined(reader, list(text) or [""], opened=opened) == once
        assert joined(reader, cut(text, places), opened=opened) == once

    check()


HARMONY = (
    "<|channel|>analysis<|message|>First <b>.<|end|><|start|>assistant<|channel|>analysis<|message|>Second.<|end|>"
    "<|start|>assistant<|channel|>commentary<|message|>I look.<|end|>"
    '<|start|>assistant<|channel|>commentary to=functions.tide <|constrain|>json<|message|>{"s": "x"}'
)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("harmony", HARMONY, ("I look.", "First <b>.\nSecond.", [("tide", {"s": "x"})])),
        ("harmony", HARMONY.rpartition("<|start|>")[0], ("I look.", "First <b>.\nSecond.", [])),
        ("harmony", "<|channel|>final<|message|>Yes", ("Yes", "", [])),
        ("harmony", "no channel at all", ("no channel at all", "", [])),
        ("solar", "<|think|>Hm<|end|><|begin|>assistant<|content|>Yes<|end|>", ("Yes", "Hm", [])),
        (
            "solar",
            "<|think|>Hm<|end|><|begin|>assistant<|tool_calls|><|tool_call:begin|>a1<|tool_call:name|>tide"
            '<|tool_call:args|>{"s": "x"}<|tool_call:end|><|calls|>',
            ("", "Hm", [("tide", {"s": "x"})]),
        ),
        ("laguna", "<think>\n Hm\n</think>\n\nYes \n", ("Yes", "Hm", [])),
        (
            "laguna",
            "<think>Hm</think>\nI look.\n<tool_call>tide\n<arg_key>s</arg_key>\n<arg_value>x</arg_value>\n</tool_call>\n",
            ("I look.", "Hm", [("tide", {"s": "x"})]),
        ),
    ],
)
def test_formats_that_read_whole_answers(name: str, text: str, message: Any) -> None:
    reader = Reader(TOOL_FORMATS[name], None)
    assert expected(reader, text) == message
    assert decoded(joined(reader, list(text))) == message
    assert decoded(joined(reader, [text])) == message
