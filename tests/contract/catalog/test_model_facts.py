"""The rows of models against the facts that they were written from: every name, every id, every template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swift.llm.catalog.registries import MODEL_MAPPING, TEMPLATE_MAPPING

FACTS = Path(__file__).resolve().parents[4] / "shared" / "spec" / "models.yaml"
LLAMA31 = "the row's template has the date block of the model's own chat template"
LITE = "the Lite models have q_proj in place of q_a_proj and q_b_proj"
OWN = "the row is the model's own format, which differs in its blanks or its system text"
CORRECTED = {
    ("qwen2_5-coder-7b-instruct-gptq-int4", "hf"): "pointed at the checkpoint that is not the coder",
    ("qwen2_5-math-7b-instruct", "template"): "the Math models have a system text of their own",
    ("deepseek-v2-lite-chat", "targets"): LITE,
    ("deepseek-coder-v2-lite-instruct", "targets"): LITE,
    ("phi2-3b", "targets"): "Wqkv is the layer of an older remote code; transformers has q_proj, k_proj, v_proj",
    **{(name, "template"): LLAMA31 for name in (
        "llama3_1-8b-instruct", "llama3_1-8b-instruct-bnb", "llama3_1-8b-instruct-gptq-int4", "llama3_1-8b-instruct-awq",
        "llama3_1-70b-instruct",
    )},
    **{(name, "template"): OWN for name in (
        "yi-6b-chat", "yi-34b-chat", "yi-1_5-6b-chat", "yi-1_5-9b-chat", "mistral-7b-instruct-v2", "mistral-7b-instruct-v3",
        "mixtral-moe-7b-instruct",
    )},
}  # fmt: skip
"""Where a row differs from the facts on purpose, and why."""


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    if not FACTS.is_file():
        pytest.skip(f"{FACTS} is not here")
    import yaml

    return yaml.load(FACTS.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def test_every_name_of_the_2x_line_is_a_row(facts: dict[str, Any]) -> None:
    names = [name for group in facts["v2_index"].values() for name in group]
    assert len(names) == facts["meta"]["counts"]["v2"]["model_types"]
    assert [name for name in names if name not in MODEL_MAPPING] == []


def test_rows_say_what_the_facts_say(facts: dict[str, Any]) -> None:
    wrong = {}
    for fact in facts["v2_models"]:
        row = MODEL_MAPPING[fact["model_type"]]
        targets = fact["targets"]
        quant = fact.get("quant")
        expected = {
            "ms": fact["ms"].casefold(),
            "hf": fact["hf"].casefold(),
            "template": fact["template"],
            "targets": ("ALL",) if isinstance(targets, str) else tuple(targets),
            "quant": (quant["method"], quant["bits"]) if quant else None,
            "multi-modal": "multi-modal" in fact["tags"],
        }
        got = {
            "ms": (row.ms or "").casefold(),
            "hf": (row.hf or "").casefold(),
            "template": row.template,
            "targets": row.lora_targets,
            "quant": row.quant,
            "multi-modal": row.modality != ("text",),
        }
        wrong |= {(row.model_type, key): (value, got[key]) for key, value in expected.items() if got[key] != value}
    assert wrong.keys() == CORRECTED.keys(), wrong


def test_the_known_errors_are_corrected(facts: dict[str, Any]) -> None:
    coders, _, llamas, _ = facts["known_errors"]
    for name in coders["entries"]:
        assert "Coder" in (MODEL_MAPPING[name].hf or ""), name
    assert {MODEL_MAPPING[name].template for name in llamas["entries"]} == {"llama3_1"}
    assert TEMPLATE_MAPPING["deepseek2_5"].assistant_close in ("{eos}", "<｜end▁of▁sentence｜>")
    assert "start_of_turn" not in (TEMPLATE_MAPPING["gemma"].system or "")  # no turn of its own


def test_every_id_of_the_later_families_has_a_row(facts: dict[str, Any]) -> None:
    known = {each.casefold() for row in MODEL_MAPPING.values() for each in row.hub_ids}
    listed = [
        each
        for family in facts["v4_models"]
        for group in family["groups"]
        for model in group["models"]
        for each in ([model] if isinstance(model, str) else model.values())
    ]
    assert len(listed) > 700
    assert [each for each in listed if each.casefold() not in known] == []


def test_later_families_have_their_architecture(facts: dict[str, Any]) -> None:
    rows = {each.casefold(): row for row in MODEL_MAPPING.values() for each in row.hub_ids}
    wrong = set()
    for family in facts["v4_models"]:
        for group in family["groups"]:
            for model in group["models"]:
                each = model if isinstance(model, str) else next(iter(model.values()))
                row = rows[each.casefold()]
                if family["architectures"] and not set(row.architectures) & set(family["architectures"]):
                    wrong.add(row.model_type)
    # A prover that was made from a model of the first line; classes that transformers has under another name.
    assert wrong <= {"deepseek-prover-v2-7b", "phi3_5-moe-instruct"}
