"""What is wrong with a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from swift.llm.catalog.rows import ModelRow
from swift.llm.plan.rowcheck import check_rows, known_architectures

GOOD = ModelRow(
    model_type="good", family="good", architectures=("LlamaForCausalLM",), template="chatml", lora_targets=("ALL",),
    ms="me/good", hf="me/good", requires=("transformers>=4.40",),
)  # fmt: skip


def wrong(row: ModelRow, *others: ModelRow) -> list[tuple[str, str]]:
    problems = check_rows([row], [row, *others], {"chatml"}, {"LlamaForCausalLM"})
    assert {one.model_type for one in problems} <= {row.model_type}
    return [(one.part, one.what) for one in problems]


def test_a_good_row() -> None:
    assert wrong(GOOD) == []
    assert wrong(replace(GOOD, template=None)) == []
    assert wrong(replace(GOOD, architectures=("Own",), trust_remote_code=True)) == []


@pytest.mark.parametrize(
    ("changes", "part", "told"),
    [
        ({"loader": "swift.llm.model.loaders:gone"}, "loader", "cannot be found"),
        ({"loader": "no.such.module:x"}, "loader", "No module named"),
        ({"architectures": ("Own",)}, "architectures", "trust_remote_code is not set"),
        ({"architectures": ()}, "architectures", "is empty"),
        ({"template": "gone"}, "template", "no template is called 'gone'"),
        ({"ms": None, "hf": None}, "ids", "no hub has it"),
        ({"hf": "good"}, "ids", "does not look like owner/name"),
        ({"other_ids": ("other/ROW",)}, "ids", "other/ROW is an id of other too"),
        ({"path": "swift.demo:gone"}, "path", "holds no folder"),
        ({"requires": ("transformers>>4",)}, "requires", "transformers>>4"),
        ({"lora_targets": ()}, "lora_targets", "is empty"),
        ({"modality": ("image",)}, "modality", "text is always there"),
        ({"modality": ("text", "image")}, "language_prefixes", "would reach the vision tower"),
        ({"task": "dance"}, "task", "known: causal_lm"),
    ],
)
def test_each_problem_is_told(changes: dict[str, Any], part: str, told: str) -> None:
    other = replace(GOOD, model_type="other", ms="other/row", hf=None)
    ((found, text),) = wrong(replace(GOOD, **changes), other)
    assert found == part
    assert told in text


def test_architectures_come_from_the_installed_library() -> None:
    names = known_architectures()
    assert {"LlamaForCausalLM", "Qwen2VLForConditionalGeneration", "Qwen3MoeForCausalLM"} <= names
    assert "QWenLMHeadModel" not in names
