from __future__ import annotations

from pathlib import Path

import pytest

from swift.llm.app_ui import make_plan
from swift.llm.arguments.commands import AppUiArguments
from swift.utils.errors import PlanError


def test_the_server_gets_what_was_given_and_the_page_keeps_its_own() -> None:
    plan = make_plan(AppUiArguments(model_type="demo-chat", port=7000, temperature=0.5))
    assert plan.served == {"model_type": "demo-chat", "temperature": 0.5}
    assert (plan.port, plan.title, plan.is_base) == (7000, "demo-chat", False)
    assert plan.infer is not None
    assert plan.infer.result_path is None


def test_a_page_for_another_server_loads_no_model(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("# of the office\nabc\n")
    plan = make_plan(AppUiArguments(api_base="http://127.0.0.1:8000/v1", api_key_file=str(keys)))
    assert (plan.infer, plan.served, plan.title) == (None, {}, "http://127.0.0.1:8000/v1")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    empty = tmp_path / "keys"
    empty.write_text("# none\n")
    with pytest.raises(PlanError) as told:
        make_plan(
            AppUiArguments(
                api_base="localhost", model_type="demo-chat", eval_human=True, port=70_000, api_key_file=str(empty)
            )
        )
    words = "\n".join(told.value.problems)
    for flag in ("--eval_human: a server has no chat", "--port 70000", "--model_type, --eval_human: the server at --api_base",
                 "--api_base localhost: begins with http", "holds no key"):  # fmt: skip
        assert flag in words


def test_a_key_without_a_server(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        make_plan(AppUiArguments(model_type="demo-chat", api_key_file=str(tmp_path / "absent")))
