"""What merged weights were made from, as hashes that tell another base or adapter apart. Knows no tensor."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from swift.llm.plan.plans import CombinePlan
from swift.tuners.lora.older import find_older

__all__ = ["MERGE_FILE", "describe_adapter", "describe_combination", "describe_origin"]

MERGE_FILE = "merge.json"
_SAMPLE = 1 << 20  # bytes


def describe_origin(checkpoint: Path, base: Path, dtype: str) -> dict[str, Any]:
    """``adapter``, ``base`` and ``dtype`` of a merge. The adapter is hashed whole; of the base's weight files, names,
    sizes and three samples of a MiB each, since reading tens of gigabytes to compare would cost more than the merge.
    """
    return {"adapter": describe_adapter(checkpoint), "base": _sampled(base), "dtype": dtype}


def describe_combination(plan: CombinePlan) -> dict[str, Any]:
    """What several adapters became one by; each is named by its hash, as in `describe_origin`."""
    return {
        "combination": plan.combination,
        "adapters": [describe_adapter(Path(checkpoint)) for checkpoint in plan.checkpoints],
        "weights": list(plan.weights),
        "density": plan.density,
        "seed": plan.seed,
    }


def describe_adapter(checkpoint: Path) -> str:
    """The SHA-256 of the adapter's settings and weights, in whichever layout."""
    digest = hashlib.sha256()
    folder = find_older(checkpoint) or checkpoint
    for name in ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"):
        path = folder / name
        if path.is_file():
            digest.update(name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _sampled(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin"), folder / "config.json"]):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with open(path, "rb") as file:
            for start in (0, max(size // 2 - _SAMPLE // 2, 0), max(size - _SAMPLE, 0)):
                file.seek(start)
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()
