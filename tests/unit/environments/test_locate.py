"""Where the packages of an environment are, and what of a folder is trusted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from swift.environments.locate import RECORD, env_root, locate, requirements_hash
from swift.environments.rows import ENVIRONMENTS, Build, EnvironmentRow

ROW = EnvironmentRow(
    name="thing",
    title="Thing",
    builds=(
        Build(name="cuda", gpu=True, torch="torch", requires=("thing==9",)),
        Build(name="cpu", gpu=False, torch="torch", requires=("thing-cpu==1.2", "torch>=2")),
    ),
    imports=("thing",),
)
ONLY_GPU = EnvironmentRow(name="big", title="Big", builds=ROW.builds[:1], imports=("big",))


def make(root: Path, *, installed: dict[str, str] | None = None, record: object = "right") -> Path:
    """A folder that looks like an environment."""
    packages = root / "thing" / "lib" / "python3.11" / "site-packages"
    for name, version in (installed or {"thing_cpu": "1.2", "torch": "2.13.0+cpu"}).items():
        folder = packages / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").touch()
    (root / "thing" / "bin").mkdir()
    (root / "thing" / "bin" / "python").symlink_to(sys.executable)
    if record == "right":
        record = {"hash": requirements_hash(ROW.builds[1]), "created": "today", "probe": {"architectures": ["A"]}}
    if record is not None:
        (root / "thing" / RECORD).write_text(json.dumps(record))
    return root / "thing"


def test_one_that_was_made_is_found_with_what_it_told(tmp_path: Path) -> None:
    make(tmp_path)
    found = locate(ROW, tmp_path, gpu=False)
    assert (found.state, found.build, found.python) == ("ready", "cpu", str(tmp_path / "thing" / "bin" / "python"))
    assert found.record["probe"] == {"architectures": ["A"]}


@pytest.mark.parametrize(
    ("installed", "record", "state", "why"),
    [
        (None, None, "broken", "never finished"),
        (None, {"hash": "another"}, "stale", "other requirements"),
        ({"thing_cpu": "1.3", "torch": "2.13.0"}, "right", "broken", "thing-cpu==1.2 is not what is installed"),
        ({"thing_cpu": "1.2"}, "right", "broken", "torch>=2"),
    ],
)
def test_what_is_not_whole_is_not_trusted(
    tmp_path: Path, installed: dict[str, str] | None, record: object, state: str, why: str
) -> None:
    make(tmp_path, installed=installed, record=record)
    found = locate(ROW, tmp_path, gpu=False)
    assert found.state == state
    assert why in found.why
    assert not found.usable


def test_one_whose_interpreter_is_gone_is_broken(tmp_path: Path) -> None:
    python = make(tmp_path) / "bin" / "python"
    python.unlink()
    python.symlink_to(tmp_path / "gone")
    assert "interpreter" in locate(ROW, tmp_path, gpu=False).why


def test_the_build_follows_the_machine(tmp_path: Path) -> None:
    assert locate(ROW, tmp_path, gpu=True).build == "cuda"
    assert locate(ROW, tmp_path, gpu=False).build == "cpu"
    missing = locate(ONLY_GPU, tmp_path, gpu=False)
    assert (missing.state, missing.build) == ("absent", None)
    assert "needs an NVIDIA GPU" in missing.why


def test_this_interpreter_is_used_where_it_has_all(tmp_path: Path) -> None:
    row = EnvironmentRow(
        name="here", title="Here", builds=(Build(name="cpu", gpu=False, torch="x", requires=("pytest>=8",)),), imports=("pytest",)
    )  # fmt: skip
    found = locate(row, tmp_path, gpu=False)
    assert (found.state, found.python) == ("here", sys.executable)


def test_the_folder_is_given_or_of_the_variable_or_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWIFT_CACHE", str(tmp_path / "cache"))
    assert env_root() == tmp_path / "cache" / "envs"
    monkeypatch.setenv("SWIFT_ENV_DIR", str(tmp_path / "set"))
    assert env_root() == tmp_path / "set"
    assert env_root(tmp_path / "given") == tmp_path / "given"


def test_locks_that_rows_name_exist_and_hold_what_the_rows_require() -> None:
    from packaging.requirements import Requirement

    for row in ENVIRONMENTS.values():
        for build in row.builds:
            if build.lock_path is None:
                continue
            lines = build.lock_path.read_text(encoding="utf-8").splitlines()
            locked = dict(line.split(" ;")[0].split("==") for line in lines if line and not line.startswith("#"))
            versions = {name.lower(): version for name, version in locked.items()}
            for wanted in map(Requirement, (build.torch, *build.requires)):
                assert wanted.specifier.contains(versions[wanted.name.lower()]), f"{row.name}: {wanted}"
