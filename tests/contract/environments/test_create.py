"""Environments made for real: a virtual environment, a package, the check, the place; all from files of the test."""

from __future__ import annotations

import json
import shutil
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from swift.environments.create import Installer, create, remove
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
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(folder))):
        monkeypatch.setenv(f"PIP_{name}", value)
        monkeypatch.setenv(f"UV_{name}", value)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
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

    [module] = (root / "tiny").glob("lib/python*/site-packages/tinyengine.py")
    module.write_text("import what_is_gone")  # its metadata says nothing of it
    assert create(ROW, root, gpu=False, installer="pip", say=told.append).usable
    assert any("made again" in line and "what_is_gone" in line for line in told)
    assert module.read_text() == ""

    assert remove(ROW, root)
    assert locate(ROW, root, gpu=False).state == "absent"
    assert not remove(ROW, root)
    assert [path.name for path in root.iterdir()] == [".tiny.lock"]


@pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv on the PATH")
@pytest.mark.parametrize("installer", ["uv", "auto"])
def test_uv_makes_the_same(packages: Path, tmp_path: Path, installer: Installer) -> None:
    root, told = tmp_path / "envs", []
    wheel(packages, "tinytorch", "1.1", "")  # not the one that is wanted
    (locks := tmp_path / "lock.txt").write_text("tinyextra==1.0\n")
    for version in ("1.0", "2.0"):
        wheel(packages, "tinyextra", version, "")
    wheel(packages, "tinyengine", "2.0", "import tinyextra", ("tinytorch", "tinyvision", "tinyextra"))
    build = replace(ROW.builds[0], lock=str(locks))
    made = create(replace(ROW, builds=(build,)), root, gpu=False, installer=installer, say=told.append)
    assert made.state == "ready"
    record = json.loads((root / "tiny" / RECORD).read_text())
    assert (record["installer"], record["taken_out"]) == ("uv", ["tinyvision"])
    assert record["packages"] == {"tinyengine": "2.0", "tinytorch": "1.0", "tinyextra": "1.0"}
    assert any(line.startswith("[1/4] interpreter (uv)") for line in told)
    assert remove(ROW, root)


@pytest.mark.parametrize(
    "installer",
    [
        "pip",
        pytest.param("uv", marks=pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv on the PATH")),
    ],
)
def test_an_index_of_torch_with_old_versions_of_others_hides_nothing(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installer: Installer
) -> None:
    plain, torches = tmp_path / "plain", tmp_path / "torches"
    for index, names in ((plain, ("tinytorch", "tinyvision", "tinyengine")), (torches, ("tinytorch", "tinyengine"))):
        for name in names:
            (index / name).mkdir(parents=True)
            version = "1.0" if index is torches or name != "tinyengine" else "2.0"
            code = "raise RuntimeError" if name == "tinyvision" else ""
            wheel(index / name, name, version, code, ("tinytorch", "tinyvision") if name == "tinyengine" else ())
            file = f"{name}-{version}-py3-none-any.whl"
            (index / name / "index.html").write_text(
                f'<!DOCTYPE html><html><body><a href="{file}">{file}</a></body></html>'
            )
    for variable in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "UV_NO_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_INDEX_URL", plain.as_uri())
    monkeypatch.setenv("UV_DEFAULT_INDEX", plain.as_uri())
    made = create(
        ROW, tmp_path / "envs", gpu=False, installer=installer, torch_index=torches.as_uri(), say=lambda _: None
    )
    assert made.record["packages"]["tinyengine"] == "2.0"


@pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv on the PATH")
def test_what_fails_with_uv_is_said(packages: Path, tmp_path: Path) -> None:
    (packages / "tinyengine-2.0-py3-none-any.whl").unlink()
    with pytest.raises(EnvironmentsError, match=r"(?s)tinyengine.*The whole log: .*tiny-failed.log"):
        create(ROW, tmp_path / "envs", gpu=False, installer="uv", say=lambda _: None)


def test_a_uv_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentsError, match="no uv on the PATH"):
        create(ROW, tmp_path / "envs", gpu=False, installer="uv", say=lambda _: None)


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
