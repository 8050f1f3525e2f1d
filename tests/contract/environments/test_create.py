"""Environments made for real: a virtual environment, a package, the check, the place; all from files of the test."""

from __future__ import annotations

import json
import threading
import zipfile
from pathlib import Path

import pytest

from swift.environments.create import create, remove
from swift.environments.locate import RECORD, Located, locate
from swift.environments.rows import Build, EnvironmentRow
from swift.utils.errors import DiskError, EnvironmentsError

ROW = EnvironmentRow(
    name="tiny",
    title="Tiny",
    builds=(
        Build(
            name="cpu", gpu=False, torch="tinytorch==1.0", requires=("tinyengine==2.0",), fragile=("tinyvision",), python=">=3.10",
            disk_gib=0.1,
        ),
    ),
    imports=("tinyengine",),
    probe="import json; print(json.dumps({'architectures': ['A']}))",
)  # fmt: skip


def wheel(folder: Path, name: str, version: str, code: str, requires: tuple[str, ...] = ()) -> None:
    """A package of one module, as pip installs it."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        f"Requires-Dist: {one}\n" for one in requires
    )
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", code)
        file.writestr(f"{info}/METADATA", metadata)
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip takes everything from."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "tinytorch", "1.0", "")
    wheel(folder, "tinyvision", "1.0", "raise RuntimeError('made for another build')")
    wheel(folder, "tinyengine", "2.0", "", ("tinytorch", "tinyvision"))
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", str(folder)), ("PIP_CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(name, value)
    return folder


def test_made_once_by_several_repaired_and_removed(packages: Path, tmp_path: Path) -> None:
    root, told = tmp_path / "envs", []
    seen: list[Located] = []
    found: list[Located] = []

    def add() -> None:
        found.append(create(ROW, root, gpu=False, installer="pip", check=seen.append, say=told.append))

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.state for one in found] == ["ready", "ready"]
    assert len(seen) == 1  # the second one found it made
    assert any("tinyvision" in line and "taken out" in line for line in told)
    record = json.loads((root / "tiny" / RECORD).read_text())
    assert (record["probe"], record["taken_out"]) == ({"architectures": ["A"]}, ["tinyvision"])
    assert record["packages"]["tinyengine"] == "2.0"

    first = (root / "tiny").resolve()
    (first / RECORD).unlink()  # as if it had been cut off
    assert locate(ROW, root, gpu=False).state == "broken"
    assert create(ROW, root, gpu=False, installer="pip", say=told.append).usable
    assert not first.exists()  # the broken one is gone

    assert remove(ROW, root)
    assert locate(ROW, root, gpu=False).state == "absent"
    assert not remove(ROW, root)
    assert [path.name for path in root.iterdir()] == [".tiny.lock"]


def test_what_fails_leaves_nothing_but_its_log(packages: Path, tmp_path: Path) -> None:
    root = tmp_path / "envs"
    (packages / "tinyengine-2.0-py3-none-any.whl").unlink()
    with pytest.raises(
        EnvironmentsError, match=r"(?s)No matching distribution found for tinyengine.*The whole log: .*tiny-failed.log"
    ):
        create(ROW, root, gpu=False, installer="pip", say=lambda _: None)
    assert sorted(path.name for path in root.iterdir()) == [".tiny.lock", "tiny-failed.log"]


def test_a_full_disk_is_seen_before_anything_is_made(tmp_path: Path) -> None:
    big = EnvironmentRow(
        name="big", title="Big", builds=(Build(name="cpu", gpu=False, torch="x", requires=("no-such-thing",), disk_gib=1e9),), imports=()
    )  # fmt: skip
    with pytest.raises(DiskError, match=r"GiB are free.*--env_dir"):
        create(big, tmp_path / "envs", gpu=False, say=lambda _: None)
