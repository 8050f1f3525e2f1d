"""`--use_loss_scale` and `--loss_scale_base` from words to the loss: equal to the one computed by hand with transformers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from place import SHORT, Place, log_of

AGENT = (
    ("Which tool?", "Thought: look\nAction: tide\nAction Input: Skagen\nObservation: rising\nFinal Answer: It rises."),
    ("What is the value of x?", "It is seven."),
    ("Hello", "Good day to you."),
    ("And now?", "Thought: done\nTool: none\nFinal Answer: nothing"),
)
FIRST = ("--max_steps", 1, "--dataset_test_ratio", 0, "--verify_template", "false")


@pytest.fixture
def rows(place: Place) -> Place:
    lines = [
        {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}
        for question, answer in AGENT
    ]
    lines[3]["messages"] = lines[2]["messages"] + lines[3]["messages"]
    lines[2]["messages"] = [lines[2]["messages"][0], {**lines[2]["messages"][1], "loss_weight": 0.25}]
    place.write("agent.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    return place


def by_hand(place: Place, **plan: Any) -> float:
    """The sum of weight times cross entropy over the trained tokens, divided by their number, each row alone."""
    from transformers import AutoModelForCausalLM

    from swift.llm.core import Conversation, Encoded, Message
    from swift.llm.template import get_template

    model = AutoModelForCausalLM.from_pretrained(place.model, dtype=torch.float32).eval()
    template = get_template("chatml", place.model, **plan)
    total, count = 0.0, 0
    for line in (place.folder / "agent.jsonl").read_text().splitlines():
        messages = tuple(
            Message(one["role"], one["content"], weight=one.get("loss_weight")) for one in json.loads(line)["messages"]
        )
        sample = template.encode(Conversation(messages))
        assert isinstance(sample, Encoded)
        ids = torch.from_numpy(sample.input_ids).long()
        with torch.no_grad():
            nll = torch.nn.functional.cross_entropy(model(ids[None]).logits[0, :-1], ids[1:], reduction="none")
        trained = torch.from_numpy(sample.trained)[1:]
        weights = torch.ones(len(ids)) if sample.loss_scale is None else torch.from_numpy(sample.loss_scale.copy())
        total += float((nll * weights[1:])[trained].sum())
        count += int(trained.sum())
    return total / count


def first_loss(place: Place, *words: Any) -> float:
    done = place.swift(
        "sft",
        "--model_id_or_path",
        place.model,
        "--dataset",
        "agent.jsonl",
        "--template_type",
        "chatml",
        *SHORT,
        *FIRST,
        *words,
    )
    done.check_well()
    [line] = [line for line in log_of(place.run()) if "loss" in line]
    return float(line["loss"])


@pytest.mark.parametrize(
    "how", [(), ("--padding_free", "false"), ("--packing", "true")], ids=["flat", "padded", "packed"]
)
def test_the_loss_is_weighed_as_the_preset_says(rows: Place, how: tuple[str, ...]) -> None:
    loss = first_loss(rows, "--use_loss_scale", "true", "--loss_scale_config_path", "agent-flan", *how)
    assert loss == pytest.approx(by_hand(rows, loss_scale="agent-flan"), rel=2e-5)
    assert loss != pytest.approx(by_hand(rows), rel=1e-3)


def test_weights_of_one_s_own_and_the_last_round(rows: Place) -> None:
    table = {"response": {"Tool:": [3, 0]}, "query": {"Which": 0.5}}
    rows.write("weights.json", json.dumps(table))
    words = ("--use_loss_scale", "true", "--loss_scale_config_path", "weights.json", "--loss_scale_base", "last_round")
    loss = first_loss(rows, *words)
    assert loss == pytest.approx(by_hand(rows, loss_scale=json.dumps(table), last_round=True), rel=2e-5)
    plan = json.loads((rows.run() / "plan.json").read_text())
    assert json.loads(plan["template"]["loss_scale"])["response"] == {"Tool:": [3.0, 0.0]}


def test_what_cannot_be_weighed_is_refused(rows: Place) -> None:
    words = ("sft", "--model_id_or_path", rows.model, "--dataset", "agent.jsonl")
    rows.swift(*words, "--use_loss_scale", "true", "--loss_scale_config_path", "no.json").check_refused(
        "--loss_scale_config_path no.json", "agent-flan"
    )
    rows.swift(*words, "--loss_scale_config_path", "agent-flan").check_refused("--use_loss_scale true")
    rows.swift(*words, "--train_on_inputs", "true", "--loss_scale_base", "last_round").check_refused(
        "--loss_scale_base"
    )
