"""`swift serve-check` with the engine pt: the report of an adapter, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swift.llm.arguments.environments import ServeCheckArguments
from swift.llm.serve_check import Compared, Report, lines, serve_check_main
from swift.utils.errors import PlanError


def test_an_adapter_is_shown_to_be_applied(adapter_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = serve_check_main(
        ServeCheckArguments(
            ckpt_dir=str(adapter_checkpoint), infer_backend="pt", check_tokens=4, tolerance=0.001, json=True
        )
    )
    report = json.loads(capsys.readouterr().out)
    assert (code, report["is_well"], report["problems"]) == (0, True, [])
    assert report["prompts_are_prefixes"]
    assert {one["engine"] for one in report["answers"]} == {"pt"}
    assert all(one["same_tokens"] and one["num_tokens"] > 0 for one in report["answers"])
    assert report["adapter"]["from_base"] > 0.001 > report["adapter"]["from_merged"]


def test_an_adapter_by_name_is_compared_with_the_base_of_the_same_engine(
    adapter_checkpoint: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {
        "model_id_or_path": str(model_folder), "infer_backend": "pt", "check_tokens": 4, "json": True,
        "lora_modules": (f"mine={adapter_checkpoint}",),
    }  # fmt: skip
    assert serve_check_main(ServeCheckArguments(**given, tolerance=0.001)) == 0  # type: ignore[arg-type]
    told = json.loads(capsys.readouterr().out)
    assert {one["engine"] for one in told["answers"]} == {"pt", "pt by name"}
    assert told["adapter"]["served_from_base"] > 0.001 > told["adapter"]["served_base"]
    assert serve_check_main(ServeCheckArguments(**given, tolerance=1000.0)) == 1  # type: ignore[arg-type]
    assert "pt by name says the same with the adapter as without it" in json.loads(capsys.readouterr().out)["problems"]


def test_a_difference_is_marked_in_the_table() -> None:
    answer = Compared("vllm", "Why?", 9, 4, False, 2, 0.5, 0.25, 0.0, is_well=False)
    report = Report("m", "vllm", 0.05, True, (answer,), None, ("vllm differs from the training code for 'Why?'",))
    told = lines(report)
    assert not report.is_well
    assert any("to token 2" in line and "DIFFERENT" in line for line in told)
    assert told[-1] == "DIFFERENT: 1 problem(s)"


def test_arguments_without_a_meaning_here_are_refused(model_folder: Path) -> None:
    with pytest.raises(
        PlanError, match=r"(?s)--temperature: the questions are built in.*--tolerance -1.0: is a number above 0"
    ):
        serve_check_main(ServeCheckArguments(model_id_or_path=str(model_folder), temperature=0.5, tolerance=-1.0))
