"""Late imports, typed environment variables, one logger, one exception tree."""

from __future__ import annotations

import logging
import pickle

import pytest

from swift.utils import environ, errors
from swift.utils.lazy import load, require
from swift.utils.log import logger


def test_load_finds_attributes_and_modules() -> None:
    assert load("json:JSONDecoder.decode").__name__ == "decode"
    assert load("json").__name__ == "json"


def test_require_lists_what_is_missing_with_the_pip_line() -> None:
    require("pytest>=1", 'nonesuch; sys_platform == "plan9"')
    with pytest.raises(errors.MissingPackageError) as caught:
        require("nonesuch-a>=2", "pytest>=999", extra="infer")
    said = str(caught.value)
    assert "nonesuch-a>=2 is not installed; pytest>=999 is needed" in said
    assert "pip install 'nonesuch-a>=2' 'pytest>=999'" in said
    assert "requirements/infer.txt" in said


def test_variables_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_HF", "yes")
    monkeypatch.setenv("NPROC_PER_NODE", "two")
    monkeypatch.setenv("TIMEOUT", "")
    assert environ.USE_HF.read() is True
    assert environ.TIMEOUT.read() == 20
    with pytest.raises(errors.ArgumentError, match="NPROC_PER_NODE: 'two' is not an integer"):
        environ.NPROC_PER_NODE.read()
    assert all(variable.meaning.endswith(".") for variable in environ.VARIABLES.values())


def test_only_the_first_rank_speaks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    logger.info("first")
    monkeypatch.setenv("RANK", "3")
    logger.info("unheard")
    logger.warning("heard")
    printed = capsys.readouterr().err
    assert "[INFO:swift] first" in printed
    assert "unheard" not in printed
    assert "[rank 3] [WARNING:swift] heard" in printed
    assert logger.handlers[0] not in logging.getLogger().handlers


def test_exit_codes_and_the_tree() -> None:
    wrong = errors.PlanError(["one", "two"])
    assert str(wrong) == "2 problems\n  - one\n  - two"
    assert pickle.loads(pickle.dumps(wrong)).problems == ("one", "two")
    codes = {name: getattr(errors, name).exit_code for name in errors.__all__}
    assert {name for name, code in codes.items() if code == 2} == {"ArgumentError", "PlanError", "NotBuiltError"}
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.SwiftError)
        assert name in (errors.__doc__ or "")


def test_waiting_threads_sleep_unless_the_user_has_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    environ.let_threads_sleep()
    assert environ.OMP_WAIT_POLICY.read() == "ACTIVE"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    environ.let_threads_sleep()
    assert environ.OMP_WAIT_POLICY.read() == "PASSIVE"
