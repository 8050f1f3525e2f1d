"""What carries loss, and how much: weights inside an answer, whole turns, and files that say it wrongly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swift.llm.core import Conversation, Encoded, Message, Place, ToolCall
from swift.llm.plan.loss_scale import PRESETS, read_loss_scale
from swift.llm.plan.plans import TemplatePlan
from swift.llm.template import Template, open_template
from swift.llm.template.weights import last_round, load_weights
from swift.llm.tokenizer import TextTokenizer
from swift.utils.errors import ArgumentError


def weigh(table: Any, answer: str, question: str = "") -> list[tuple[str, float]]:
    function = load_weights(table if isinstance(table, str) else json.dumps(table))
    assert function is not None
    return function(question, answer)


def test_a_marker_weighs_itself_and_the_text_after_it() -> None:
    table = {"Action:": [2, 3], "Action Input:": [4, 0]}
    assert weigh(table, "Hm. Action: go\nAction Input: {}") == [
        ("Hm. ", 1.0), ("Action:", 2.0), (" go\n", 3.0), ("Action Input:", 4.0), (" {}", 0.0)
    ]  # fmt: skip
    assert weigh({"AB": [2, 2], "A": [3, 3]}, "ABA") == [("AB", 2.0), ("A", 3.0)]
    assert weigh(table, "Action:") == [("Action:", 2.0)]
    assert weigh(table, "") == []


def test_a_pattern_weighs_where_no_marker_covers() -> None:
    table = {"Say:": [1, 5], r"\d+": [2.0], "[a-z]+": 3}
    assert weigh(table, "7 up Say: 8") == [("7", 2.0), (" ", 1.0), ("up", 3.0), (" ", 1.0), ("Say:", 1.0), (" 8", 5.0)]
    # of two patterns that match the same text, the first one counts
    assert weigh({"[0-9a-f]+": [2.0], "[a-z]+": [3.0]}, "ab-xy") == [("ab", 2.0), ("-", 1.0), ("xy", 3.0)]
    assert weigh({"x*": [2.0]}, "ay") == [("ay", 1.0)]
    assert weigh({"<a>.+?</a>": [2.0]}, "<a>\n</a>!") == [("<a>\n</a>", 2.0), ("!", 1.0)]


def test_a_question_comes_before_all_else() -> None:
    table = {"response": {"Say:": [1, 5]}, "query": {"Which tool": [3.0], "Which": 2}}
    assert weigh(table, "Say: a", "Which tool is it?") == [("Say: a", 3.0)]
    assert weigh(table, "Say: a", "Which one?") == [("Say: a", 2.0)]
    assert weigh(table, "Say: a", "Who?") == [("Say:", 1.0), (" a", 5.0)]


def test_presets() -> None:
    react = "Thought: t\nAction: a\nAction Input: {}\nObservation: o\nFinal Answer: f"
    assert dict(weigh("DEFAULT", react)) == {
        "Thought:": 1, " t\n": 1, "Action:": 2, " a\n": 2, "Action Input:": 2, " {}\n": 2, "Observation:": 2, " o\n": 0,
        "Final Answer:": 1, " f": 1,
    }  # fmt: skip
    assert dict(weigh("alpha-umi", "Next: x"))["Next:"] == 2.0
    assert dict(weigh("alpha-umi", react)) == dict(weigh("DEFAULT", react))
    assert dict(weigh("agent-flan", "Tool: x\nACTION_INPUT: y\nObservation: o")) == {
        "Tool:": 1, " x\n": 3, "ACTION_INPUT:": 1, " y\n": 3, "Observation:": 2, " o": 0,
    }  # fmt: skip
    assert weigh("agent-flan", "a", "What is the value of 'x'?") == [("a", 3.0)]
    assert load_weights(None) is None


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(PRESETS)), st.text("aA:ction Input\nThought Observation", max_size=60), st.text(max_size=5)
)
def test_the_pieces_are_the_answer(preset: str, answer: str, question: str) -> None:
    assert "".join(text for text, _ in weigh(preset, answer, question)) == answer


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"Action:": [2, 2, 2]}, "'Action:' has [2, 2, 2]; one weight for a pattern, or two"),
        ({"Action:": []}, "has []"),
        ({"Action:": "2"}, "has '2'"),
        ({"Action:": [True, 1]}, "has [True, 1]"),
        ({"Action:": [-1, 1]}, "a number from 0 up"),
        ({"(": [2.0]}, "no regular expression"),
        ({"": [2.0, 1.0]}, "an empty marker"),
        ({"response": {}, "query": {"q": [1, 2]}}, "'q' has [1, 2]; one weight"),
        ({"response": {}, "answer": {}}, "'answer' stands beside"),
        ([1], "a JSON object was expected, found list"),
        ("{broken", "neither a preset (DEFAULT, alpha-umi, agent-flan) nor a JSON file"),
        ("nowhere.json", "No such file"),
    ],
)
def test_a_wrong_table_is_refused_with_the_key(tmp_path: Path, table: Any, words: str) -> None:
    source = table
    if not isinstance(table, str):
        (tmp_path / "weights.json").write_text(json.dumps(table), encoding="utf-8")
        source = str(tmp_path / "weights.json")
    with pytest.raises(ArgumentError) as error:
        read_loss_scale(source)
    assert words in str(error.value)
    assert "--loss_scale_config_path" in str(error.value)


def test_a_plan_holds_what_the_file_said(tmp_path: Path) -> None:
    file = tmp_path / "weights.json"
    file.write_text('\ufeff{"Say:": [1, 5]}', encoding="utf-8")
    said = read_loss_scale(str(file))
    assert json.loads(said) == {"response": {"Say:": [1.0, 5.0]}, "query": {}}
    assert read_loss_scale(said) == said
    assert read_loss_scale("agent-flan") == "agent-flan"


def opened(tokenizer: TextTokenizer, **plan: Any) -> Template:
    return open_template("chatml", tokenizer, TemplatePlan(template_type="chatml", **plan))


def encoded(template: Template, *turns: tuple[Any, str]) -> Encoded:
    sample = template.encode(Conversation(tuple(Message(role, text) for role, text in turns), place=Place("x", 1)))
    assert isinstance(sample, Encoded)
    return sample


def weighed(template: Template, sample: Encoded) -> list[tuple[str, float]]:
    """The trained text, cut where the weight changes."""
    out: list[tuple[str, float]] = []
    scale = sample.loss_scale if sample.loss_scale is not None else sample.trained.astype("float32")
    for id_, trained, weight in zip(sample.input_ids.tolist(), sample.trained.tolist(), scale.tolist(), strict=True):
        if trained:
            text = template.tokenizer.decode([id_])
            if out and out[-1][1] == weight:
                out[-1] = (out[-1][0] + text, weight)
            else:
                out.append((text, weight))
    return out


def test_weights_reach_the_tokens_and_change_none(tokenizer: TextTokenizer) -> None:
    plain, weighted = opened(tokenizer), opened(tokenizer, loss_scale="DEFAULT")
    turns = (("user", "q"), ("assistant", "Thought: t\nAction: x\nObservation: y"))
    ours = encoded(weighted, *turns)
    assert ours.input_ids.tolist() == encoded(plain, *turns).input_ids.tolist()
    assert weighed(weighted, ours) == [("Thought: t\n", 1.0), ("Action: x\nObservation:", 2.0), ("<|im_end|>", 1.0)]
    assert weighted.fingerprint != plain.fingerprint
    assert encoded(weighted, ("user", "q"), ("assistant", "no marker")).loss_scale is None


def test_a_token_takes_the_weight_of_the_place_where_its_text_begins(merging: TextTokenizer) -> None:
    plain = opened(merging)
    turns = (("user", "q"), ("assistant", "so: ab ab"))
    for table in ({": a": [2, 3]}, {"a": [2, 3]}, {"o: ": [2.0], "b": [4.0]}, {"so: ab ab": [0.5]}):
        weighted = opened(merging, loss_scale=json.dumps(table))
        ours = encoded(weighted, *turns)
        assert ours.input_ids.tolist() == encoded(plain, *turns).input_ids.tolist()
    weighted = opened(merging, loss_scale=json.dumps({"a": [2, 3]}))
    # the blank in front of a word is part of its token; the letter b belongs to the token of the marker a
    assert weighed(weighted, encoded(weighted, *turns)) == [("so:", 1.0), (" ab ab", 2.0), ("<|im_end|>", 1.0)]
    weighted = opened(merging, loss_scale=json.dumps({": ": [2, 3]}))
    assert weighed(weighted, encoded(weighted, *turns)) == [
        ("so", 1.0),
        (":", 2.0),
        (" ab ab", 3.0),
        ("<|im_end|>", 1.0),
    ]


@pytest.fixture(scope="module")
def merging(tokenizer: TextTokenizer) -> TextTokenizer:
    """The test tokenizer with two merges, so that tokens can cross the border of a marker."""
    description = json.loads(tokenizer._text)
    description["model"]["vocab"] |= {"ab": 500, "Ġab": 501}
    description["model"]["merges"] = [["a", "b"], ["Ġ", "ab"]]
    from tokenizers import Tokenizer

    class Made:
        name_or_path = ""
        eos_token, chat_template = "<|im_end|>", None
        backend_tokenizer = Tokenizer.from_str(json.dumps(description))

    return TextTokenizer.from_hf(Made())


def test_a_weight_of_a_turn_multiplies(tokenizer: TextTokenizer) -> None:
    template = opened(tokenizer, loss_scale="DEFAULT")
    messages = (Message("user", "q"), Message("assistant", "Action: x", weight=0.5))
    sample = template.encode(Conversation(messages))
    assert isinstance(sample, Encoded)
    assert weighed(template, sample) == [("Action: x", 1.0), ("<|im_end|>", 0.5)]
    nothing = template.encode(Conversation((Message("user", "q"), Message("assistant", "a", weight=0.0))))
    assert "no trained token" in nothing.reason


def test_a_call_keeps_its_markup_under_weights(tokenizer: TextTokenizer) -> None:
    call = ToolCall("f", {"x": 1})
    tools = ({"type": "function", "function": {"name": "f", "parameters": {}}},)
    conversation = Conversation((Message("user", "q"), Message("assistant", "so", tool_calls=(call,))), tools=tools)
    for row in ("qwen2_5", "mistral_v3"):
        one, other = (
            open_template(row, tokenizer, TemplatePlan(template_type=row, loss_scale=scale))
            for scale in (None, '{"name": [2.0]}')
        )
        plain, weighted = one.encode(conversation), other.encode(conversation)
        assert weighted.input_ids.tolist() == plain.input_ids.tolist()
        assert weighted.loss_scale is not None
        assert ("name", 2.0) in weighed(other, weighted)


def test_only_the_last_round_is_trained(tokenizer: TextTokenizer) -> None:
    turns = (("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2"))
    template = opened(tokenizer, last_round=True)
    assert weighed(template, encoded(template, *turns)) == [("a2<|im_end|>", 1.0)]
    own = open_template(None, tokenizer, TemplatePlan(template_type=None, last_round=True))
    assert weighed(own, encoded(own, *turns)) == [("a2<|im_end|>", 1.0)]
    everything = opened(tokenizer, train_on_inputs=True)
    assert encoded(everything, *turns).trained[1:].all()


def test_the_last_round_holds_all_that_follows_the_question() -> None:
    messages = (
        Message("system", "s"),
        Message("user", "q1"),
        Message("assistant", "kept", train=True),
        Message("assistant", "left"),
        Message("user", "q2"),
        Message("assistant", "", tool_calls=(ToolCall("f", {}),)),
        Message("tool", "r"),
        Message("assistant", "a"),
    )
    told = [message.train for message in last_round(Conversation(messages)).messages]
    assert told == [None, None, True, False, None, None, None, None]
    text = Conversation((Message("assistant", "a text"),))
    assert last_round(text) == text


def test_the_own_chat_template_is_weighed_alike(tokenizer: TextTokenizer) -> None:
    turns = (("user", "q"), ("assistant", "Thought: t\nAction: x\nObservation: y"), ("user", "r"), ("assistant", "z"))
    own = open_template(None, tokenizer, TemplatePlan(template_type=None, loss_scale="DEFAULT"))
    row = opened(tokenizer, loss_scale="DEFAULT")
    ours, theirs = encoded(own, *turns), encoded(row, *turns)
    assert ours.input_ids.tolist() == theirs.input_ids.tolist()
    assert weighed(own, ours) == weighed(row, theirs)
