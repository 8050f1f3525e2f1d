"""Which folder a run writes to and which checkpoint it goes on from.

A run folder is ``<output_dir>/<model_type>/v<N>-<time>``; its checkpoints are ``checkpoint-<step>``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swift.tuners.lora.older import find_older
from swift.utils.errors import CheckpointError
from swift.utils.manifest import check_manifest, list_checkpoints, newest_valid_checkpoint

RUN = re.compile(r"^v(\d+)-\d{8}-\d{6}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """The folder of a run, why it is that one, and the checkpoint it continues from, if any."""

    path: Path
    reason: str
    resume_from: Path | None = None


def find_checkpoint(given: Path) -> Path:
    """The checkpoint folder meant by ``--resume_from_checkpoint``: itself, or the newest valid one of a run folder.

    Raises CheckpointError where there is none, or where its files are not what its manifest says.
    """
    if not given.is_dir():
        raise CheckpointError(
            f"--resume_from_checkpoint {given}: there is no such folder. Give a checkpoint-<step> folder, or the run's folder."
        )
    if find_older(given) is not None:  # it has no manifest
        return given
    if given.name.startswith("checkpoint-"):
        problems = check_manifest(given)
        if problems:
            other = newest_valid_checkpoint(given.parent)
            hint = (
                f" {other} is whole: resume from that one." if other else " No other checkpoint of this run is whole."
            )
            raise CheckpointError(f"--resume_from_checkpoint {given}: is damaged ({'; '.join(problems[:3])}).{hint}")
        return given
    newest = newest_valid_checkpoint(given)
    if newest is None:
        raise CheckpointError(f"--resume_from_checkpoint {given}: holds no whole checkpoint-<step> folder.")
    return newest


def choose_run_folder(args: Any, sources: Mapping[str, str], model_type: str, *, now: float | None = None) -> RunFolder:
    """The run folder: the checkpoint's own when its newest checkpoint goes on exactly, else the next free version."""
    root = Path(args.output_dir)
    add_suffix = True if args.add_output_dir_suffix is None else args.add_output_dir_suffix
    checkpoint = find_checkpoint(Path(args.resume_from_checkpoint)) if args.resume_from_checkpoint else None
    if checkpoint is None and args.auto_resume:
        checkpoint = _newest_of_all(root / model_type if add_suffix else root)
    goes_on = checkpoint if not args.resume_only_model else None
    if goes_on is not None and "output_dir" in sources and root.resolve() not in goes_on.resolve().parents:
        goes_on = None  # it is asked to go on elsewhere
    if goes_on is not None and _is_newest(goes_on):
        return RunFolder(path=goes_on.parent, reason=f"goes on from {goes_on.name}", resume_from=goes_on)
    if not add_suffix:
        _must_be_free(root, checkpoint if not args.resume_only_model else None)
        return RunFolder(path=root, reason="output_dir, as --add_output_dir_suffix is false", resume_from=checkpoint)
    parent = root / model_type
    if goes_on is not None and RUN.match(goes_on.parent.name):
        parent = goes_on.parent.parent  # a branch of that run lies beside it
    versions = [int(m.group(1)) for m in map(RUN.match, (p.name for p in parent.glob("v*-*"))) if m]
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    return RunFolder(
        path=parent / f"v{max(versions, default=-1) + 1}-{stamp}",
        reason="the next free version",
        resume_from=checkpoint,
    )


def _must_be_free(root: Path, resumed: Path | None) -> None:
    """Refuse a folder that holds another run's checkpoints: the two would be taken for one run."""
    others = list_checkpoints(root)
    if others and (resumed is None or resumed.parent.resolve() != root.resolve()):
        raise CheckpointError(
            f"--output_dir {root} with --add_output_dir_suffix false: holds {others[-1].name} of another run. Choose another"
            f" folder, or go on with that run: --resume_from_checkpoint {root}"
        )


def _is_newest(checkpoint: Path) -> bool:
    """Whether its run would go on exactly from it: no later whole checkpoint lies beside it."""
    return newest_valid_checkpoint(checkpoint.parent) == checkpoint and (checkpoint.parent / "sft_args.json").is_file()


def _newest_of_all(parent: Path) -> Path | None:
    """The newest valid checkpoint among the runs of a folder, the latest run first."""
    for run in sorted(
        (p for p in [*parent.glob("v*-*"), parent] if p.is_dir()),
        key=lambda p: p.stat().st_mtime,
        reverse=True,
    ):
        found = newest_valid_checkpoint(run)
        if found is not None:
            return found
    return None
