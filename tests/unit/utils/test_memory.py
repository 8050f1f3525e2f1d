"""Memory: a container's limit counts where it is below the machine's, in both layouts of cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest

from swift.utils import memory

MIB = 2**20
FILES = {
    "2": ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    "1": (
        "memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file",
    ),
}  # fmt: skip


def write(root: Path, version: str, limit: str, used: int, reclaimable: int) -> None:
    """A container's files."""
    names = FILES[version]
    for name, text in zip(names, (limit, str(used), f"anon 1\n{names[3]} {reclaimable}\n"), strict=False):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text + "\n")


@pytest.mark.parametrize("version", FILES)
def test_a_container_bounds_what_there_is(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    whole = memory.total_bytes()
    if whole is None or memory.free_bytes() is None:
        pytest.skip("this system does not tell its memory")
    write(tmp_path, version, str(8 * MIB), 6 * MIB, MIB)
    assert (memory.total_bytes(), memory.free_bytes()) == (8 * MIB, 3 * MIB)
    write(tmp_path, version, str(8 * MIB), 10 * MIB, MIB)
    assert memory.free_bytes() == 0
    for no_limit in ("max", str(2**63 - 4096)):
        write(tmp_path, version, no_limit, 6 * MIB, MIB)
        assert memory.total_bytes() == whole
