"""`swift list models --check --hub` against a server of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from test_hub_download import hub  # noqa: F401  # the fixture

ROWS = """
from swift.llm.catalog import register_model
register_model(model_type="mine", architectures=("{architecture}",), template=None, lora_targets=("ALL",), hf="{hub_id}")
"""


def check(endpoint: str, folder: Path, **row: str) -> subprocess.CompletedProcess[str]:
    (folder / "rows.py").write_text(ROWS.format(**row), encoding="utf-8")
    variables = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
                 "HF_HUB_ETAG_TIMEOUT": "2", "HF_HUB_DOWNLOAD_TIMEOUT": "2", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}  # fmt: skip
    flags = ["--check", "--hub", "--use_hf", "true", "--custom_register_path", str(folder / "rows.py")]
    return subprocess.run(
        [sys.executable, "-m", "swift", "list", "models", "--family", "mine", *flags], env={**os.environ, **variables},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("architecture", "hub_id", "code", "told"),
    [
        ("LlamaForCausalLM", "acme/tiny", 0, "checked 1 row; 1 model of the hub: no problems"),
        ("Qwen2ForCausalLM", "acme/tiny", 1, "Qwen2ForCausalLM; config.json says LlamaForCausalLM"),
        ("LlamaForCausalLM", "acme/nothing", 1, "Hugging Face has no such model"),
    ],
)
def test_a_real_model_is_compared_with_its_row(
    architecture: str,
    hub_id: str,
    code: int,
    told: str,
    hub: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    done = check(hub, tmp_path, architecture=architecture, hub_id=hub_id)
    assert done.returncode == code, done.stderr
    assert told in done.stdout
