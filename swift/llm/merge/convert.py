"""An adapter of the older own layout to peft's: a folder beside the checkpoint, whole or not at all. Loads no model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swift.llm.merge.origin import describe_adapter
from swift.llm.model.saving import write_whole
from swift.llm.plan.plans import ConvertPlan
from swift.tuners.lora.older import find_older, write_as_peft
from swift.utils.errors import CheckpointError
from swift.utils.files import read_json

__all__ = ["CONVERT_FILE", "ConvertResult", "convert_checkpoint"]

CONVERT_FILE = "converted.json"
KEPT = (".json", ".jsonl", ".jinja", ".model", ".txt")
"""Ends of names of the checkpoint's own files that a reader of the adapter may want; states of training are not among them."""

LEFT_OUT = ("adapter_config.json", "trainer_state.json", "manifest.json", CONVERT_FILE)


@dataclass(frozen=True, slots=True)
class ConvertResult:
    """Where the adapter is in peft's layout; ``made`` False: it was so before."""

    target: Path
    made: bool

    def line(self) -> str:
        """For the terminal."""
        return f"converted into {self.target}" if self.made else f"{self.target} is in PEFT's layout already"


def convert_checkpoint(plan: ConvertPlan) -> ConvertResult:
    """Write ``plan.target`` with the same numbers, renamed, and the checkpoint's own small files.

    Raises CheckpointError for an adapter that peft has no form for, and where the target is somebody else's; DiskError.
    """
    checkpoint = Path(plan.checkpoint)
    own = find_older(checkpoint)
    if plan.target is None or own is None:
        return ConvertResult(checkpoint, made=False)
    target = Path(plan.target)
    if target.exists() and not (target / CONVERT_FILE).is_file():
        raise CheckpointError(
            f"{target}: is there already and was not written by a conversion ({CONVERT_FILE} is missing). Move it away first."
        )

    def fill(folder: Path) -> None:
        for path in sorted(checkpoint.iterdir()):
            if path.is_file() and path.suffix in KEPT and path.name not in LEFT_OUT:
                (folder / path.name).write_bytes(path.read_bytes())
        if (folder / "sft_args.json").is_file():
            said: dict[str, Any] = read_json(folder / "sft_args.json")
            _write(folder / "sft_args.json", {**said, "tuner_backend": "peft"})
        write_as_peft(own, folder, base=plan.base)
        _write(folder / CONVERT_FILE, {"from": checkpoint.name, "adapter": describe_adapter(checkpoint)})

    write_whole(target, fill)
    return ConvertResult(target, made=True)


def _write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
