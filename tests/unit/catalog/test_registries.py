"""The catalog by name, and rows of a user's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swift.llm.catalog import registries
from swift.llm.catalog.registries import (
    DATASET_MAPPING,
    MODEL_MAPPING,
    TEMPLATE_MAPPING,
    expand,
    load_custom_register,
    load_dataset_info,
    register_dataset,
    register_model,
    register_template,
)
from swift.llm.catalog.rows import DatasetRow, ModelFamily, ModelRow, Size, TemplateRow
from swift.utils.errors import ArgumentError


@pytest.fixture(autouse=True)
def own_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    for mapping in (MODEL_MAPPING, TEMPLATE_MAPPING, DATASET_MAPPING):
        monkeypatch.setattr(mapping, "_known", dict(mapping))
        monkeypatch.setattr(mapping, "_sources", dict(mapping._sources))
    monkeypatch.setattr(registries, "_registered_files", set())


def test_the_usual_families_are_there() -> None:
    for name in (
        "qwen-7b-chat", "qwen1half-7b-chat-awq", "qwen2-57b-a14b-instruct", "qwen2_5-7b-instruct", "qwen2_5-coder-32b-instruct",
        "qwen2_5-math-72b-instruct", "qwen3-8b", "qwen3-30b-a3b", "qwen3-4b-instruct-2507", "llama2-70b-chat", "llama3-8b-instruct",
        "llama3_1-405b-instruct-fp8", "llama3_2-1b-instruct", "llama3_3-70b-instruct", "mistral-7b-instruct-v3",
        "mixtral-moe-7b-instruct", "gemma-7b-instruct", "gemma2-27b-instruct", "gemma3-1b-instruct", "phi3-4b-4k-instruct",
        "phi3_5-mini-instruct", "deepseek-67b-chat", "deepseek-coder-6_7b-instruct", "deepseek-coder-v2-lite-instruct",
        "deepseek-v2-chat", "deepseek-v2_5", "deepseek-r1-distill-qwen-7b", "yi-34b-chat", "yi-1_5-9b-chat-16k", "yi-coder-9b-chat",
        "internlm2-20b-chat", "internlm2_5-7b-chat-1m", "demo-chat",
    ):  # fmt: skip
        assert name in MODEL_MAPPING, name


def test_a_family_becomes_rows() -> None:
    family = ModelFamily(
        family="f", architectures=("X",), template="t", lora_targets=("q",), requires=("a",), tags=("moe",),
        sizes=(Size(name="f-1", hf="o/f"), Size(name="f-2", template="u", lora_targets=("k",), requires=("b",), tags=("chat",))),
    )  # fmt: skip
    one, two = expand(family)
    assert (one.template, one.lora_targets, one.requires, one.tags, one.hf) == ("t", ("q",), ("a",), ("moe",), "o/f")
    assert (two.template, two.lora_targets, two.requires, two.tags) == ("u", ("k",), ("a", "b"), ("moe", "chat"))


def test_models_are_added_as_row_family_or_fields() -> None:
    register_model(
        ModelRow(model_type="mine-1", family="mine", architectures=("X",), template="chatml", lora_targets=("q",))
    )
    register_model(model_type="mine-2", architectures=["X"], template=None, lora_targets=["ALL"], hf="me/mine")
    register_model(
        ModelFamily(family="m", architectures=("X",), template="t", lora_targets=(), sizes=(Size(name="mine-3"),))
    )
    assert MODEL_MAPPING["mine-2"].architectures == ("X",)
    assert MODEL_MAPPING["mine-2"].family == "mine-2"
    assert MODEL_MAPPING["mine-3"].family == "m"
    assert __file__ in MODEL_MAPPING.source("mine-1")


def test_templates_and_data_sets_are_added() -> None:
    register_template(name="plainest", user="{content}\n")
    register_dataset(name="my-rows", path="rows.jsonl")
    assert isinstance(TEMPLATE_MAPPING["plainest"], TemplateRow)
    assert DATASET_MAPPING["my-rows"].path == "rows.jsonl"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"model_type": "x"}, "architectures, template, lora_targets missing"),
        ({"model_type": "x", "template": "t", "lora_target": ()}, "'lora_targets'"),
        ({"model_type": "x", "architectures": "X", "template": "t", "lora_targets": ()}, "list or tuple"),
        (
            {"model_type": "qwen2_5-7b-instruct", "architectures": (), "template": "t", "lora_targets": ()},
            "registered twice: in swift.llm.catalog.models.qwen2_5 and in",
        ),
    ],
)
def test_a_wrong_registration_says_what_is_wrong(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        register_model(**fields)


def test_a_data_set_must_be_somewhere() -> None:
    with pytest.raises(ArgumentError, match="give ms, hf or path"):
        register_dataset(name="nowhere")


def test_a_row_of_another_kind() -> None:
    with pytest.raises(ArgumentError, match="give a TemplateRow"):
        register_template(DatasetRow(name="x", hf="a/b"))  # type: ignore[arg-type]


def test_a_users_file_runs_once(tmp_path: Path) -> None:
    file = tmp_path / "rows.py"
    file.write_text("from swift.llm.catalog import register_template\nregister_template(name='own')\n")
    load_custom_register(str(file))
    load_custom_register(str(file))
    assert TEMPLATE_MAPPING.source("own") == f"{file}:2"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = (\n", r"rows.py:1: .*never closed"),
        ("\nimport nothing_of_this_name\n", "line 2: ModuleNotFoundError"),
        (
            "from swift.llm.catalog import register_model\n\nregister_model(model_type='a')\n",
            "line 3: register_model: architectures",
        ),
    ],
)
def test_a_users_broken_file(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "rows.py"
    file.write_text(text)
    with pytest.raises(ArgumentError, match=told):
        load_custom_register(str(file))


def test_a_users_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="there is no such file"):
        load_custom_register(str(tmp_path / "gone.py"))
    with pytest.raises(ArgumentError, match="a folder"):
        load_custom_register(str(tmp_path))
    (tmp_path / "rows.txt").touch()
    with pytest.raises(ArgumentError, match=r"ends in \.py"):
        load_custom_register(str(tmp_path / "rows.txt"))


INFO = {
    "faq": {"hf_dataset_id": "acme/faq", "subsets": ["main"], "split": ["train", "test"], "columns": {"q": "query", "a": "response"}},
    "notes": {"dataset_id": "x/y", "dataset_path": "notes.jsonl", "subsets": ["s"], "tags": ["en"], "huge_dataset": True},
}  # fmt: skip


def test_data_sets_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "dataset_info.json"
    file.write_text(json.dumps(INFO))
    faq, notes = load_dataset_info(str(file))
    assert (faq.hf, faq.subsets, faq.split, dict(faq.columns)) == (
        "acme/faq", ("main",), ("train", "test"), {"q": "query", "a": "response"},
    )  # fmt: skip
    assert (notes.path, notes.base, notes.ms, notes.subsets) == ("notes.jsonl", str(tmp_path), None, ())
    assert notes.huge
    assert load_dataset_info(str(file)) == (faq, notes)
    assert DATASET_MAPPING["faq"] == faq


def test_data_sets_of_a_text_and_of_a_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (row,) = load_dataset_info('{"inline": {"dataset_path": "a.jsonl"}}')
    assert row.base == str(tmp_path)
    (row,) = load_dataset_info({"value": {"dataset_id": "a/b", "conversations": {"user_role": "human"}}})
    assert row.conversations == {"user_role": "human"}


def test_formats_of_data_sets() -> None:
    named, own, text, kept = load_dataset_info(
        {
            "named": {"dataset_path": "a.json", "type": "gpteacher:chat"},
            "own": {"dataset_path": "a.json", "type": {"field_instruction": "q", "format": "<{instruction}>"}},
            "text": {"dataset_path": "a.json", "field": "body"},
            "kept": {"dataset_path": "a.json", "remove_useless_columns": False},
        }
    )
    assert named.format == "gpteacher:chat"
    assert own.prompt == {"field_instruction": "q", "format": "<{instruction}>"}
    assert (text.format, text.columns) == ("completion", {"body": "text"})
    assert kept.keep_columns
    assert not named.keep_columns


def test_data_sets_in_the_other_form(tmp_path: Path) -> None:
    file = tmp_path / "dataset_info.json"
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "me", "function_tag": "call"}
    info = {
        "plain": {"file_name": "a.json", "columns": {"prompt": "question", "response": "output", "query": None}},
        "texts": {"file_name": "b.txt", "folder": "sub", "columns": {"prompt": "text"}},
        "turns": {"hf_hub_url": "x/y", "file_name": "c.json", "subset": "s", "split": "test", "formatting": "sharegpt",
                  "columns": {"messages": "chat", "tools": "functions", "kto_tag": "good"}, "tags": tags},
        "openai": {"ms_hub_url": "x/z", "formatting": "openai"},
    }  # fmt: skip
    file.write_text(json.dumps(info))
    plain, texts, turns, openai = load_dataset_info(str(file))
    assert (plain.path, plain.base, plain.columns) == ("a.json", str(tmp_path), {"question": "instruction"})
    assert (texts.path, texts.columns) == ("sub/b.txt", {})
    assert (turns.hf, turns.path, turns.subsets, turns.split) == ("x/y", None, ("s",), ("test",))
    assert turns.columns == {"functions": "tools", "good": "label"}
    assert turns.conversations == {
        "from_key": "role", "value_key": "content", "user_role": "me", "function_role": "call", "conversations_key": "chat",
    }  # fmt: skip
    assert openai.conversations == {"from_key": "role", "value_key": "content", "conversations_key": "messages"}


@pytest.mark.parametrize(
    ("info", "told"),
    [
        ("{\n oops", "line 2, column 2"),
        ("[]", "an object is expected"),
        ({"x": 1}, "'x': an object is expected, found int"),
        ({"x": {}}, "says nowhere where its data is"),
        ({"x": {"dataset_idd": "a/b"}}, "did you mean 'dataset_id'"),
        ({"x": {"dataset_id": "a/b", "split": "train"}}, "split is 'train'; a list is expected"),
        ({"x": {"dataset_id": "a/b", "conversations": {"user": "x"}}}, "unknown key 'user'"),
        ({"x": {"dataset_id": "a/b", "remove_useless_columns": "no"}}, "true or false is expected"),
        ({"x": {"dataset_id": "a/b", "conversations": {"error_strategy": "skip"}}}, "raise or delete is expected"),
        (
            {"x": {"dataset_id": "a/b", "type": {"field_output": "o", "field_question": "q"}}},
            "unknown key 'field_question'",
        ),
        ({"x": {"dataset_id": "a/b", "type": 3}}, "the name of a format"),
        ({"x": {"file_name": "a.json", "formatting": "chatml"}}, "alpaca, sharegpt or openai"),
        ({"x": {"file_name": "a.json", "columns": {"answer": "b"}}}, "columns: unknown key 'answer'"),
        ({"x": {"script_url": "a"}}, "bring code"),
        ({"x": {"file_name": "a.json", "num_samples": 5}}, "--dataset x#5"),
        ({"alpaca-en": {"dataset_id": "a/b"}}, "registered twice"),
        ("no/such/info.json", "there is no such file"),
    ],
)
def test_wrong_data_set_infos(info: Any, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        load_dataset_info(info)


def test_looking_up_imports_nothing_heavy() -> None:
    code = (
        "import sys\nimport swift.llm.catalog\nfrom swift.llm.catalog import MODEL_MAPPING\n"
        "before = 'swift.llm.catalog.models.qwen' in sys.modules\nfound = 'qwen2_5-7b-instruct' in MODEL_MAPPING\n"
        "heavy = {'torch', 'transformers', 'datasets', 'numpy'} & set(sys.modules)\nprint(before, found, sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False True []"


@pytest.mark.parametrize("kind", [{"format": "{instructio}"}, {"no_input_format": "{input}"}, {"system_format": "S"}])
def test_a_text_around_the_columns_has_a_place_for_them(kind: dict[str, str]) -> None:
    with pytest.raises(ArgumentError, match="no place for the columns' text"):
        load_dataset_info({"own": {"dataset_path": "a.json", "type": kind}})
