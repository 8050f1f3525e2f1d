"""A place to type commands in, what came out of each, and how to read what a run leaves behind."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHORT = ("--batch_size", "4", "--gradient_accumulation_steps", "1", "--logging_steps", "1", "--learning_rate", "1e-2",
         "--report_to", "none")  # fmt: skip
"""Settings with which a run of a few steps shows what it has to."""


@dataclass(frozen=True)
class Done:
    """One finished command."""

    words: Sequence[str]
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"swift {' '.join(self.words)}  # {self.code}\n{self.out}\n{self.err}"

    def check_well(self, *parts: str) -> None:
        """It ended well and said these parts, on one stream or the other."""
        assert self.code == 0, self
        assert [part for part in parts if part not in self.out + self.err] == [], self

    def check_refused(self, *parts: str) -> None:
        """It failed with a message of one screen that has these parts, and without a traceback."""
        assert self.code != 0, self
        assert "Traceback" not in self.err, self
        message = [line for line in self.err.splitlines() if not line.startswith("[INFO")]
        assert 0 < len(message) < 25, self
        assert [part for part in parts if part not in self.err] == [], self


@dataclass
class Place:
    """A working folder; `swift` types a command in this process, `spawn` in one of its own."""

    folder: Path
    model: Path

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file of the working folder."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        """Write a file of JSON lines."""
        return self.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    def files(self) -> dict[str, int]:
        """Every file and folder, with the size of the files."""
        return {
            str(path.relative_to(self.folder)): path.stat().st_size if path.is_file() else -1
            for path in sorted(self.folder.rglob("*"))
        }

    def run(self, output: str = "output") -> Path:
        """The newest run below an output folder."""
        return max((self.folder / output).glob("*/v*-*"), key=lambda path: int(path.name[1:].split("-")[0]))

    def variables(self) -> dict[str, str]:
        """What the environment of a command has besides: its caches lie beside the folder, not in it."""
        return {"SWIFT_CACHE": f"{self.folder}-cache"}

    def swift(self, *words: object) -> Done:
        """Type a command."""
        from swift.cli.main import main

        typed = [str(word) for word in words]
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(self.folder)
            for name, value in self.variables().items():
                patch.setenv(name, value)
            code = main(typed)
        return Done(typed, code, out.getvalue(), err.getvalue())

    def start(self, *words: object, **more: Any) -> subprocess.Popen[str]:
        """Start a command in a process of its own; `more` is Popen's."""
        environment = {**os.environ, **self.variables(), "PYTHONPATH": str(ROOT), **more.pop("env", {})}
        return subprocess.Popen(
            [sys.executable, "-m", "swift", *map(str, words)], cwd=self.folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
        )  # fmt: skip

    def spawn(self, *words: object, text: str = "", before: Callable[[], None] | None = None, **env: str) -> Done:
        """Type a command in a process of its own; `before` runs in it first."""
        with self.start(*words, preexec_fn=before, env=env) as process:
            out, err = process.communicate(text, timeout=300)
        return Done([str(word) for word in words], process.returncode, out, err)


def sums(start: int, number: int) -> list[dict[str, str]]:
    """Questions and answers about sums."""
    return [
        {"query": f"What is {i} plus {i}?", "response": f"The sum is {2 * i}."} for i in range(start, start + number)
    ]


def make_place(folder: Path, model: Path) -> Place:
    """A place with rows to train on and to answer."""
    folder.mkdir(parents=True, exist_ok=True)
    place = Place(folder, model)
    place.rows("rows.jsonl", sums(0, 24))
    place.rows("questions.jsonl", sums(30, 5))
    return place


def log_of(run: Path) -> list[dict[str, Any]]:
    """The log of a run, without times, speeds and sizes."""
    volatile = ("time", "speed", "memory", "per_second", "tokens/s")
    lines = [json.loads(line) for line in (run / "logging.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if not any(word in key for word in volatile)} for line in lines]


def weights_of(folder: Path) -> bytes:
    """The weights of a checkpoint, byte by byte."""
    return next(folder.glob("*model.safetensors")).read_bytes()
