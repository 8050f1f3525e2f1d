"""Rows against the official chat templates of their models, on random conversations: the same text, or a named difference."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swift.llm.catalog.registries import TEMPLATE_MAPPING
from swift.llm.core import Conversation, Message, ToolCall
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template.jinja import environment
from swift.llm.template.render import CUT, DEFAULT_DATE, RowRenderer

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@dataclass(frozen=True)
class Official:
    """A template's file, the row that states it, and in what they differ."""

    file: str
    row: str
    # Both texts are put through this first; it removes what the row writes and the official text of a whole conversation lacks.
    same: Callable[[str, Conversation, bool], str] = lambda text, conversation, generate: text
    reasoning: bool = True  # the official template writes `reasoning_content`
    tools: bool = True  # ... tells tools and writes calls
    several_calls: bool = True
    empty_answers: bool = True
    systems: str = "any"  # where a system text may stand: any place, or "first"
    rename: tuple[str, str] | None = None  # the template's own name of a message's field
    kwargs: tuple[dict[str, Any], ...] = ({},)


def _answer_start(text: str, marker: str) -> int:
    return text.rfind(marker) + len(marker)


def no_last_thought(
    marker: str, thought: str = r"(?:<think>\n.*?\n</think>)?\n*", only: dict[str, Any] | None = None
) -> Callable[[str, Conversation, bool], str]:
    """Without the thought of the last answer, of which the prompt holds the beginning and the official text does not."""

    def same(text: str, conversation: Conversation, generate: bool) -> str:
        if generate or conversation.messages[-1].role != "assistant":
            return text
        if only is not None and conversation.template_kwargs != only:
            return text
        start = _answer_start(text, marker)
        return text[:start] + re.sub(r"\A" + thought, "", text[start:], flags=re.DOTALL)

    return same


def closed(*closes: str) -> Callable[[str, Conversation, bool], str]:
    """Without the token that ends the last answer, which the official text of a whole conversation lacks."""

    def same(text: str, conversation: Conversation, generate: bool) -> str:
        if generate or conversation.messages[-1].role != "assistant":
            return text
        for close in closes:
            text = text.removesuffix(close)
        return text

    return same


def no_thought_before_calls(text: str, conversation: Conversation, generate: bool) -> str:
    """Without the analysis before calls that the last answer follows: the prompt of that answer has it, the official whole not."""
    if generate or conversation.messages[-1].role != "assistant" or conversation.messages[-1].tool_calls:
        return text
    thought = (
        r"<\|start\|>assistant<\|channel\|>analysis<\|message\|>((?!<\|end\|>).)*<\|end\|>(?=<\|start\|>assistant to=)"
    )
    return re.sub(thought, "", text, flags=re.DOTALL)


OFFICIAL = (
    Official("Qwen-Qwen3-0.6B", "qwen3", kwargs=({}, {"enable_thinking": True})),
    Official(
        "Qwen-Qwen3-0.6B",
        "qwen3",
        no_last_thought("<|im_start|>assistant\n", only={"enable_thinking": False}),
        kwargs=({"enable_thinking": False},),
    ),
    Official("trl/qwen3", "qwen3"),
    Official("trl/qwen3_instruct_2507", "qwen3_nothinking", reasoning=False),
    Official("Qwen3-Coder", "qwen3_coder", reasoning=False),
    Official("MiMo-VL", "mimo_vl", reasoning=False),
    Official("StepFun3.5-Flash", "step3_5_flash"),
    Official("MiniMax-M2", "minimax_m2", no_last_thought("]~b]ai\n"), systems="first"),
    Official(
        "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
        "deepseek_r1",
        no_last_thought("<｜Assistant｜>"),
        reasoning=False,
        tools=False,
    ),
    Official(
        "llama-cpp-deepseek-r1",
        "deepseek_r1_llamacpp",
        no_last_thought("<｜Assistant｜>"),
        reasoning=False,
        tools=False,
        empty_answers=False,
    ),
    Official("deepseek-ai-DeepSeek-V3.1", "deepseek_v3_1", reasoning=False, tools=False),
    Official(
        "deepseek-ai-DeepSeek-V3.1",
        "deepseek_v3_1",
        no_last_thought("<｜Assistant｜>", "<think></think>"),
        reasoning=False,
        tools=False,
        kwargs=({"enable_thinking": True}, {"enable_thinking": False}),
    ),
    Official("GLM-4.6", "glm4_5", closed("<|user|>", "<|observation|>")),
    Official(
        "trl/glm4moe",
        "glm4_5",
        closed("<|user|>", "<|observation|>"),
        reasoning=False,
        kwargs=({"enable_thinking": True}, {"enable_thinking": False}),
    ),
    Official(
        "openai-gpt-oss-120b",
        "gpt_oss",
        no_thought_before_calls,
        several_calls=False,
        systems="first",
        rename=("reasoning_content", "thinking"),
        kwargs=(
            {},
            {"reasoning_effort": "high"},
            {"builtin_tools": ["browser", "python"], "model_identity": "You are M."},
        ),
    ),
    Official("Kimi-K2-Instruct", "kimi_k2", reasoning=False, tools=False),
    Official("moonshotai-Kimi-K2", "kimi_k2_0711", reasoning=False),
    Official(
        "ByteDance-Seed-OSS",
        "seed_oss",
        no_last_thought("<seed:bos>assistant\n", "(?:<seed:think>.*?</seed:think>\n)?", {"thinking_budget": 0}),
        empty_answers=False,
        kwargs=({}, {"thinking_budget": 0}, {"thinking_budget": 600}, {"thinking_budget": 99999}),
    ),
    Official(
        "tencent-Hy3",
        "hy_v3",
        closed("<｜hy_eos:opensource｜>"),
        reasoning=False,
        kwargs=({}, {"reasoning_effort": "low"}),
    ),
    Official("tencent-Hy3", "hy_v3", closed("<｜hy_eos:opensource｜>"), kwargs=({"reasoning_effort": "high"},)),
)

TEXTS = st.one_of(
    st.sampled_from(
        (
            "Hello",
            "\n\n  x \n",
            " two ",
            "你好，世界 😀",
            "a\u0301 \xa0",
            "<b>&amp;</b> {{ x }} {% y %}",
            "/nothink",
            "'quoted' \"x\" \\n",
        )
    ),
    st.text(st.characters(exclude_characters="<>[]|~\r", exclude_categories=("Cs",)), max_size=12),
)
FULL = TEXTS.filter(lambda text: text.strip() != "")
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9999), st.floats(-9, 9).map(lambda x: round(x, 3)), FULL),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("pqr"), inner, max_size=2)),
    max_leaves=4,
)
ARGUMENTS = st.dictionaries(st.sampled_from(("city", "n", "größe")), VALUES, max_size=3)
SCHEMA = st.recursive(
    st.sampled_from(
        (
            {"type": "string", "description": "A city"},
            {"type": "string", "enum": ["a", "b"], "default": "a"},
            {"type": "integer", "default": 3},
            {"type": "number", "minimum": 0},
            {"type": "boolean", "description": ""},
            {"type": ["string", "null"]},
            {"type": "array"},
            {"type": "object"},
            {"oneOf": [{"type": "string", "description": "one"}, {"type": "integer", "default": 1}]},
            {"type": "string", "nullable": True},
        )
    ),
    lambda inner: st.one_of(
        inner.map(lambda item: {"type": "array", "items": item}),
        st.dictionaries(st.sampled_from(("u", "v")), inner, min_size=1, max_size=2).map(
            lambda fields: {"type": "object", "properties": fields, "required": [*fields][:1]}
        ),
    ),
    max_leaves=3,
)
TOOLS = st.lists(
    st.builds(
        lambda name, text, fields: {
            "type": "function",
            "function": {
                "name": name,
                "description": text,
                "parameters": {"type": "object", "properties": fields, "required": [*fields][:1]},
            },
        },
        st.sampled_from(("tide", "wind_2")),
        FULL,
        st.dictionaries(st.sampled_from(("city", "n", "größe")), SCHEMA, min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=2,
)


@st.composite
def conversations(draw: Any, official: Official) -> tuple[Conversation, bool]:
    messages: list[Message] = []
    with_tools = official.tools and draw(st.booleans())
    if draw(st.booleans()):
        messages.append(Message("system", draw(TEXTS)))
    answer = TEXTS if official.empty_answers else FULL
    for _ in range(draw(st.integers(1, 3))):
        messages += [Message("user", draw(TEXTS)) for _ in range(draw(st.sampled_from((1, 1, 1, 2))))]
        thought = draw(st.none() | FULL) if official.reasoning else None
        if with_tools and draw(st.booleans()):
            number = draw(st.integers(1, 2)) if official.several_calls else 1
            calls = tuple(ToolCall("tide", draw(ARGUMENTS), f"call{i}") for i in range(number))
            both = official.rename is None  # that template takes text or reasoning beside a call, not both
            text = draw(TEXTS) if both or thought is None else ""
            messages.append(Message("assistant", text, reasoning=thought, tool_calls=calls))
            messages += [Message("tool", draw(TEXTS), tool_call_id=call.id) for call in calls]
            thought = draw(st.none() | FULL) if official.reasoning else None
        if official.systems == "any" and draw(st.integers(0, 5)) == 0:
            messages.append(Message("system", draw(TEXTS)))
            messages.append(Message("user", draw(TEXTS)))
        text = draw(answer)
        if thought is None and official.reasoning and draw(st.booleans()):
            text = f"<think>\n{draw(FULL)}\n</think>\n\n{text}"
        messages.append(Message("assistant", text, reasoning=thought))
    generate = draw(st.booleans())
    if generate:
        messages = messages[:-1]
    tools = tuple(draw(TOOLS)) if with_tools else ()
    return Conversation(tuple(messages), tools=tools, template_kwargs=draw(st.sampled_from(official.kwargs))), generate


@cache
def compiled(file: str) -> Any:
    return environment().from_string((DATA / "templates" / f"{file}.jinja").read_text(encoding="utf-8"))


def as_dict(message: Message) -> dict[str, Any]:
    """A message as the official templates take it."""
    given = {
        "reasoning_content": message.reasoning,
        "tool_call_id": message.tool_call_id,
        "name": message.name,
        "tool_calls": [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
        or None,
    }
    said = {"role": message.role, "content": message.content}
    return {**said, **{key: value for key, value in given.items() if value is not None}}


def official_text(official: Official, conversation: Conversation, generate: bool, named: dict[str, Any]) -> str:
    messages = [as_dict(message) for message in conversation.messages]
    if official.rename is not None:
        old, new = official.rename
        messages = [{(new if key == old else key): value for key, value in one.items()} for one in messages]
    text = compiled(official.file).render(
        **{key: value for key, value in named.items() if value is not None},
        **conversation.template_kwargs,
        messages=messages,
        tools=list(conversation.tools) or None,
        add_generation_prompt=generate,
        strftime_now=DEFAULT_DATE.strftime,
    )
    return str(text)


def row_renderer(material: Any, row: str, named: dict[str, Any]) -> RowRenderer:
    """A row for a model whose tokenizer is not here: another stands in, with the named tokens of the real one."""
    found = TEMPLATE_MAPPING[row]
    texts = {
        name: (getattr(found, name) or "")
        .replace("{bos}", named.get("bos_token") or "")
        .replace("{eos}", named.get("eos_token") or "")
        for name in ("prefix", "user", "assistant_close")
    }
    return RowRenderer(replace(found, **texts), material.tokenizer("gpt2"), TemplatePlan(template_type=row))


@pytest.mark.parametrize("official", OFFICIAL, ids=lambda one: f"{one.file}{sorted(one.kwargs[0])}")
def test_random_conversations_have_the_official_text(material: Any, official: Official) -> None:
    named = material.json(f"golden/templates/{official.file}.json")["special_tokens"]
    renderer = row_renderer(material, official.row, named)

    @settings(max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(conversations(official))
    def compare(drawn: tuple[Conversation, bool]) -> None:
        conversation, generate = drawn
        ours = "".join(atom[0] for atom in renderer.atoms(conversation, generate))
        expected = official_text(official, conversation, generate, named)
        assert official.same(ours, conversation, generate) == official.same(expected, conversation, generate), (
            json.dumps([as_dict(message) for message in conversation.messages], ensure_ascii=False)
        )

    compare()


MINE = sorted({one.row for one in OFFICIAL} | {"qwen3_thinking", "qwq_32b", "qwen3_5", "glm4_7", "deepseek_v3_1_hub"})


@pytest.mark.parametrize("row", MINE)
@pytest.mark.parametrize("thinking", [None, True, False])
def test_prompts_begin_what_is_trained_and_only_answers_are_trained(
    material: Any, row: str, thinking: bool | None
) -> None:
    plan = TemplatePlan(template_type=row, enable_thinking=thinking)
    renderer = RowRenderer(TEMPLATE_MAPPING[row], material.tokenizer("gpt2"), plan)
    drawn = Official(
        "", row, systems="first", rename=("", "") if row == "gpt_oss" else None, several_calls=row != "gpt_oss"
    )

    @settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(conversations(drawn).filter(lambda pair: not pair[1]))
    def check(pair: tuple[Conversation, bool]) -> None:
        conversation, _ = pair
        atoms = renderer.atoms(conversation)
        whole = "".join(atom[0] for atom in atoms)
        asked = replace(conversation, messages=conversation.messages[:-1])
        prompt = "".join(atom[0] for atom in renderer.atoms(asked, generate=True))
        assert whole.startswith(prompt)
        cuts = [number for number, atom in enumerate(atoms) if atom == CUT]
        answers = sum(message.role == "assistant" for message in conversation.messages)
        assert len(cuts) == answers
        assert "".join(atom[0] for atom in atoms[: cuts[-1]]) == prompt
        assert not any(trained for _, _, trained, _ in atoms[: cuts[0]])
        rest = [(text, trained) for text, _, trained, _ in atoms[cuts[-1] + 1 :] if text]
        assert rest[0][1], rest
        assert all(trained for _, trained in rest[:-1])
        assert rest[-1][1] or rest[-1][0] == "\n"  # what stands between turns is no part of the answer
        for start, end in zip(cuts, [*cuts[1:], len(atoms)], strict=True):
            flags = [trained for _, _, trained, _ in atoms[start + 1 : end]]
            assert flags[0]
            assert flags == sorted(flags, reverse=True)  # the answer and its close, then what others write

    check()


@pytest.mark.parametrize(
    ("row", "ends"),
    [
        ("gpt_oss", {"<|return|>", "<|call|>"}),
        ("glm4_5", {"<|user|>", "<|observation|>", "<|endoftext|>"}),
        ("minimax_m2", {"[e~["}),
        ("kimi_k2", {"<|im_end|>"}),
        ("seed_oss", {"<seed:eos>"}),
        ("hy_v3", {"<｜hy_eos:opensource｜>"}),
    ],
)
def test_what_ends_an_answer(material: Any, row: str, ends: set[str]) -> None:
    """A message of the analysis channel ends as earlier answers do, so that token must not stop gpt-oss."""
    template = material.template("gpt2", row)
    strings = {*template.stop_strings} | {template.tokenizer.decode([id_]) for id_ in template.stop_ids}
    assert strings - {"<|endoftext|>"} == ends - {"<|endoftext|>"}


def test_a_react_answer_stops_before_the_observation(material: Any) -> None:
    tools = ({"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}},)
    asked = Conversation((Message("user", "Tide?"),))
    template = material.template("qwen3", "chatml")
    assert template.stop_strings_for(asked) == template.stop_strings
    assert "Observation:" not in template.stop_strings
    assert "Observation:" in template.stop_strings_for(replace(asked, tools=tools))
    assert "Observation:" in material.template("qwen3", "chatml", tools_prompt="react_zh").stop_strings
    assert "Observation:" not in material.template("qwen3", "qwen3").stop_strings_for(replace(asked, tools=tools))


@pytest.mark.parametrize("official", [one for one in OFFICIAL if one.kwargs[0] == {}], ids=lambda one: one.file)
def test_the_golden_conversations_have_the_official_text(material: Any, official: Official) -> None:
    golden = material.json(f"golden/templates/{official.file}.json")
    renderer = row_renderer(material, official.row, golden["special_tokens"])
    compared = 0
    for case in golden["cases"]:
        conversation = material.conversation(case["id"])
        messages = conversation.messages
        expressed = (
            "error" not in case
            and (official.tools or not conversation.tools)
            and (official.reasoning or not any(message.reasoning for message in messages))
            and (official.empty_answers or all(message.content for message in messages))
            and (official.several_calls or all(len(message.tool_calls) < 2 for message in messages))
        )
        if not expressed:
            continue
        generate = material.conversations[case["id"]]["add_generation_prompt"]
        if official.rename is not None:  # the golden field is one that the template does not know
            messages = tuple(replace(message, reasoning=None) for message in messages)
        ours = "".join(atom[0] for atom in renderer.atoms(replace(conversation, messages=messages), generate))
        expected = re.sub("⟦strftime:(.*?)⟧", lambda found: DEFAULT_DATE.strftime(found[1]), case["text"])
        assert official.same(ours, conversation, generate) == official.same(expected, conversation, generate), case[
            "id"
        ]
        compared += 1
    assert compared >= 12
