"""Every test runs with the network closed, the environment cleaned and caches of its own."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
"""Real data, tokenizers and golden renders; absent on most machines, and tests that use them skip there."""

for _name in [name for name in os.environ if name.startswith(("SWIFT_", "WANDB_", "USE_HF", "MODELSCOPE_"))]:
    del os.environ[_name]
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="true", OMP_WAIT_POLICY="PASSIVE", MPLBACKEND="Agg")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: what is in them (a compressed file's time of day) may differ between two workers, names of tests may not."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepared data and downloads go to a folder of the test run, never to the user's home."""
    base = Path(tmp_path_factory.getbasetemp())
    monkeypatch.setenv("SWIFT_CACHE", str(base / "swift-cache"))
    monkeypatch.setenv("HF_HOME", str(base / "hf-home"))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(base / "modelscope-cache"))


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only addresses of this machine can be reached."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else None
        if host is not None and host not in ("127.0.0.1", "localhost", "::1"):
            raise OSError(f"tests do not reach the network: {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real material, or a skip that says it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no real material at {SHARED}")
    return SHARED
