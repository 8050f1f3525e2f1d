"""Calls whose arguments stand between tags, or as Python's keyword arguments: what the grammar lets through is what the format's own reader gives back."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llguidance", reason="llguidance is not installed")

from swift.llm.chat.constraint import Constrainer
from swift.llm.chat.sorting import Sorter
from swift.llm.chat.tool_grammar import tool_grammar
from swift.llm.core import Conversation, Message, ToolCall
from swift.llm.template import Template
from swift.llm.template.tools import TOOL_FORMATS
from swift.llm.tokenizer import TextTokenizer, load_tokenizer
from swift.utils.errors import DataError

DEMO = Path(__file__).parents[3] / "swift" / "demo" / "model"
FORMATS = [*(name for name, row in TOOL_FORMATS.items() if row.typed), "lfm2"]
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "short": {"type": "string", "minLength": 2, "maxLength": 5},
        "unit": {"enum": ["m", "m/s", "a b"]},
        "n": {"type": "integer", "minimum": 0, "maximum": 500},
        "sure": {"type": "boolean"},
        "some": {"$ref": "#/$defs/Some"},
        "place": {
            "type": "object",
            "properties": {"lat": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
            "required": ["lat"],
        },
        "maybe": {"anyOf": [{"$ref": "#/$defs/Unit"}, {"type": "null"}]},
        "either": {"type": ["string", "integer"]},
        "untold": {},
    },
    "required": ["text", "n"],
    "$defs": {
        "Some": {"type": "array", "items": {"$ref": "#/$defs/Unit"}, "maxItems": 3},
        "Unit": {"type": "string", "enum": ["kg", "</s>", "5"]},
    },
}
TOOLS = (
    {"type": "function", "function": {"name": "weigh", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "rest", "parameters": {"type": "object", "properties": {}}}},
)
WHOLE = {
    "text": "a <b>\n\nline\n", "short": "x<y", "unit": "m/s", "n": 12, "sure": True, "some": ["kg", "5"],
    "place": {"lat": 3, "tags": ["a < b", "天"]}, "maybe": None, "either": "word", "untold": "\n5 more",
}  # fmt: skip


class Told:
    """A template of the demo that writes calls in another format."""

    def __init__(self, tokenizer: TextTokenizer, name: str) -> None:
        self.tokenizer, self.name = tokenizer, "demo"
        self.tool_format, self.thinking_tags = TOOL_FORMATS[name], None

    parse = Template.parse


@pytest.fixture(scope="module")
def demo() -> TextTokenizer:
    return load_tokenizer(DEMO)


@pytest.fixture(scope="module")
def constrain(demo: TextTokenizer) -> Constrainer:
    return Constrainer(demo)


def grammar_of(told: Told, parameters: dict[str, Any], name: str | None = None) -> Any:
    tools = ({"type": "function", "function": {"name": "weigh", "parameters": parameters}}, *TOOLS[1:])
    return tool_grammar(told, Conversation((Message("user", "?"),), tools=tools), name)  # type: ignore[arg-type]


def accepts(tokenizer: TextTokenizer, constrain: Constrainer, grammar: Any, text: str) -> bool:
    constraint = constrain(grammar)
    for token in tokenizer.encode(text):
        if not np.isfinite(constraint.mask(np.zeros(tokenizer.vocab_size, dtype=np.float32))[token]):
            return False
        constraint.accept(token)
    logits = constraint.mask(np.zeros(tokenizer.vocab_size, dtype=np.float32))
    return constraint.is_done or bool(np.isfinite(logits[tokenizer.eos_token_id]))


def written(told: Told, arguments: dict[str, Any]) -> str:
    """As the format writes it, lists and objects as JSON (one format has them as Python's, and reads either)."""
    plain = {
        key: json.dumps(one, ensure_ascii=False) if isinstance(one, list | dict) and told.tool_format.typed else one
        for key, one in arguments.items()
    }
    return "".join(text for text, _ in told.tool_format.calls("", [ToolCall("weigh", plain)])).lstrip("\n")


@pytest.mark.parametrize("name", FORMATS)
def test_what_the_format_writes_is_let_through_and_what_would_not_come_back_is_not(
    name: str, demo: TextTokenizer, constrain: Constrainer
) -> None:
    told = Told(demo, name)
    grammar = grammar_of(told, PARAMETERS)
    for arguments in (WHOLE, {"text": "", "n": 0}, {"text": "5", "n": 5, "sure": False, "maybe": "kg"}):
        text = written(told, arguments)
        assert accepts(demo, constrain, grammar, text), (text, grammar.text)
        assert told.tool_format.parsed(text, TOOLS)[1] == (ToolCall("weigh", arguments),)
    for wrong in (
        {"text": "no n"},
        {"text": "", "n": 501},
        {"text": "", "short": "x", "n": 1},
        {"text": "", "unit": "cm", "n": 1},
        {"text": "", "n": 1, "some": ["other"]},
        {"text": "", "n": 1, "other": 1},
        *({"text": f"a{tag}b", "n": 1} for tag in told.tool_format.streaming.begins if told.tool_format.typed),
    ):
        assert not accepts(demo, constrain, grammar, written(told, wrong)), wrong


def drawn(
    constraint: Any, closers: list[list[int]], tokenizer: TextTokenizer, draws: random.Random
) -> list[int] | None:
    """Tokens that the grammar allows, by chance, with a leaning towards ends; None where there is no end in sight."""
    ids: list[int] = []
    plan: list[int] = []
    eos = tokenizer.eos_token_id
    while len(ids) < 300:
        logits = constraint.mask(np.zeros(tokenizer.vocab_size, dtype=np.float32))
        if np.isfinite(logits[eos]):
            return ids
        if not plan and draws.random() < 0.5:
            plan = list(draws.choice(closers))
        token = plan.pop(0) if plan else None
        if token is None or not np.isfinite(logits[token]):
            plan, token = [], int(draws.choice(np.flatnonzero(np.isfinite(logits))))
        constraint.accept(token)
        ids.append(token)
        if constraint.is_done:
            return ids
    return None


@pytest.mark.parametrize("name", FORMATS)
def test_whatever_the_grammar_writes_is_read_as_calls_with_the_schemas_keys(
    name: str, demo: TextTokenizer, constrain: Constrainer
) -> None:
    told = Told(demo, name)
    grammar = grammar_of(told, PARAMETERS)
    properties = PARAMETERS["properties"]
    draws, ends = random.Random(7), 0
    behind = written(told, {"text": "\ue000"}).partition("\ue000")[2][:24]
    closers = [demo.encode(text) for text in (behind, behind, '"', "]", "}")]
    for _ in range(5):
        ids = drawn(constrain(grammar), closers, demo, draws)
        if ids is None:
            continue
        ends += 1
        text = demo.decode(ids)
        calls = told.tool_format.parsed(text, TOOLS)[1]
        assert calls, text
        for call in calls:
            assert isinstance(call.arguments, dict)
            if call.name == "rest":
                assert call.arguments == {}
                continue
            assert {"text", "n"} <= set(call.arguments) <= set(properties), text
            assert isinstance(call.arguments["text"], str)
            assert type(call.arguments["n"]) is int
            assert call.arguments.get("unit", "m") in properties["unit"]["enum"]
            assert type(call.arguments.get("sure", True)) is bool
            assert isinstance(call.arguments.get("place", {}), dict)
        streamed = Sorter(told, TOOLS)  # type: ignore[arg-type]
        names = [one.name for piece in (text[:40], text[40:]) for one in streamed.push(piece).calls if one.name]
        names += [one.name for one in streamed.push("", is_end=True).calls if one.name]
        assert names == [call.name for call in calls]
    assert ends >= 3


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"properties": {"a": {"type": "string", "pattern": "^x"}}}, "'a' has .*pattern"),
        ({"properties": {"a": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]}}}, "'a' has .*maxLength"),
        ({"properties": {"a>b": {"type": "string"}}}, "'a>b' is no name"),
        ({"properties": {"a": {"enum": ["<tool_call>"]}}}, "'a' may be '<tool_call>'"),
        ({"anyOf": [{"required": ["a"]}]}, "'anyOf'"),
    ],
)  # fmt: skip
def test_what_tags_cannot_express_is_said(demo: TextTokenizer, schema: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=f"calls of 'weigh' cannot be forced: .*{said}"):
        grammar_of(Told(demo, "qwen3_coder"), {"type": "object", **schema}, "weigh")


def test_keyword_arguments_hold_any_text_and_python_s_words_or_json_s(
    demo: TextTokenizer, constrain: Constrainer
) -> None:
    told = Told(demo, "lfm2")
    grammar = grammar_of(
        told,
        {
            "type": "object",
            "properties": {"a": {"type": "string", "pattern": "^x"}, "b": {"type": ["boolean", "null"]}, "c": {}},
        },
        "weigh",
    )
    for arguments in ({"a": 'x)], <|tool_call_end|> \\ "q" 🙂'}, {"b": None}, {"a": "x", "b": True, "c": True}, {}):
        text = written(told, arguments)
        assert accepts(demo, constrain, grammar, text), text
        assert told.tool_format.parsed(text, TOOLS)[1] == (ToolCall("weigh", arguments),)
    text = '<|tool_call_start|>[weigh(c={"deep": [true, null]})]<|tool_call_end|>'
    assert accepts(demo, constrain, grammar, text)
    assert told.tool_format.parsed(text, TOOLS)[1] == (ToolCall("weigh", {"c": {"deep": [True, None]}}),)
    for wrong in ({"a": "y"}, {"b": 1}, {"d": 1}):
        assert not accepts(demo, constrain, grammar, written(told, wrong))
    with pytest.raises(DataError, match="its argument 'class' is no name that this format can write"):
        grammar_of(told, {"type": "object", "properties": {"class": {}}}, "weigh")


def test_tags_that_are_tokens_close_a_text(tmp_path: Path) -> None:
    folder = tmp_path / "tagged"
    folder.mkdir()
    backend = load_tokenizer(DEMO).backend.to_str()
    told = json.loads(backend)
    first = max(one["id"] for one in told["added_tokens"]) + 5000
    told["added_tokens"] += [
        {"id": first + number, "content": tag, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": False}
        for number, tag in enumerate(("<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"))
    ]  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(told))
    (folder / "tokenizer_config.json").write_text((DEMO / "tokenizer_config.json").read_text())
    tokenizer = load_tokenizer(folder)
    for name in ("glm4_5", "glm4_7"):
        format_ = Told(tokenizer, name)
        grammar = grammar_of(format_, PARAMETERS, "weigh")
        assert accepts(tokenizer, Constrainer(tokenizer), grammar, written(format_, WHOLE)), grammar.text
