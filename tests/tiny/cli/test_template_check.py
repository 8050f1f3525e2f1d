"""`swift template check` through the real command line, and the verdict that a training run stores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "tokenizers" / "qwen3"


def altered(place: Any, old: str, new: str) -> Path:
    """Qwen 3's own tokenizer in a folder, with a changed chat template."""
    if not REAL.is_dir():
        pytest.skip(f"no real tokenizer: {REAL} is absent")
    folder = place.folder / "model"
    shutil.copytree(REAL, folder)
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    assert old in config["chat_template"]
    config["chat_template"] = config["chat_template"].replace(old, new)
    file.write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_the_model_of_the_package_is_equal(place: Any) -> None:
    done = place.swift("template", "check", "--model", "demo-chat")
    done.check_well("template: chatml", "equal in", "[[P|ar|is|.|<|im_end|>]]")
    assert "DIFFERENT" not in done.out


def test_a_folder_of_a_model_is_recognised(place: Any) -> None:
    place.swift("template", "check", "--model", place.model).check_well("template: ", "an answer ends at '<|im_end|>'")


def test_a_changed_template_is_shown_with_a_caret(place: Any) -> None:
    folder = altered(place, "'<|im_start|>' + message.role + '\\n'", "'<|im_start|>' + message.role + ':\\n'")
    done = place.swift("template", "check", "--model", folder, "--template_type", "qwen3", "--save", place.folder)
    assert done.code == 1, done
    lines = done.out.splitlines()
    start = lines.index("first difference")
    row, own, caret = lines[start + 2 : start + 5]
    place_of = caret.index("^")
    assert row[:place_of].split(": ", 1)[1] == own[:place_of].split(": ", 1)[1]
    assert row[place_of] != own[place_of]
    assert "DIFFERENT in" in done.out
    stored = json.loads((place.folder / "template_check.json").read_text(encoding="utf-8"))
    assert stored["equal"] is False
    assert stored["template"] == "qwen3"
    assert {one["state"] for one in stored["results"]} >= {"different"}


def test_an_unknown_template_is_looked_at_by_itself(place: Any) -> None:
    folder = altered(place, "<|im_start|>", "<|im_start|> ")
    done = place.swift("template", "check", "--model", folder, "--show", "tool call")
    done.check_well(
        "no row knows this chat template",
        "prompts against the beginnings of samples",
        "tokens of 'tool call'",
        "[[<think>",
    )


@pytest.mark.parametrize(("tokenizer", "template"), [("qwen3", "qwen3"), ("llama-2-chat", "llama")])
def test_the_row_that_knows_a_chat_template_is_compared(place: Any, tokenizer: str, template: str) -> None:
    folder = REAL.parent / tokenizer  # base models carry the same text, and say nothing about the format
    if not folder.is_dir():
        pytest.skip(f"no real tokenizer: {folder} is absent")
    place.swift("template", "check", "--model", folder).check_well(
        f"template: {template} (the row of models", "against the chat template of the tokenizer", "equal in"
    )


def test_json_and_conversations_of_a_file(place: Any) -> None:
    rows = place.rows(
        "talk.jsonl", [{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}]
    )
    done = place.swift("template", "check", "--model", "demo-chat", "--conversations", rows, "--json")
    verdict = json.loads(done.out)
    assert done.code == 0
    assert [one["conversation"] for one in verdict["results"]] == ["talk.jsonl:1"] * 2
    assert verdict["checked"] == 2


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ((), ["--model", "was not said"]),
        (("--model", "demo-chat", "--show", "nothing"), ["--show 'nothing'", "two rounds"]),
        (("--model", "no/where/at/all"), ["no/where/at/all", "no such folder"]),
        (("--model", "demo-chat", "--template_type", "qwen33"), ["qwen33", "qwen3"]),
        (("--model", "demo-chat", "--conversations", "empty.jsonl"), ["empty.jsonl"]),
    ],
)
def test_what_cannot_be_checked_is_refused(place: Any, words: tuple[str, ...], parts: list[str]) -> None:
    place.write("empty.jsonl", "")
    place.swift("template", "check", *words).check_refused(*parts)


def test_a_run_stores_the_verdict_with_each_checkpoint(trained: Any) -> None:
    for folder in (trained.run, trained.checkpoint):
        verdict = json.loads((folder / "template_check.json").read_text(encoding="utf-8"))
        assert verdict["equal"] is True
        assert verdict["checked"] > 10
    done = trained.place.swift("template", "check", "--model", trained.checkpoint)
    done.check_well("the run that wrote this folder used it", "equal in")


def test_a_run_with_another_template_warns_loudly(place: Any) -> None:
    done = place.swift(
        "sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", "--template_type", "llama3", "--dry_run"
    )  # fmt: skip
    assert "THE TEMPLATE llama3 DOES NOT ENCODE WHAT THIS TOKENIZER'S OWN CHAT TEMPLATE DOES" in done.err + done.out
