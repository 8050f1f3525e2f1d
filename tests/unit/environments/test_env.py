"""`swift env` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swift.llm.arguments.environments import EnvArguments
from swift.llm.env import env_main
from swift.utils.errors import ArgumentError


def test_list_as_json_tells_of_every_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert env_main(EnvArguments(env_dir=str(tmp_path), json=True)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["env_dir"] == str(tmp_path)
    assert {one["name"]: one["state"] for one in told["environments"]} == {
        "vllm": "absent",
        "lmdeploy": "absent",
        "sglang": "absent",
    }


def test_check_of_one_that_is_not_there_says_how_to_make_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert env_main(EnvArguments(action="check", names=("vllm",), env_dir=str(tmp_path))) == 1
    assert "swift env add vllm" in capsys.readouterr().out
    assert env_main(EnvArguments(action="remove", names=("vllm",), env_dir=str(tmp_path))) == 1


def test_which_one_must_be_said_and_known(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="which environment"):
        env_main(EnvArguments(action="add", env_dir=str(tmp_path)))
    with pytest.raises(ArgumentError, match="did you mean 'vllm'"):
        env_main(EnvArguments(action="add", names=("vlm",), env_dir=str(tmp_path)))
