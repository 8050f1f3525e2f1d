"""Making an environment: a new folder beside the place it will have, packages in a fixed order, a check, and one rename.

The place itself (``<root>/<name>``) is a link to the folder that was checked last. It is moved in one step, so nobody ever
sees half an environment, and the folder of a virtual environment, whose scripts hold its path, never moves.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any, Literal

from swift.environments.locate import RECORD, Located, build_for, has_gpu, locate, requirements_hash
from swift.environments.rows import Build, EnvironmentRow
from swift.utils.environ import TORCH_INDEX
from swift.utils.errors import DiskError, EnvironmentsError
from swift.utils.files import disk_error, write_json_atomic
from swift.utils.locks import locked
from swift.utils.log import logger

__all__ = ["Progress", "check_imports", "create", "python_of", "remove", "run_python"]

GIB = 2**30
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of builds without CUDA; the variable TORCH_INDEX names another one."""

Installer = Literal["auto", "uv", "pip"]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Tools:
    """What installs: uv where it is, else the new environment's own pip; where its output goes."""

    uv: str | None
    python: Path
    log: Path
    say: Progress

    def install(self, arguments: Sequence[str]) -> None:
        """Install, with the output in the log. Raises EnvironmentsError with its last lines."""
        command = (
            [self.uv, "pip", "install", "--python", str(self.python)]
            if self.uv
            else [*self.pip, "install", "--no-input"]
        )
        _run([*command, *arguments], self.log, self.say)

    def install_beside(self, arguments: Sequence[str], index: str | None) -> None:
        """Install, from another index besides the plain one where one is named."""
        more = [] if index is None else ["--extra-index-url", index]
        if more and self.uv:
            # Else uv takes whatever an index has of a package, and PyTorch's has old versions of many.
            more += ["--index-strategy", "unsafe-best-match"]
        self.install([*arguments, *more])

    def finds_cpu(self, torch: str) -> bool:
        """Whether the plain place of packages has this torch in a build without CUDA."""
        if self.uv:
            options = ["--no-deps", "--quiet", "--no-header", "--no-annotate", "--python", str(self.python)]
            answer = subprocess.run(
                [self.uv, "pip", "compile", *options, "-"], input=torch, capture_output=True, text=True, check=False
            )
            return answer.returncode == 0 and "+cpu" in answer.stdout
        answer = subprocess.run(
            [*self.pip, "install", "--dry-run", "--no-deps", "--quiet", "--report", "-", torch],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            return False
        return all("+cpu" in item["metadata"]["version"] for item in json.loads(answer.stdout)["install"])

    @property
    def pip(self) -> list[str]:
        """pip for the new environment: its own, or ours pointed at it, which saves installing another."""
        own = _has_own_pip(self.python)
        return [
            *([str(self.python), "-m", "pip"] if own else [sys.executable, "-m", "pip", "--python", str(self.python)])
        ]


def create(
    row: EnvironmentRow,
    root: Path,
    *,
    gpu: bool | None = None,
    again: bool = False,
    installer: Installer = "auto",
    torch_index: str | None = None,
    check: Callable[[Located], None] | None = None,
    say: Progress = logger.info,
) -> Located:
    """Make the environment of a row, or return the one that is there and loads (``again``: make it anew).

    One process at a time; another that asks for the same one waits and finds it made. ``check`` is given the new one before it
    takes its place, and refuses by raising. Raises EnvironmentsError with what went wrong and where the log is, DiskError.
    """
    gpu = has_gpu() if gpu is None else gpu
    build = build_for(row, gpu=gpu)
    if build is None:
        raise EnvironmentsError(f"{row.name}: {row.title} needs an NVIDIA GPU, and this machine shows none.")
    with locked(root / f".{row.name}.lock", f"another process works on the environment {row.name}; waiting for it"):
        found = locate(row, root, gpu=gpu)
        why = found.why if found.state in ("stale", "broken") else None
        if found.usable and not again:
            why = _damage(row, found)
            if why is None:
                return found
        if why is not None:
            say(f"the environment that is there is made again: {why}")
        _sweep(row, root)
        _check_disk(build, root)
        folder = root / f".{row.name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        try:
            made = _fill(row, build, folder, installer, torch_index or TORCH_INDEX.read(), say)
            if check is not None:
                check(made)
            _publish(root / row.name, folder)
        except BaseException as error:
            log = root / f"{row.name}-failed.log"
            if (folder / "install.log").is_file():
                shutil.copyfile(folder / "install.log", log)
                if isinstance(error, EnvironmentsError):
                    error = EnvironmentsError(f"{error} The whole log: {log}")
            shutil.rmtree(folder, ignore_errors=True)
            raise error
        _sweep(row, root)
        return locate(row, root, gpu=gpu)


def _damage(row: EnvironmentRow, found: Located) -> str | None:
    """Why an environment that looks whole is not: its modules do not load. This interpreter is not ours to repair."""
    if found.state != "ready" or found.python is None:
        return None
    try:
        check_imports(row, found.python)
    except EnvironmentsError as error:
        return str(error).partition("\nMake it again")[0]
    return None


def remove(row: EnvironmentRow, root: Path) -> bool:
    """Delete the environment of a row and what is left of unfinished ones; False where there is nothing. Raises DiskError."""
    place = root / row.name
    with locked(root / f".{row.name}.lock", f"another process works on the environment {row.name}; waiting for it"):
        is_there = os.path.lexists(place)
        try:
            if place.is_symlink() or place.is_file():
                place.unlink()
            elif place.is_dir():
                shutil.rmtree(place)
        except OSError as error:
            raise disk_error(error, place) from error
        return bool(_sweep(row, root) or is_there)


def check_imports(row: EnvironmentRow, python: str) -> Mapping[str, Any]:
    """Import the row's modules in an interpreter and run its probe; returns what the probe said.

    Raises EnvironmentsError with the last lines of what failed.
    """
    code = "\n".join([*(f"import {name}" for name in row.imports), row.probe])
    answer = run_python(python, code, timeout_s=600)
    if answer.returncode != 0:
        raise EnvironmentsError(
            f"{row.name}: {', '.join(row.imports)} cannot be imported by {python}:\n{_tail(answer.stderr)}\n"
            f"Make it again: swift env add {row.name} --again"
        )
    for line in reversed(answer.stdout.splitlines()):
        if line.startswith("{"):
            return dict(json.loads(line))
    return {}


def run_python(python: str, code: str, *, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run a few lines in another interpreter, away from this one's paths. Raises EnvironmentsError for one that hangs."""
    try:
        return subprocess.run(
            [python, "-c", code], capture_output=True, text=True, timeout=timeout_s, env=clean_environment(python), check=False,
            cwd=Path(python).parent, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise EnvironmentsError(f"{python}: did not answer within {timeout_s:.0f} seconds.") from None
    except OSError as error:
        raise EnvironmentsError(f"{python}: cannot be run: {error.strerror}.") from error


def clean_environment(python: str) -> dict[str, str]:
    """This process's variables, with the other interpreter's programs first and without this one's Python settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    }
    programs = Path(python).parent
    return {**kept, "PATH": os.pathsep.join([str(programs), kept.get("PATH", os.defpath)]), "PYTHONNOUSERSITE": "1"}


def python_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _fill(
    row: EnvironmentRow, build: Build, folder: Path, installer: Installer, torch_index: str | None, say: Progress
) -> Located:
    """Interpreter, torch, the rest, a look at what does not load, the record."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise disk_error(error, folder) from error
    log, python = folder / "install.log", python_of(folder)
    uv = _find_uv(installer)
    say(f"[1/4] interpreter ({'uv' if uv else 'venv and pip'}) in {folder}")
    _make_interpreter(build, folder, uv, log, say)
    tools = _Tools(uv, python, log, say)
    source = _torch_source(build, tools, torch_index)
    say(f"[2/4] {build.torch}" + (f" from {source[-1]}" if source else ""))
    tools.install([build.torch, *source])
    lock = [] if build.lock_path is None else ["--constraint", str(build.lock_path)]
    say(f"[3/4] {', '.join(build.requires)}: this takes minutes")
    tools.install_beside([*build.requires, *lock], source[-1] if source else None)
    taken_out = _take_out(build, tools)
    say("[4/4] importing it")
    probe = check_imports(row, str(python))
    record = {
        "name": row.name, "build": build.name, "hash": requirements_hash(build), "requires": list(build.requires),
        "created": time.strftime("%Y-%m-%d %H:%M:%S"), "swift": version("swift"), "python": sys.version.split()[0],
        "installer": "uv" if uv else "pip", "taken_out": taken_out, "probe": dict(probe), "packages": _packages(python),
    }  # fmt: skip
    write_json_atomic(folder / RECORD, record)
    return Located(
        name=row.name,
        state="ready",
        why="just made",
        python=str(python),
        folder=str(folder),
        build=build.name,
        record=record,
    )


def _find_uv(installer: Installer) -> str | None:
    if installer == "pip":
        return None
    found = shutil.which("uv")
    if found is None and installer == "uv":
        raise EnvironmentsError("--installer uv: there is no uv on the PATH. Install it, or use --installer pip.")
    return found


def _make_interpreter(build: Build, folder: Path, uv: str | None, log: Path, say: Progress) -> None:
    """An empty environment with a Python that the build runs on."""
    from packaging.specifiers import SpecifierSet

    ours = ".".join(map(str, sys.version_info[:3]))
    fits = SpecifierSet(build.python).contains(ours)
    if uv is not None:
        wanted = sys.executable if fits else build.python  # uv finds, or fetches, another one
        _run([uv, "venv", "--allow-existing", "--python", wanted, str(folder)], log, say)
        return
    if not fits:
        raise EnvironmentsError(
            f"it needs Python {build.python}, this is {ours}. Run swift with such a Python, or install uv, which brings its own."
        )
    # by its metadata: looking for the module wakes what setuptools puts in front of it
    without = ["--without-pip"] if any(distributions(name="pip")) else []
    _run([sys.executable, "-m", "venv", *without, str(folder)], log, say)


def _torch_source(build: Build, tools: _Tools, index: str | None) -> list[str]:
    """Where torch is to come from, as options of the installer; nothing where the plain place has the right build."""
    if index is not None:
        return ["--index-url", index]
    if not build.cpu_torch or sys.platform != "linux":
        return []
    # The user's own settings of the installer may name a place that has the build without CUDA: then that is taken.
    return [] if tools.finds_cpu(build.torch) else ["--index-url", CPU_INDEX]


def _take_out(build: Build, tools: _Tools) -> list[str]:
    """Remove the fragile packages that do not load; returns their names."""
    out = []
    for name in build.fragile:
        answer = run_python(
            str(tools.python), f"import importlib.util as u, sys; sys.exit(u.find_spec({name!r}) is None)", timeout_s=60
        )
        if answer.returncode != 0 or run_python(str(tools.python), f"import {name}", timeout_s=300).returncode == 0:
            continue
        tools.say(f"{name} is made for another build of torch and does not load: it is taken out")
        remover = [tools.uv, "pip", "uninstall", "--python", str(tools.python)] if tools.uv else [
            *tools.pip, "uninstall", "--yes"]  # fmt: skip
        _run([*remover, name], tools.log, tools.say)
        out.append(name)
    return out


def _has_own_pip(python: Path) -> bool:
    return any(python.parent.parent.glob("lib/python*/site-packages/pip/__init__.py"))


def _packages(python: Path) -> dict[str, str]:
    code = "import json, importlib.metadata as m; print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
    return dict(json.loads(run_python(str(python), code, timeout_s=120).stdout))


def _publish(place: Path, folder: Path) -> None:
    """Let ``place`` lead to ``folder``, in one step."""
    aside = place.with_name(f".{place.name}.{os.getpid()}.link")
    try:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)  # put there by hand
        aside.unlink(missing_ok=True)
        aside.symlink_to(folder.name, target_is_directory=True)
        os.replace(aside, place)
    except OSError as error:
        raise disk_error(error, place) from error


def _sweep(row: EnvironmentRow, root: Path) -> int:
    """Remove the folders of this row that nothing leads to; under its lock nobody works on one. Returns how many."""
    kept = (root / row.name).resolve()
    swept = 0
    for folder in root.glob(f".{row.name}-2*"):
        if folder.resolve() != kept and folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept


def _check_disk(build: Build, root: Path) -> None:
    free = shutil.disk_usage(root).free / GIB
    if free < build.disk_gib:
        raise DiskError(
            f"{root}: {free:.1f} GiB are free, installing takes up to {build.disk_gib:.0f} GiB. Free some space, or choose another"
            " folder with --env_dir."
        )


def _run(command: Sequence[str], log: Path, say: Progress) -> None:
    """Run an installer with its output in the log; what it is at is told now and then."""
    told = time.monotonic()
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(command)}\n")
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            stdin=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    file.write(line)
                    if time.monotonic() - told > 15 and line.startswith(
                        ("Collecting", "Downloading", "Installing", " +")
                    ):
                        told = time.monotonic()
                        say(f"  {line.strip()[:150]}")
            except BaseException:
                process.terminate()
                raise
        code = process.returncode
    if code != 0:
        raise EnvironmentsError(f"`{' '.join(command[:6])} …` failed:\n{_tail(log.read_text(encoding='utf-8'))}")


def _tail(text: str, lines: int = 12) -> str:
    return "\n".join(f"  | {line[:300]}" for line in text.strip().splitlines()[-lines:])
