"""Rows of Llama, Mistral, Gemma, Phi and some twenty other families against their official chat templates.

Texts are compared on the golden conversations and on many others; what the rows do otherwise is named here, case by case.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from swift.llm.catalog.registries import TEMPLATE_MAPPING
from swift.llm.core import Conversation, Encoded, Message, ToolCall
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import Template, open_template
from swift.llm.template.behaviours import THINKING
from swift.llm.template.jinja import environment
from swift.llm.template.render import DEFAULT_DATE, RowRenderer
from swift.llm.template.tools import TOOL_FORMATS
from swift.llm.template.tools.llama import builtin_call
from swift.llm.tokenizer import TextTokenizer, load_tokenizer

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

ROWS = {
    "Apertus-8B-Instruct": "apertus",
    "Bielik-11B-v3.0-Instruct": "bielik_v3",
    "HuggingFaceTB-SmolLM3-3B": "smollm3",
    "LFM2-8B-A1B": "lfm2",
    "Mistral-Small-3.2-24B-Instruct-2506": "mistral_2506",
    "NVIDIA-Nemotron-Nano-v2": "nemotron_nano_v2",
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use": "hermes2_pro",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": "hermes3",
    "axolotl/gemma3n": "gemma3n",
    "axolotl/llama4": "llama4",
    "axolotl/mistral_v1": "mistral_v1",
    "axolotl/mistral_v2v3": "mistral_v3",
    "axolotl/phi_4": "phi4_reasoning",
    "google-gemma-2-2b-it": "gemma2",
    "ibm-granite-granite-3.3-2B-Instruct": "granite3_3",
    "llama-cpp-rwkv-world": "rwkv_world",
    "meetkai-functionary-medium-v3.1": "functionary_v3_1",
    "meta-llama-Llama-3.1-8B-Instruct": "llama3_1",
    "meta-llama-Llama-3.3-70B-Instruct": "llama3_1",
    "microsoft-Phi-3.5-mini-instruct": "phi3",
    "mistralai-Mistral-Nemo-Instruct-2407": "mistral-nemo",
    "poolside-Laguna-XS.2": "laguna_xs2",
    "trl/gemma3": "gemma3_text",
    "trl/lfm2": "lfm2",
    "trl/llama3": "llama3",
    "unsloth-Apriel-1.5": "apriel_1_5",
    "upstage-Solar-Open-100B": "solar_open",
}
TOOLS = {"tools_question_gen", "tool_call_train", "tool_parallel_gen", "tool_nested_arguments_train"}
CALLED = {"tool_call_train", "tool_parallel_gen", "tool_nested_arguments_train"}
FIELD = {"reasoning_content_train"}
LOST_SYSTEM = {"system_multi_train", "whitespace_code_train", "tool_call_train", "long_multi_train"}

# Golden conversations whose text differs, by row, and why:
# - the official text leaves out the reasoning field (all rows but the two that write it), the calls (LFM2, Granite, SmolLM3),
#   the tools (Phi, Gemma, Llama 3, Mistral v1, RWKV, SmolLM3), the system text (Mistral), an empty answer (Nemotron);
# - Apertus leaves the last answer unclosed (see `official`); Bielik a tool's answer behind a system text;
# - Laguna's prompt closes the reasoning block unless thinking is switched on, so the last answer has none then;
# - Nemotron doubles the think tag of a last answer that brings its own;
# - Hermes ends a tool's answer otherwise when it stands last, where the prompt must be the beginning of what follows.
DIFFERS: dict[str, set[str]] = {
    **{row: set(FIELD) for row in ROWS.values() if row not in ("bielik_v3", "laguna_xs2")},
    "bielik_v3": {"tool_call_train"},
    "laguna_xs2": {"think_tags_last_train"} | FIELD,
    "smollm3": TOOLS | FIELD,
    "lfm2": CALLED | FIELD,
    "granite3_3": CALLED | FIELD,
    "nemotron_nano_v2": {"empty_assistant_last_train", "think_tags_last_train"} | FIELD,
    "hermes2_pro": {"tool_parallel_gen"},
    "hermes3": {"tool_parallel_gen"},
    "gemma3n": {"tools_question_gen"} | FIELD,
    "gemma3_text": {"tools_question_gen"} | FIELD,
    "mistral_v1": {"tools_question_gen"} | FIELD,
    "mistral_v3": LOST_SYSTEM | FIELD,
    "mistral-nemo": LOST_SYSTEM | FIELD,
    "phi4_reasoning": TOOLS | FIELD,
    "phi3": TOOLS | FIELD,
    "llama3": TOOLS | FIELD,
    "rwkv_world": TOOLS | FIELD | {"think_tags_last_train"},
}
MARKERS = re.compile(
    r"<\|[\w:]+\|>|<SPECIAL_\d+>|\[/?[A-Z_]{3,}\]|</?(?:start|end)_of_turn>|</?(?:assistant|user|system)>|〈\|EOS\|〉"
)


@cache
def official_text(name: str) -> str:
    return (DATA / "templates" / f"{name}.jinja").read_text(encoding="utf-8")


@cache
def golden(name: str) -> Any:
    return json.loads((DATA / "golden" / "templates" / f"{name}.json").read_text(encoding="utf-8"))


@cache
def tokenizer_of(name: str, folder: Path) -> TextTokenizer:
    """A tokenizer of bytes with the markers of a template and its named tokens."""
    if not DATA.is_dir():
        pytest.skip(f"no golden data: {DATA} is absent")
    named = {key: value for key, value in golden(name)["special_tokens"].items() if value}
    markers = sorted({*MARKERS.findall(official_text(name)), *named.values(), "<|tool_call|>", "<|tool_call_start|>"})
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in markers])
    place = folder / name.replace("/", "_")
    place.mkdir()
    made.save(str(place / "tokenizer.json"))
    config = {**named, "chat_template": official_text(name)}
    (place / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return load_tokenizer(place)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def pair(request: pytest.FixtureRequest, folder: Path) -> SimpleNamespace:
    """The row and the official template of one model, over one tokenizer."""
    name: str = request.param
    tokenizer = tokenizer_of(name, folder)
    row = ROWS[name]
    plan = TemplatePlan(template_type=row)
    return SimpleNamespace(
        name=name,
        row=row,
        ours=open_template(row, tokenizer, plan),
        theirs=Official(official_text(name), tokenizer.named_tokens),
        tokenizer=tokenizer,
    )


class Official:
    """An official chat template, rendered as transformers does."""

    def __init__(self, text: str, named: Mapping[str, str | None]) -> None:
        self._template = environment().from_string(text)
        self._named = {key: value for key, value in named.items() if value is not None}

    def text(self, conversation: Conversation, generate: bool) -> str | None:
        """None where the template refuses, whatever way it does."""
        today = datetime(DEFAULT_DATE.year, DEFAULT_DATE.month, DEFAULT_DATE.day)
        variables = {
            **self._named,
            **conversation.template_kwargs,
            "messages": [_plain(message) for message in conversation.messages],
            "tools": list(conversation.tools) or None,
            "documents": None,
            "add_generation_prompt": generate,
            "strftime_now": today.strftime,
            "swift_marks": ("", ""),
        }
        try:
            return self._template.render(**variables)
        except (TemplateError, TypeError):
            return None


def _plain(message: Message) -> dict[str, Any]:
    """A message as transformers hands it to a template."""
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.reasoning is not None:
        out["reasoning_content"] = message.reasoning
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    return out


def written(template: Template, conversation: Conversation, generate: bool) -> str:
    return "".join(segment.text for segment in template.render(conversation, generate))


def expected(row: str, text: str, conversation: Conversation, generate: bool) -> str:
    """The official text with what the row must do otherwise in every conversation of a kind."""
    last = conversation.messages[-1]
    if row == "apertus" and last.role == "assistant" and not last.tool_calls and not generate:
        return text + "<|assistant_end|>"
    if row == "apertus" and generate and last.role == "tool":
        return text.removesuffix("<|assistant_start|>")
    if row.startswith("hermes") and generate and last.role == "tool":
        end = "<|im_end|><|im_start|>assistant\n"
        return text.removesuffix(end) + "\n" + end
    return text


every_pair = pytest.mark.parametrize("pair", list(ROWS), indirect=True)


@every_pair
def test_golden_texts(material: Any, pair: SimpleNamespace) -> None:
    equal = 0
    for case in golden(pair.name)["cases"]:
        if "error" in case:
            continue
        id_ = case["id"]
        conversation, generate = material.conversation(id_), material.conversations[id_]["add_generation_prompt"]
        texts = [
            re.sub("⟦strftime:(.*?)⟧", lambda found: DEFAULT_DATE.strftime(found[1]), one)
            for one in (case["text"], *case.get("also", ()))
        ]
        if id_ in DIFFERS.get(pair.row, set()):
            with_refusal = pair.ours.encode(conversation) if not generate else None
            if isinstance(with_refusal, Encoded):
                assert written(pair.ours, conversation, generate) not in texts, id_
            continue
        assert written(pair.ours, conversation, generate) in [
            expected(pair.row, text, conversation, generate) for text in texts
        ], id_
        equal += 1
    assert equal >= (3 if pair.row.startswith("hermes") else 7)


WORDS = (
    "Hello",
    "  two ",
    "\n\nlead",
    "trail\n\n ",
    "/no_think please",
    "do /think",
    "ü 😀 漢字",
    '{"a": 1}',
    "[INST] <|im_end|></s>",
    "'q' \"d\" & <b>",
    "\x85nel\u2028sep",
    "<tool_response>\nx\n</tool_response>",
)
TAGGED = ("a </think> b", "<think>\nhm\n</think>\n\nso", "x<think>y</think> z</think> w")
SCHEMAS: tuple[dict[str, Any], ...] = (
    {"type": "string", "description": "A <b> & 'c'"},
    {"type": "integer", "description": "n"},
    {"type": "number", "description": " spaced "},
    {"type": "boolean", "default": True, "description": "b"},
    {"type": "array", "items": {"type": "string"}, "description": "l"},
    {"type": "array", "items": {"type": "object", "properties": {"q": {"type": "integer"}}}, "description": "l"},
    {"type": "array", "description": "l"},
    {
        "type": "object",
        "properties": {"a": {"enum": ["x", "y"], "type": "string"}},
        "required": ["a"],
        "description": "o",
    },
    {"type": "string", "enum": ["u", "v"], "default": "u", "description": "e"},
    {"type": "string", "nullable": True, "description": "e"},
    {"oneOf": [{"type": "string", "description": "s"}, {"type": "integer", "default": 3}], "description": "either"},
    {"type": ["string", "integer"], "description": "several"},
    {"description": "untyped"},
)
VALUES = (1, 2.5, True, None, "text", 'ü "q"\n\\', [1, "a"], {"k": {"n": []}}, "", -0.0)
# What the official template of a row leaves out or gets wrong is not asked here (the golden test names it).
ASKED: dict[str, dict[str, Any]] = {
    "bielik_v3": {
        "reasoning": True,
        "system_and_calls": False,
        "thinking": ({}, {"enable_thinking": False}),
        "prompt_kwargs": ({"enable_thinking": True},),
    },
    "laguna_xs2": {
        "reasoning": True,
        "plain_last": True,
        "thinking": ({},),
        "prompt_kwargs": ({"enable_thinking": True},),
    },
    "smollm3": {"tools": False},
    "lfm2": {"calls": False},
    "granite3_3": {
        "calls": False,
        "kwargs": ({}, {"thinking": True}),
        "prompt_kwargs": ({"controls": {"length": "short"}},),
    },
    "nemotron_nano_v2": {"tags": False},
    "hermes2_pro": {"tools": "always"},
    "hermes3": {"tools": "always"},
    "gemma3n": {"tools": False, "alternate": True},
    "gemma3_text": {"tools": False, "alternate": True},
    "gemma2": {"tools": False, "system": False, "alternate": True},
    "mistral_v1": {"tools": False, "alternate": True},
    "mistral_v3": {"system": False, "alternate": True},
    "mistral-nemo": {"system": False, "alternate": True},
    "mistral_2506": {"alternate": True},
    "phi4_reasoning": {"tools": False},
    "phi3": {"tools": False},
    "llama3": {"tools": False},
    "rwkv_world": {
        "tools": False,
        "tags": False,
        "thinking": ({}, {"enable_thinking": True}),
        "thinking_in_prompts": True,
    },
    "llama3_1": {
        "one_call": True,
        "kwargs": (
            {},
            {"builtin_tools": ["look", "code_interpreter"]},
            {"date_string": "01 Jan 2020"},
            {"tools_in_user_message": False},
        ),
    },
    "solar_open": {
        "kwargs": ({}, {"default_system_prompt": False}, {"response_format": "{}"}),
        "prompt_kwargs": ({"reasoning_effort": "low"},),
    },
}


def conversations(row: str, seed: int, number: int) -> list[tuple[Conversation, bool]]:
    """Random conversations of the kinds that the row and its official template both write."""
    chooser, asked = random.Random(seed), ASKED.get(row, {})
    words = WORDS + (TAGGED if asked.get("tags", True) else ())
    out = []
    for _ in range(number):
        given = asked.get("tools", True)
        tools = (
            () if not given else tuple(_tool(chooser) for _ in range(chooser.randint(1 if given == "always" else 0, 2)))
        )
        calls = bool(tools) and asked.get("calls", True)
        system = asked.get("system", True) and chooser.random() < 0.5
        if calls and system and not asked.get("system_and_calls", True):
            calls = False
        messages = [Message("system", chooser.choice(words))] if system else []
        for _ in range(chooser.randint(1, 3)):
            messages.append(Message("user", chooser.choice(("", *words))))
            if chooser.random() < 0.1 and not asked.get("alternate"):
                messages.append(Message("user", chooser.choice(words)))
            if calls and chooser.random() < 0.6:
                made = tuple(
                    _call(chooser, len(messages) * 10 + one)
                    for one in range(1 if asked.get("one_call") else chooser.randint(1, 3))
                )
                messages.append(_answer(chooser, words, asked, made))
                messages += [Message("tool", chooser.choice(words), tool_call_id=call.id) for call in made]
            messages.append(_answer(chooser, words, asked))
        generate = chooser.random() < 0.5
        if generate:
            messages.pop()
        elif asked.get("plain_last"):
            messages[-1] = Message("assistant", chooser.choice(WORDS))
        switches = asked.get("thinking", ({}, {"enable_thinking": False}, {"enable_thinking": True}))
        if generate or not asked.get("thinking_in_prompts"):
            kwargs = dict(chooser.choice(switches))
        else:
            kwargs = {}
        kwargs.update(chooser.choice(asked.get("kwargs", ({},)) + (asked.get("prompt_kwargs", ()) if generate else ())))
        out.append((Conversation(tuple(messages), tools=tools, template_kwargs=kwargs), generate))
    return out


def _tool(chooser: random.Random) -> dict[str, Any]:
    properties = {f"p{number}": chooser.choice(SCHEMAS) for number in range(chooser.randint(0, 4))}
    required = [name for name in properties if chooser.random() < 0.5]
    parameters = {"type": "object", "properties": properties, "required": required}
    about = chooser.choice(("Does it", 'Say "hi" & <go>'))
    function = {"name": chooser.choice(("find", "look")), "description": about, "parameters": parameters}
    return {"type": "function", "function": function}


def _call(chooser: random.Random, number: int) -> ToolCall:
    arguments = {f"p{one}": chooser.choice(VALUES) for one in range(chooser.randint(0, 3))}
    name = chooser.choice(("find", "look"))
    if name == "look":
        arguments = dict.fromkeys(arguments, "some text")  # Llama's built-in calls hold text only
    return ToolCall(name, arguments, f"call{number:05d}")


def _answer(
    chooser: random.Random, words: tuple[str, ...], asked: dict[str, Any], calls: tuple[ToolCall, ...] = ()
) -> Message:
    reasoning = chooser.choice(("why\n", " because ")) if asked.get("reasoning") and chooser.random() < 0.4 else None
    return Message("assistant", chooser.choice(words), reasoning=reasoning, tool_calls=calls)


@every_pair
def test_texts_of_other_conversations(pair: SimpleNamespace) -> None:
    compared = 0
    for conversation, generate in conversations(pair.row, seed=11, number=120):
        official = pair.theirs.text(conversation, generate)
        if official is None:
            continue
        assert written(pair.ours, conversation, generate) == expected(pair.row, official, conversation, generate), (
            conversation
        )
        compared += 1
    assert compared >= 60


NASTY = ("Hi", "", " \n", "</s><|im_end|><|eot_id|><|end|><|end_of_text|><|assistant_end|>", "ü 漢字", "\n\nfirst")


def samples(row: str) -> list[Conversation]:
    """Conversations with calls, results and reasoning, ending with an answer."""
    call = ToolCall("find", {"place": "Ü </s>", "when": {"days": [1, 2]}}, "abcDEF123")
    tools = (_tool(random.Random(1)),)
    out = []
    for text in NASTY:
        out.append(Conversation((Message("user", text), Message("assistant", text))))
        out.append(Conversation((Message("system", "S" + text), Message("user", "Hi"), Message("assistant", text))))
        thought = Message("assistant", "Yes", reasoning="Let me see " + text)
        kwargs = {"enable_thinking": True} if row == "laguna_xs2" else {}
        out.append(Conversation((Message("user", "Hi"), thought), template_kwargs=kwargs))
        asked = (Message("system", "S"), Message("user", "Find"), Message("assistant", "I look", tool_calls=(call,)))
        out.append(Conversation(asked, tools=tools))
        told = (
            *asked,
            Message("tool", text, tool_call_id="abcDEF123", name="find"),
            Message("assistant", "Found" + text),
        )
        out.append(Conversation(told, tools=tools))
        out.append(Conversation((*told, Message("user", "More"), Message("assistant", text)), tools=tools))
    return out


@every_pair
def test_a_prompt_is_a_prefix_and_only_answers_are_trained(pair: SimpleNamespace) -> None:
    compared = 0
    guarded = pair.ours.tokenizer.special_tokens
    for conversation in samples(pair.row):
        sample = pair.ours.encode(conversation)
        if not isinstance(sample, Encoded):
            assert "where this format allows" in sample.reason or "take turns" in sample.reason, sample.reason
            continue
        before = Conversation(
            conversation.messages[:-1], tools=conversation.tools, template_kwargs=conversation.template_kwargs
        )
        prompt = pair.ours.encode_prompt(before)
        ids = sample.input_ids.tolist()
        assert ids[: len(prompt)] == prompt, conversation
        assert not sample.trained[len(prompt) - 1], conversation
        assert sample.trained[len(prompt)], conversation
        trained = sample.input_ids[sample.trained].tolist()
        if guarded and pair.row != "rwkv_world":
            stops = set(pair.ours.stop_ids)
            assert trained[-1] in stops or any(id_ in stops for id_ in trained[-2:]), conversation
        # A marker that somebody typed is no token: the control tokens are those of the same conversation without them.
        compared += 1
    assert compared >= 20


@every_pair
def test_typed_control_tokens_stay_text(pair: SimpleNamespace) -> None:
    markers = list(pair.tokenizer.special_tokens)
    evil = "".join(markers)

    def control(text: str) -> list[int]:
        talk = Conversation(
            (Message("user", text), Message("assistant", "a" + text), Message("user", "b"), Message("assistant", "c"))
        )
        own = set(pair.tokenizer.special_tokens.values())
        sample = pair.ours.encode(talk)
        assert isinstance(sample, Encoded)
        return [id_ for id_ in sample.input_ids.tolist() if id_ in own]

    assert control(evil) == control("word")


# Text beside a call, which the official text of these formats leaves out.
BARE = ("llama3_1", "mistral-nemo", "mistral_v3", "mistral_2506", "hermes2_pro", "hermes3", "solar_open")


@every_pair
def test_an_answer_is_read_back(pair: SimpleNamespace) -> None:
    row = TEMPLATE_MAPPING[pair.row]
    if row.tools is None:
        pytest.skip("the format knows no tools")
    calls = (ToolCall("find", {"place": "Ü", "when": {"days": [1, 2]}, "number": "5"}, "abcDEF123"),)
    tools = (_described(calls[0]),)
    # Solar's thought is a message of its own; Apertus ends a call with a token of the call.
    stops = {
        id_
        for id_ in pair.ours.stop_ids
        if pair.tokenizer.decode([id_]) != ("<|end|>" if pair.row == "solar_open" else "<|tools_suffix|>")
    }
    thinks = [name for name in row.behaviours if name in THINKING]
    for reasoning in (None, "Let me see.") if thinks else (None,):
        kwargs = {} if reasoning is None else {"enable_thinking": True}
        for made in ((), calls):
            answer = Message("assistant", "I look.", reasoning=reasoning, tool_calls=made)
            talk = Conversation((Message("user", "Find"), answer), tools=tools, template_kwargs=kwargs)
            sample = pair.ours.encode(talk)
            ids = sample.input_ids[sample.trained].tolist()
            stop = next((number for number, id_ in enumerate(ids) if id_ in stops), len(ids))
            read = pair.ours.parse(pair.ours.tokenizer.decode(ids[:stop]), tools)
            assert [(call.name, call.arguments) for call in read.tool_calls] == [(c.name, c.arguments) for c in made]
            assert (read.reasoning or None) == reasoning
            assert read.content.strip() == ("" if made and pair.row in BARE else "I look.")


MINE = (
    "apertus",
    "apriel",
    "bielik",
    "cohere",
    "firefunction",
    "functionary",
    "granite",
    "granite_3_0",
    "hermes_tool_use",
    "laguna",
    "lfm2",
    "llama3_1",
    "llama4",
    "mistral",
    "mistral_nemo",
    "mistral_v11",
    "nemotron",
    "smollm3",
    "solar",
)
WORD = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | WORD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3),
    max_leaves=6,
)
NAME = st.from_regex(r"[a-zA-Z_][\w-]{0,12}", fullmatch=True).filter(lambda name: name.isascii() and name != "python")
CALLS = st.lists(
    st.builds(ToolCall, NAME, st.dictionaries(WORD.filter(bool), JSON, max_size=3)), min_size=1, max_size=3
)


@pytest.mark.parametrize("name", MINE)
@settings(max_examples=60, deadline=None)
@given(calls=CALLS)
def test_calls_are_read_back(name: str, calls: list[ToolCall]) -> None:
    tool_format = TOOL_FORMATS[name]
    calls = calls[:1] if tool_format.one_call else calls
    [message] = _prepared(name, [Message("assistant", "", tool_calls=tuple(calls))])
    text = "".join(piece for piece, _ in tool_format.calls("", message.tool_calls))
    assert tool_format.parsed(text, [_described(call) for call in message.tool_calls]) == ("", message.tool_calls)


def _described(call: ToolCall) -> dict[str, Any]:
    """A tool whose schema names the types of these arguments, which formats that write them bare are read by."""
    kinds = {
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "number",
        type(None): "null",
        dict: "object",
        list: "array",
    }
    assert not isinstance(call.arguments, str)
    properties = {key: {"type": kinds[type(value)]} for key, value in call.arguments.items()}
    return {
        "type": "function",
        "function": {"name": call.name, "parameters": {"type": "object", "properties": properties}},
    }


def _prepared(name: str, messages: list[Message]) -> list[Message]:
    prepare = TOOL_FORMATS[name].ids
    return messages if prepare is None else prepare(messages)


@pytest.mark.parametrize(
    "name",
    [
        "apertus",
        "apriel",
        "bielik",
        "cohere",
        "firefunction",
        "functionary",
        "granite",
        "laguna",
        "lfm2",
        "llama4",
        "nemotron",
        "smollm3",
    ],
)
def test_text_beside_a_call_is_kept(name: str) -> None:
    call = ToolCall("find", {"place": "Skagen"})
    text = "".join(piece for piece, _ in TOOL_FORMATS[name].calls("I look it up.", (call,)))
    assert TOOL_FORMATS[name].parsed(text) == ("I look it up.", (call,))


def test_builtin_calls_of_llama_are_read_back() -> None:
    call = ToolCall("brave_search", {"query": "tide at Skagen"})
    [(begin, _), (text, _)] = builtin_call(call)
    assert TOOL_FORMATS["llama3_1"].parse(begin + text) == ("", (call,))


OLDER = {
    "teknium/OpenHermes-2.5-Mistral-7B": "chatml",
    "mlabonne/AlphaMonarch-7B": "alphamonarch",
    "Orca-Vicuna": "orca_vicuna",
    "Llama-3": "llama3",
    "Phi-3-small": "phi3_small",
    "ibm-granite/granite-3.0-8b-instruct": "granite3_0",
    "mistralai/Mistral-Large-Instruct-2411 (mistralai 'v7' template)": "mistral_v7",
}


@pytest.mark.parametrize("model", list(OLDER))
def test_older_templates(material: Any, model: str) -> None:
    [case] = [case for case in material.json("golden/llama_cpp_cases.json")["cases"] if case["model"] == model]
    tokenizer = stand_in(material, case["special_tokens"])
    renderer = RowRenderer(TEMPLATE_MAPPING[OLDER[model]], tokenizer, TemplatePlan(template_type=OLDER[model]))
    talk = Conversation(tuple(Message(message["role"], message["content"]) for message in case["messages"]))
    assert "".join(atom[0] for atom in renderer.atoms(talk, case["add_generation_prompt"])) == case["text"]


def stand_in(material: Any, named: dict[str, str]) -> Any:
    """GPT-2's tokenizer under the named tokens of another model: for texts alone."""
    inner = material.tokenizer("gpt2")

    class Renamed:
        bos_token = named.get("bos_token", "")
        eos_token = named.get("eos_token", "")
        starts_with_bos = bool(bos_token)
        named_tokens = named

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def guard(self, tokens: list[str]) -> Any:
            return self

    return Renamed()


def test_command_r_tells_tools_as_officially(material: Any) -> None:
    """Prompts are equal; in a whole conversation the order to act stands before the last answer, and calls are closed."""
    tokenizer = stand_in(material, {"bos_token": "<BOS_TOKEN>", "eos_token": "<|END_OF_TURN_TOKEN|>"})
    row = RowRenderer(TEMPLATE_MAPPING["c4ai"], tokenizer, TemplatePlan(template_type="c4ai"))
    official = Official(official_text("CohereForAI-c4ai-command-r-plus-tool_use"), tokenizer.named_tokens)
    compared = 0
    for conversation, generate in conversations("c4ai", seed=3, number=120):
        if not conversation.tools or not generate:
            continue
        text = official.text(conversation, True)
        if text is None:  # an object without additionalProperties, say
            continue
        ours = "".join(atom[0] for atom in row.atoms(conversation, True))
        assert ours.replace("\n]```\n<|END_OF_TURN_TOKEN|>", "\n]```\n") == text
        answered = Conversation((*conversation.messages, Message("assistant", "Done.")), tools=conversation.tools)
        whole = "".join(atom[0] for atom in row.atoms(answered))
        assert whole == ours + "Done.<|END_OF_TURN_TOKEN|>"
        compared += 1
    assert compared >= 10


def test_firefunction_tells_tools_as_officially(material: Any) -> None:
    tokenizer = stand_in(material, {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"})
    row = RowRenderer(TEMPLATE_MAPPING["firefunction_v2"], tokenizer, TemplatePlan(template_type="firefunction_v2"))
    official = Official(official_text("fireworks-ai-llama-3-firefunction-v2"), tokenizer.named_tokens)
    compared = 0
    for conversation, generate in conversations("firefunction_v2", seed=3, number=60):
        if not conversation.tools or not generate:
            continue
        told = {
            "functions": json.dumps(list(conversation.tools), indent=4, ensure_ascii=False),
            "datetime": "2024-07-26",
        }
        with_variables = replace(conversation, tools=(), template_kwargs=told)
        assert "".join(atom[0] for atom in row.atoms(conversation, True)) == official.text(with_variables, True)
        compared += 1
    assert compared >= 10
