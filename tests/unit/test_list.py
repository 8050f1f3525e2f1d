"""`swift list`: rows by words."""

from __future__ import annotations

import json

import pytest

from swift.llm.arguments.listing import ListArguments
from swift.llm.catalog.registries import DATASET_MAPPING, MODEL_MAPPING, TUNER_MAPPING
from swift.llm.catalog.rows import ModelRow
from swift.llm.list import abilities, find_rows, list_main, table
from swift.utils.errors import ArgumentError
from swift.utils.hub import package_folder


def test_words_narrow_whatever_field_holds_them() -> None:
    names = [row.model_type for row in find_rows("models", ["QWEN2.5", "coder", "awq"])]
    assert names == [f"qwen2_5-coder-{size}-instruct-awq" for size in ("0_5b", "1_5b", "3b", "7b", "14b", "32b")]
    assert {row.family for row in find_rows("models", ["yi1_5", "chat"])} == {"yi-1_5"}
    assert [row.model_type for row in find_rows("models", ["zai-org/glm-4-9b-chat-1m"])] == ["glm4-9b-chat-1m"]
    assert "self-cognition" in {row.name for row in find_rows("datasets", ["offline"])}


def test_columns_are_aligned() -> None:
    assert table(("a", "b"), [("long", "x"), ("s", "")]) == ["a     b", "long  x", "s"]
    assert table(("a",), [("abcdef",)], width=4) == ["a", "abc…"]


def test_the_number_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_main(ListArguments(what="models", words=("gemma-2-",), family="gemma2", tag="base")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == "model_type"
    assert lines[-1].startswith("3 of ")
    assert len({line.index("default-generation") for line in lines[1:-1]}) == 1


@pytest.mark.parametrize("what", ["models", "templates", "datasets", "tuners"])
def test_each_list_has_rows(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_main(ListArguments(what=what)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{len(find_rows(what, []))} {what}"


def test_near_names_where_nothing_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_main(ListArguments(what="models", words=("qwen2_5-7b-instrct",))) == 1
    assert "Near: qwen2_5-7b-instruct" in capsys.readouterr().out
    assert list_main(ListArguments(what="tuners", words=("zzzz",))) == 1
    assert "`swift list tuners` shows all" in capsys.readouterr().out


def test_json_lines_hold_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_main(ListArguments(what="models", words=("llama2-7b-chat",), json=True)) == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert row["name"] == row["model_type"] == "llama2-7b-chat"
    assert row["hf"] == "meta-llama/Llama-2-7b-chat-hf"


def test_rows_of_ones_own_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DATASET_MAPPING, "_known", dict(DATASET_MAPPING))
    info = {"only-in-this-test": {"dataset_path": "rows.jsonl"}}
    arguments = ListArguments(what="datasets", words=("only-in-this-test",), custom_dataset_info=info)
    assert list_main(arguments) == 0
    assert "rows.jsonl" in capsys.readouterr().out


def test_filters_narrow_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_main(ListArguments(words=("instruct",), family="qwen2_5", size="7b", quant="none")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:-1]] == [
        ["qwen2_5-7b-instruct", "qwen2_5"], ["qwen2_5-7b-instruct-1m", "qwen"],
    ]  # fmt: skip
    assert lines[-1] == f"2 of {len(MODEL_MAPPING)} models"
    assert list_main(ListArguments(family="grok", size="7b")) == 1
    assert "no models fit all of these" in capsys.readouterr().out
    assert list_main(ListArguments(words=("grok",), json=True, task="causal_lm")) == 0
    assert json.loads(capsys.readouterr().out)["modality"] == ["text"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (ListArguments(what="datasets", size="7b"), "--size: only models have it"),
        (ListArguments(what="tuners", check=True), "--check: only models have it"),
        (ListArguments(model="somewhere"), "--model belongs to --check"),
        (ListArguments(hub=True), "--hub belongs to --check"),
        (ListArguments(check=True, use_hf=True), "--use_hf belongs to --check --hub"),
        (ListArguments(check=True, hub=True), "Say which: words, --family or another filter"),
        (ListArguments(check=True, model="/nowhere/at/all"), "no folder with a config.json"),
    ],
)
def test_options_that_do_not_go_together(arguments: ListArguments, told: str) -> None:
    with pytest.raises(ArgumentError) as error:
        list_main(arguments)
    assert told in str(error.value)


def test_good_rows_pass_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_main(ListArguments(check=True, family="qwen2_5")) == 0
    assert capsys.readouterr().out.startswith("checked 37 rows: no problems")


def test_problems_are_a_table_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ModelRow(model_type="broken", family="broken", architectures=("Own",), template="gone", lora_targets=())
    monkeypatch.setattr(MODEL_MAPPING, "_known", {**MODEL_MAPPING, "broken": row})
    assert list_main(ListArguments(words=("broken",), check=True)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["model_type", "part"], ["broken", "architectures"], ["broken", "ids"], ["broken", "lora_targets"],
        ["broken", "template"], ["checked", "1"],
    ]  # fmt: skip
    assert list_main(ListArguments(words=("broken",), check=True, json=True)) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[0])["part"] == "architectures"


def test_a_folder_is_compared_with_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    demo = package_folder("swift.demo:model")
    assert demo is not None
    assert list_main(ListArguments(words=("demo-chat",), check=True, model=str(demo))) == 0
    told = capsys.readouterr().out
    assert "as demo-chat: template chatml, the same ids in" in told
    assert (
        list_main(ListArguments(words=("llama3-8b-instruct",), size="8b", quant="none", check=True, model=str(demo)))
        == 1
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[1] == "architectures"
    assert "config.json says Qwen2ForCausalLM" in lines[1]
    assert lines[2].split()[:2] == ["llama3-8b-instruct", "template"]


def test_what_a_method_can_do_is_told() -> None:
    told = {name: abilities(row) for name, row in TUNER_MAPPING.items()}
    assert told["lora"] == ("yes", "changes, factors", "yes", "bnb hqq eetq gptq awq aqlm")
    assert told["ia3"] == ("yes", "changes", "yes", "bnb")
    assert told["reft"] == ("no", "no", "yes", "no")
    assert told["llamapro"] == ("is whole", "no", "as a model", "no")
