"""Which interpreter has the packages of a row: the one that runs now, or one that was made for it. Runs nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from swift.environments.rows import Build, EnvironmentRow
from swift.utils.environ import SWIFT_CACHE, SWIFT_ENV_DIR
from swift.utils.errors import DataError
from swift.utils.files import read_json

__all__ = ["RECORD", "Located", "build_for", "env_root", "has_gpu", "locate", "requirements_hash", "unmet"]

RECORD = "swift-env.json"
"""The file in an environment that says how it was made; written when it was checked, so without it nothing is trusted."""

State = Literal["here", "ready", "stale", "broken", "absent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where a row's packages are. ``here``: in this interpreter. ``ready``: in ``folder``. ``stale``: there, made from other
    requirements than the row has now. ``broken``: there, and not whole. ``why`` says it in words.

    ``record`` is what was written down when it was made: versions and what the probe told.
    """

    name: str
    state: State
    why: str
    python: str | None = None
    folder: str | None = None
    build: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether processes may be started in it."""
        return self.state in ("here", "ready")


def env_root(given: str | os.PathLike[str] | None = None) -> Path:
    """The folder of all environments: as given, else SWIFT_ENV_DIR, else ``envs`` in swift's cache."""
    if given is not None:
        return Path(given).expanduser().absolute()
    variable = SWIFT_ENV_DIR.read()
    if variable is not None:
        return Path(variable).expanduser().absolute()
    return Path(SWIFT_CACHE.read() or "~/.cache/swift").expanduser().absolute() / "envs"


def has_gpu() -> bool:
    """Whether an NVIDIA driver is there, by its device file or its tool; no device is opened."""
    return Path("/dev/nvidia0").exists() or Path("/dev/dxg").exists() or shutil.which("nvidia-smi") is not None


def build_for(row: EnvironmentRow, *, gpu: bool) -> Build | None:
    """The first build that runs on such a machine; None where the row has none."""
    return next((build for build in row.builds if gpu or not build.gpu), None)


def requirements_hash(build: Build) -> str:
    """SHA-256 of everything that decides what is installed."""
    lock = build.lock_path
    said = [build.name, build.torch, build.cpu_torch, *build.requires, "|", *build.fragile]
    text = json.dumps([*said, lock.read_text(encoding="utf-8") if lock is not None else None])
    return hashlib.sha256(text.encode()).hexdigest()


def locate(row: EnvironmentRow, root: Path, *, gpu: bool | None = None) -> Located:
    """Find the row's packages for this machine (``gpu`` None: look whether it has one).

    An environment that was made for it goes before this interpreter. Reads small files and package metadata only.
    """
    gpu = has_gpu() if gpu is None else gpu
    build = build_for(row, gpu=gpu)
    if build is None:
        return Located(name=row.name, state="absent", why=f"{row.title} needs an NVIDIA GPU; this machine shows none")
    folder = root / row.name
    if os.path.lexists(folder):
        found = _read(row, build, folder)
        if found.usable:
            return found
    else:
        found = Located(name=row.name, state="absent", build=build.name, why=f"there is none in {root}")
    missing = unmet(build)
    if not missing:
        return Located(
            name=row.name, state="here", python=sys.executable, build=build.name,
            why=f"this interpreter has {', '.join(build.requires)}", record={"probe": {}},
        )  # fmt: skip
    return found


def _read(row: EnvironmentRow, build: Build, folder: Path) -> Located:
    """What lies in the folder of an environment."""

    def told(state: State, why: str, record: Mapping[str, Any] | None = None) -> Located:
        return Located(
            name=row.name, state=state, why=why, python=str(python), folder=str(folder), build=build.name,
            record=record or {},
        )  # fmt: skip

    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    try:
        record = read_json(folder / RECORD)
    except DataError as error:
        return told("broken", f"it was never finished or has lost its record ({error})")
    if not python.exists():
        return told("broken", f"its interpreter {python} is gone (was Python itself updated or removed?)", record)
    if record.get("hash") != requirements_hash(build):
        return told("stale", "it was made from other requirements than this version of swift has", record)
    installed = _versions(folder)
    wrong = [text for text in build.requires if not _met(text, installed)]
    if wrong:
        return told("broken", f"{', '.join(wrong)} is not what is installed in it", record)
    return told("ready", f"made {record.get('created', 'some time ago')}", record)


def unmet(build: Build) -> list[str]:
    """Requirements of a build that this interpreter does not meet, by metadata."""
    from packaging.requirements import Requirement

    installed = {}
    for text in build.requires:
        name = Requirement(text).name
        try:
            installed[_plain(name)] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return [text for text in build.requires if not _met(text, installed)]


def _met(requirement: str, installed: Mapping[str, str]) -> bool:
    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    version = installed.get(_plain(wanted.name))
    return version is not None and wanted.specifier.contains(version, prereleases=True)


def _versions(folder: Path) -> dict[str, str]:
    """Name to version of all that is installed in an environment, from the names of its metadata folders."""
    found = {}
    for path in folder.glob("lib/python*/site-packages/*.dist-info"):
        name, _, version = path.name.removesuffix(".dist-info").partition("-")
        if (path / "METADATA").is_file():
            found[_plain(name)] = version
    return found


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")
