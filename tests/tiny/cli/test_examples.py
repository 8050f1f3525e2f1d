"""Each example runs as it is, shortened, on the embedded model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SWIFT = [sys.executable, "-m", "swift"]


@pytest.mark.parametrize(
    "command",
    [
        [str(EXAMPLES / "sft-lora.sh"), "--max_steps", "2"],
        [str(EXAMPLES / "pt.sh"), "--max_steps", "2"],
        [*SWIFT, "sft", str(EXAMPLES / "sft-full.yaml"), "--max_steps", "1"],
        [*SWIFT, "plan", "sft", "--model_type", "demo-chat", "--custom_register_path", str(EXAMPLES / "my_rows.py"),
         "--dataset", "harbour", "--template_type", "plain-labels"],
    ],
    ids=["sft-lora", "pt", "sft-full", "my_rows"],
)  # fmt: skip
def test_an_example_runs(command: list[str], tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "done after" in done.stderr or "first samples" in done.stdout
