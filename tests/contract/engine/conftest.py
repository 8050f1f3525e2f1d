"""Real engines, where somebody has made their environments."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swift.environments.locate import Located, locate
from swift.environments.rows import ENVIRONMENTS

# The tests' own environment is cleaned of swift's variables; this one says where real engines are.
ROOT = os.environ.get("ENGINES_FOR_TESTS")


@pytest.fixture(scope="module")
def vllm() -> Located:
    """vLLM's environment, or a skip that says what is missing."""
    if ROOT is None:
        pytest.skip(
            "ENGINES_FOR_TESTS names no folder of environments: real engines are not tried (they start for a minute)"
        )
    found = locate(ENVIRONMENTS.find("vllm"), Path(ROOT))
    if not found.usable:
        pytest.skip(f"vLLM: {found.why} (swift env add vllm --env_dir {ROOT})")
    return found
