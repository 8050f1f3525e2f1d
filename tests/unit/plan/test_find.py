"""What every plan begins with: here, that a token given once reaches all later downloads and no file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from swift.llm.arguments.commands import SftArguments
from swift.llm.plan.find import arguments_as_json, find_model


@pytest.mark.parametrize(("use_hf", "name"), [(True, "HF_TOKEN"), (False, "MODELSCOPE_API_TOKEN")])
def test_a_given_token_serves_all_later_downloads(
    use_hf: bool, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, "old")
    args = SftArguments(model_type="demo-chat", hub_token="secret", use_hf=use_hf)
    find_model(args, {})
    assert os.environ[name] == "secret"
    assert "secret" not in str(arguments_as_json(args))
    monkeypatch.setenv(name, "old")
    find_model(replace(args, hub_token=None), {})
    assert os.environ[name] == "old"
