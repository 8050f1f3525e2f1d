"""What must hold of every row of the catalog, whatever the conversation: each one over a tokenizer with its own markers."""

from __future__ import annotations

import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swift.llm.catalog.registries import TEMPLATE_MAPPING
from swift.llm.core import Conversation, Encoded, Message, Place, ToolCall
from swift.llm.template import Template
from swift.llm.template.behaviours import BEHAVIOURS, THINKING
from swift.llm.template.tools import TOOL_FORMATS

sys.path.insert(0, str(Path(__file__).parent))
from synthetic import distinct_rows, joined, markers, open_row

ROWS = distinct_rows()
PLACE = Place("rows.jsonl", 1)
# No template writes these two letters, so they tell who wrote a text.
ASKED, SAID = "ж", "й"
# Rules that change nothing of what stands before an answer when the dialogue goes on.
STEADY = {"rounds", "single_round", "alternate", "strip_user", "inner_system", "system_in_first_user"}
WORDS = ("x", " y", "\n", "  ", "z\n\n", "é", "日本", "🙂", "{content}", "{% if %}", "1+1", "\\", '"', "system", "\t")


def dialogue(
    rng: random.Random, rounds: int, system: bool | None = None, markers: tuple[str, ...] = ()
) -> Conversation:
    """Some rounds of odd texts; those of users hold ASKED and the given markers, those of answers SAID."""

    def text(letter: str, more: tuple[str, ...] = ()) -> str:
        pieces = [
            *rng.choices(WORDS, k=rng.randint(0, 3)),
            letter,
            *more,
            letter,
            *rng.choices(WORDS, k=rng.randint(0, 3)),
        ]
        return "".join(pieces)

    messages = [Message("system", text(ASKED, markers))] if system else []
    for _ in range(rounds):
        messages += [Message("user", text(ASKED, markers)), Message("assistant", text(SAID))]
    return Conversation(tuple(messages), place=PLACE, system_given=system is False)


def fitting(template: Template, conversation: Conversation) -> Conversation:
    """As much of a conversation as the format can express: without its system text, or only its first round."""
    for one in (conversation, *_shorter(conversation)):
        if isinstance(template.encode(one), Encoded):
            return one
    raise AssertionError(f"{template.name} can express nothing: {template.encode(conversation)}")


def _shorter(conversation: Conversation) -> list[Conversation]:
    messages = conversation.messages
    bare = messages[1:] if messages[0].role == "system" else messages
    return [replace(conversation, messages=part, system_given=True) for part in (bare, messages[:3], bare[:2])]


def beginnings(conversation: Conversation) -> list[Conversation]:
    """The conversation up to each of its answers."""
    messages = conversation.messages
    return [
        replace(conversation, messages=messages[: number + 1])
        for number, message in enumerate(messages)
        if message.role == "assistant"
    ]


def assert_lawful(template: Template, conversation: Conversation) -> None:
    """All that holds of one conversation in one format."""
    conversation = fitting(template, conversation)
    tokenizer, row = template.tokenizer, template.row
    whole = template.encode(conversation)
    assert isinstance(whole, Encoded)
    steady = row is not None and set(row.behaviours) <= STEADY
    for part in beginnings(conversation):
        sample = template.encode(part)
        assert isinstance(sample, Encoded)
        prompt = template.encode_prompt(replace(part, messages=part.messages[:-1]))
        # inference is training, cut where the answer starts
        assert sample.input_ids[: len(prompt)].tolist() == prompt
        if steady:
            assert whole.input_ids[: len(prompt)].tolist() == prompt
        # the answer is trained to its end, and what ends it is what generation stops at
        trained = sample.input_ids[len(prompt) :][sample.trained[len(prompt) :]].tolist()
        text = tokenizer.decode(trained)
        assert SAID in text
        assert set(trained) & set(template.stop_ids) or text.endswith(template.stop_strings)
        assert sample.trained[len(prompt)] or len(prompt) == 0
    # only answers are trained, and all of them
    segments = template.render(conversation)
    assert ASKED not in joined(segments, trained=True)
    assert SAID not in joined(segments, trained=False)
    ids = whole.input_ids[whole.trained].tolist()
    said = tokenizer.decode(ids)
    assert said in (joined(segments, trained=True), joined(segments, trained=True)[1:])
    answers = sum(message.role == "assistant" for message in conversation.messages)
    if row is not None and row.assistant_close:
        special = tokenizer.special_tokens
        closes = {*template.stop_ids, *(special[token] for token in row.options.get("no_stop", ()))}
        ends = sum(ids.count(close) for close in closes) + sum(said.count(one) for one in template.stop_strings)
        assert ends >= answers


@pytest.mark.parametrize("name", ROWS)
def test_a_row_keeps_the_law(name: str) -> None:
    template = open_row(ROWS[name])
    rng = random.Random(name)
    for rounds, system in ((1, None), (1, True), (2, None), (3, True), (2, False)):
        assert_lawful(template, dialogue(rng, rounds, system))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(ROWS)),
    st.integers(1, 4),
    st.sampled_from([None, True, False]),
    st.randoms(use_true_random=False),
)
def test_any_row_keeps_the_law_on_any_dialogue(name: str, rounds: int, system: bool | None, rng: random.Random) -> None:
    assert_lawful(open_row(ROWS[name]), dialogue(rng, rounds, system))


@pytest.mark.parametrize("name", ROWS)
def test_control_tokens_that_somebody_types_stay_text(name: str) -> None:
    row = ROWS[name]
    template = open_row(row)
    evil = tuple(template.tokenizer.special_tokens)
    typed, plain = (
        fitting(template, dialogue(random.Random(7), 2, True, more)) for more in (evil, ("?" * len("".join(evil)),))
    )
    controls = sorted(template.tokenizer.special_tokens.values())
    counts = []
    for conversation in (typed, plain):
        for ids in (template.encode(conversation).input_ids.tolist(), template.encode_prompt(_asked(conversation))):
            counts.append([ids.count(control) for control in controls])
    assert counts[:2] == counts[2:]
    assert markers(row) == [] or any(map(any, counts)) or row.own_template
    for message in typed.messages:
        if message.role == "user":
            text = template.tokenizer.decode(template.encode(typed).input_ids.tolist())
            assert message.content.strip() in text


def _asked(conversation: Conversation) -> Conversation:
    return replace(conversation, messages=conversation.messages[:-1])


@pytest.mark.parametrize("name", ROWS)
def test_a_template_holds_no_state(name: str) -> None:
    template = open_row(ROWS[name])
    rng = random.Random(name)
    one, other = (fitting(template, dialogue(rng, 2, True)) for _ in range(2))
    alone = template.encode(one)
    template.encode(other)
    template.encode_prompt(_asked(other))
    template.render(other, generate=True)
    again = template.encode(one)
    assert again.input_ids.tolist() == alone.input_ids.tolist()
    assert again.trained.tolist() == alone.trained.tolist()


def test_threads_share_a_template() -> None:
    rng = random.Random(1)
    for name in ("qwen3", "llama", "chatglm2" if "chatglm2" in ROWS else "longchat", "default"):
        template = open_row(TEMPLATE_MAPPING[name])
        rows = [fitting(template, dialogue(rng, 2, True)) for _ in range(60)]
        alone = [template.encode(row).input_ids.tolist() for row in rows]
        with ThreadPoolExecutor(4) as pool:
            assert [sample.input_ids.tolist() for sample in pool.map(template.encode, rows)] == alone


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.generation_only])
def test_a_text_alone_is_trained_whole(name: str) -> None:
    template = open_row(ROWS[name])
    text = "Once upon\na time. " + SAID
    sample = template.encode(Conversation((Message("assistant", text),)))
    assert isinstance(sample, Encoded)
    assert template.tokenizer.decode(sample.input_ids[sample.trained].tolist()) in (
        text + template.tokenizer.eos_token,
        text[1:] + template.tokenizer.eos_token,
    )
    assert template.encode_prompt(Conversation((Message("user", text),)))[-len(text) :]


ARGUMENTS: tuple[dict[str, Any], ...] = (
    {},
    {"place": "Skagen"},
    {"place": 'a "quoted"\nline é 日本 \\ /', "days": 3, "exact": True, "share": 0.5},
    {"list": [1, "two", {"three": None}], "object": {"deep": {"er": []}}},
)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row.own_template])
def test_a_call_is_read_back_as_it_was_written(name: str) -> None:
    template = open_row(ROWS[name])
    for arguments in ARGUMENTS:
        properties = {key: {"type": _type(value), "description": key} for key, value in arguments.items()}
        schema = {"type": "object", "properties": properties}
        tool = {"type": "function", "function": {"name": "look_up", "description": "Look it up", "parameters": schema}}
        call = ToolCall("look_up", arguments, "abcdefghi")
        asked = Conversation((Message("user", "?"), Message("assistant", "", tool_calls=(call,))), tools=(tool,))
        sample = template.encode(asked)
        if not isinstance(sample, Encoded):
            assert "tool" in sample.reason or (template.row.system is None and "system text" in sample.reason)
            return
        prompt = template.encode_prompt(_asked(asked))
        assert sample.input_ids[: len(prompt)].tolist() == prompt
        answer = template.tokenizer.decode(_until_stop(template, sample.input_ids[len(prompt) :].tolist()))
        parsed = template.parse(answer)
        assert [(one.name, one.arguments) for one in parsed.tool_calls] == [("look_up", arguments)], answer


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "integer", float: "number", list: "array", dict: "object"}[type(value)]


def _until_stop(template: Template, ids: list[int]) -> list[int]:
    """What generation would have returned: everything before the first stop."""
    for number, id_ in enumerate(ids):
        if id_ in template.stop_ids:
            return ids[:number]
    return ids


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_consistent(name: str) -> None:
    row = ROWS[name]
    assert set(row.behaviours) <= set(BEHAVIOURS)
    assert row.tools is None or row.tools in TOOL_FORMATS
    for field in (row.user, row.assistant, row.system or "{content}", row.tool or "{content}"):
        assert field.count("{content}") == 1
    if row.own_template:
        assert row == replace(type(row)(name=row.name), own_template=True, aliases=row.aliases, note=row.note)
    assert "{{" not in json.dumps([row.prefix, row.system, row.user, row.assistant_open, row.assistant_close])
    assert row.assistant_close or row.last_close or row.own_template
    for rule in THINKING:
        assert row.behaviours.count(rule) <= 1


def test_a_row_has_one_name_and_its_aliases() -> None:
    by_name = {row.name for row in TEMPLATE_MAPPING.values()}
    assert by_name == set(TEMPLATE_MAPPING)
    assert all(not row.aliases for row in TEMPLATE_MAPPING.values())
    assert TEMPLATE_MAPPING["numina-math"] == replace(TEMPLATE_MAPPING["numina"], name="numina-math")
