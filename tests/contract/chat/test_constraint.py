"""Grammars through llguidance, with the tokenizers of real models and that of the demo."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llguidance", reason="llguidance is not installed")

from swift.llm.chat.constraint import Constrainer
from swift.llm.chat.sorting import Sorter
from swift.llm.chat.tool_grammar import form_grammar, tool_grammar
from swift.llm.core import Conversation, Grammar, Message, ToolCall
from swift.llm.template import Template, get_template
from swift.llm.template.tools import TOOL_FORMATS
from swift.llm.tokenizer import TextTokenizer, load_tokenizer
from swift.utils.errors import DataError, EngineError

REPO = Path(__file__).parents[3]
DEMO = REPO / "swift" / "demo" / "model"
DATA = REPO.parent / "shared" / "data"
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"name": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["name", "n"],
        "additionalProperties": False,
    }
)
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "tide",
            "parameters": {"type": "object", "properties": {"s": {"type": "string"}}, "required": ["s"]},
        },
    },
    {"type": "function", "function": {"name": "sun", "parameters": {"type": "object", "properties": {}}}},
)


@pytest.fixture(scope="module")
def demo() -> TextTokenizer:
    return load_tokenizer(DEMO)


def follow(tokenizer: TextTokenizer, constrain: Constrainer, grammar: Grammar, text: str, extra: int = 5) -> bool:
    """Whether the grammar takes the text to its end, where a stop id ends it."""
    constraint = constrain(grammar)
    for token in tokenizer.encode(text):
        logits = constraint.mask(np.zeros(tokenizer.vocab_size + extra, dtype=np.float32))
        assert not np.isfinite(logits[tokenizer.vocab_size :]).any()
        if not np.isfinite(logits[token]):
            return False
        constraint.accept(token)
    if constraint.is_done:
        return True
    stop = tokenizer.eos_token_id
    assert stop is not None
    logits = constraint.mask(np.zeros(tokenizer.vocab_size + extra, dtype=np.float32))
    if not np.isfinite(logits[stop]):
        return False
    constraint.accept(stop)
    assert constraint.is_done
    with pytest.raises(EngineError, match="after the end"):
        constraint.accept(stop)
    return True


def tokenizer_folder(name: str) -> Path:
    found = sorted(DATA.glob(f"**/{name}/tokenizer.json")) if DATA.is_dir() else []
    if not found:
        pytest.skip(f"no tokenizer {name} beside the checkout")
    return found[0].parent


@pytest.mark.parametrize("name", ["demo", "gpt2", "llama-2-chat", "mistral-v3", "phi-3.5-mini-instruct"])
def test_every_kind_of_tokenizer_follows_a_schema(name: str, demo: TextTokenizer) -> None:
    tokenizer = demo if name == "demo" else load_tokenizer(tokenizer_folder(name))
    constrain = Constrainer(tokenizer)
    schema = Grammar("json_schema", SCHEMA)
    assert follow(tokenizer, constrain, schema, '{"name": "Zürich 天", "n": 5}')
    assert follow(tokenizer, constrain, schema, '{"name": "",\n  "n":-3}')
    assert not follow(
        tokenizer, constrain, schema, '{"name": "",   "n": -3}'
    )  # blanks are bounded, and so the answer ends
    assert not follow(tokenizer, constrain, schema, '{ "name": "", "n": -3}')
    assert not follow(tokenizer, constrain, schema, '{"name": "Zürich"}')
    assert not follow(tokenizer, constrain, schema, 'Sure: {"name": "x", "n": 5}')


def test_the_other_kinds(demo: TextTokenizer) -> None:
    constrain = Constrainer(demo)
    anything = Grammar("json_object")
    assert follow(demo, constrain, anything, '{"a": [1, {"b": null}]}')
    assert not follow(demo, constrain, anything, "[1]")
    assert follow(demo, constrain, Grammar("regex", "(yes|no)!?"), "no!")
    assert not follow(demo, constrain, Grammar("regex", "(yes|no)!?"), "maybe")
    assert follow(demo, constrain, Grammar("lark", 'start: "a" b+\nb: "b"'), "abb")


def test_control_tokens_never_come_inside(demo: TextTokenizer) -> None:
    constraint = Constrainer(demo)(Grammar("json_object"))
    for token in demo.encode('{"a": "'):
        constraint.accept(token)
    logits = constraint.mask(np.zeros(demo.vocab_size, dtype=np.float32))
    assert not any(np.isfinite(logits[token]) for token in demo.special_tokens.values())
    with pytest.raises(EngineError, match="not what the grammar allows"):
        constraint.accept(demo.eos_token_id or 0)


def test_tensors_are_masked_in_place(demo: TextTokenizer) -> None:
    torch = pytest.importorskip("torch")
    constraint = Constrainer(demo)(Grammar("regex", "yes"))
    logits = torch.zeros(demo.vocab_size + 3, dtype=torch.bfloat16)
    assert constraint.mask(logits) is logits
    allowed = [int(token) for token in logits.isfinite().nonzero()[:, 0]]
    assert 0 < len(allowed) <= 3
    assert all("yes".startswith(demo.decode([token])) for token in allowed)


@pytest.mark.parametrize(
    ("grammar", "said"),
    [
        (Grammar("json_schema", "{"), "JSON schema is not JSON"),
        (Grammar("json_schema", "[]"), "an object is expected"),
        (Grammar("json_schema", '{"type": "nope"}'), "nope"),
        (Grammar("json_schema", '{"not": {"type": "string"}}'), "not"),
        (Grammar("regex", "(a"), "regular expression cannot be followed"),
        (Grammar("lark", "start: foo"), "foo"),
    ],
)
def test_what_cannot_be_followed_is_said(demo: TextTokenizer, grammar: Grammar, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Constrainer(demo)(grammar)


class Told:
    """A template of the demo that writes calls in another format."""

    def __init__(self, tokenizer: TextTokenizer, name: str) -> None:
        self.tokenizer, self.name = tokenizer, "demo"
        self.tool_format, self.thinking_tags = TOOL_FORMATS[name], None

    parse = Template.parse


@pytest.mark.parametrize(
    "name",
    [name for name, row in TOOL_FORMATS.items() if row.streaming.around is not None or row.typed or name == "lfm2"],
)
def test_forced_calls_are_calls_of_the_format(demo: TextTokenizer, name: str) -> None:
    told = Told(demo, name)
    conversation = Conversation((Message("user", "?"),), tools=TOOLS)
    constrain = Constrainer(demo)
    fmt = told.tool_format
    for wanted, names in (("tide", ["tide"]), (None, ["sun"] if fmt.one_call else ["tide", "sun"])):
        grammar = tool_grammar(told, conversation, wanted)  # type: ignore[arg-type]
        calls = [ToolCall(one, {"s": "x y"} if one == "tide" else {}) for one in names]
        messages = [Message("assistant", "", tool_calls=tuple(calls))]
        written = fmt.ids(messages) if fmt.ids is not None else messages
        text = "".join(piece for piece, _ in fmt.calls("", written[0].tool_calls)).lstrip("\n")
        assert follow(demo, constrain, grammar, text), grammar.text
        piece = Sorter(told, TOOLS).push(text, is_end=True)  # type: ignore[arg-type]
        assert [call.name for call in piece.calls if call.name] == names
        assert not follow(demo, constrain, grammar, "The tide is high.")


def test_a_thinking_answer_thinks_first() -> None:
    tokenizer = load_tokenizer(tokenizer_folder("qwen3"))
    template = get_template("qwen3", tokenizer)
    conversation = Conversation((Message("user", "?"),), tools=TOOLS)
    grammar = tool_grammar(template, conversation, "tide", opened=True)
    text = 'Hm, <b>\n</think>\n\n<tool_call>\n{"name": "tide", "arguments": {"s": "x"}}\n</tool_call>'
    constraint = Constrainer(template.tokenizer, template.stop_ids)(grammar)
    for token in template.tokenizer.encode(text):
        constraint.accept(token)
    assert constraint.is_done


@pytest.mark.parametrize("opened", [False, True])
def test_an_answer_in_a_form_may_call_instead(opened: bool) -> None:
    tokenizer = load_tokenizer(tokenizer_folder("qwen3"))
    template = get_template("qwen3", tokenizer)
    form = Grammar("json_schema", '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}')
    constrain = Constrainer(template.tokenizer, template.stop_ids)
    call = '<tool_call>\n{"name": "tide", "arguments": {"s": "x"}}\n</tool_call>'
    for tools, takes in ((TOOLS, ['{"a": 1}', call]), ((), ['{"a": 1}'])):
        grammar = form_grammar(template, Conversation((Message("user", "?"),), tools=tools), form, opened=opened)
        for text in ('{"a": 1}', call, '{"b": 1}', "The tide is high."):
            thought = 'Hm, {"b": 1}.\n</think>\n\n' if opened else ""
            assert follow(template.tokenizer, constrain, grammar, thought + text) == (text in takes), grammar.text
    assert (grammar == form) is not opened
    with pytest.raises(DataError, match="beside tools or reasoning"):
        form_grammar(template, Conversation((Message("user", "?"),), tools=TOOLS), Grammar("regex", "a"))


def test_what_cannot_be_forced_says_so(demo: TextTokenizer) -> None:
    conversation = Conversation((Message("user", "?"),), tools=TOOLS)
    told = Told(demo, "lfm2")
    told.tool_format = replace(told.tool_format, calls=lambda content, calls: [(content, False)])
    with pytest.raises(DataError, match="writes calls as 'lfm2' does, and a grammar cannot follow it"):
        tool_grammar(told, conversation, None)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="'moon' is asked for; the tools are 'tide', 'sun'"):
        tool_grammar(Told(demo, "hermes"), conversation, "moon")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no tools"):
        tool_grammar(Told(demo, "hermes"), Conversation((Message("user", "?"),)), None)  # type: ignore[arg-type]
