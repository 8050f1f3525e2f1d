"""Checkpoints that are whole or absent. Knows folders, files and a model's own save formats; not when to save.

A checkpoint is written to ``.checkpoint-N.partial``, every file is forced to the disk and hashed into ``manifest.json``, and
one rename gives it its name. It is removed the same way backwards: renamed first, deleted after. So a folder that is called
``checkpoint-N`` is always whole, wherever the process was killed.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from swift.utils.errors import CheckpointError
from swift.utils.files import disk_error
from swift.utils.log import logger
from swift.utils.manifest import (
    check_manifest,
    checkpoint_step,
    list_checkpoints,
    newest_valid_checkpoint,
    write_manifest,
)

__all__ = [
    "CheckpointFolder",
    "check_writable",
    "copy_into",
    "load_weights",
    "open_checkpoint",
    "save_weights",
    "translated_disk_errors",
]

# checkpoints half written or half deleted, and files that `swift.utils.files` was writing
LEFTOVER = re.compile(r"\.checkpoint-\d+\.(partial|deleting)|\..+\.\d+\.partial")


class CheckpointFolder:
    """The checkpoints of one run. `limit` is how many are kept: the best and the newest ones; None keeps all."""

    def __init__(self, run_dir: Path, limit: int | None) -> None:
        self.run_dir = run_dir
        self.limit = limit

    def path(self, step: int) -> Path:
        """Where the checkpoint of that step is, or will be."""
        return self.run_dir / f"checkpoint-{step}"

    def partial(self, step: int) -> Path:
        """Where it is while it is being written."""
        return self.run_dir / f".checkpoint-{step}.partial"

    def clean(self) -> None:
        """Remove what killed processes left behind."""
        if not self.run_dir.is_dir():
            return
        for entry in self.run_dir.iterdir():
            if LEFTOVER.fullmatch(entry.name):
                _delete(entry)

    def set_aside_after(self, step: int) -> None:
        """Rename checkpoints of later steps: a run that goes on from `step` must not find them as its own."""
        for folder in list_checkpoints(self.run_dir):
            later = checkpoint_step(folder)
            if later is not None and later > step:
                number = 1
                while (aside := self.run_dir / f"abandoned-{number}-{folder.name}").exists():
                    number += 1
                folder.rename(aside)
                logger.warning("%s is not part of this run any more; it is now %s", folder.name, aside.name)

    @contextmanager
    def writing(self, step: int) -> Iterator[Path]:
        """Yield the folder to fill; when the block ends well it becomes ``checkpoint-<step>``, else nothing is left.

        Raises DiskError where the file system refuses.
        """
        partial, final = self.partial(step), self.path(step)
        try:
            with translated_disk_errors(final):
                if partial.exists():
                    _delete(partial)
                partial.mkdir(parents=True)
                yield partial
                write_manifest(partial)
                for folder in [partial, *(path for path in partial.rglob("*") if path.is_dir())]:
                    _sync(folder)
                if final.exists():
                    self.remove(final)
                os.rename(partial, final)
                _sync(self.run_dir)
        except BaseException:
            _delete(partial)
            raise

    def remove(self, folder: Path) -> None:
        """Delete a checkpoint so that no moment shows a broken one under a valid name."""
        doomed = folder.with_name(f".{folder.name}.deleting")
        with translated_disk_errors(folder):
            if doomed.exists():
                _delete(doomed)
            os.rename(folder, doomed)
        _delete(doomed)

    def rotate(self, best: Path | None) -> None:
        """Keep the newest checkpoint, the best one, and as many of the newest as the limit has room for."""
        if self.limit is None:
            return
        found = list_checkpoints(self.run_dir)
        kept = found[-1:]
        if best in found and best not in kept and self.limit > 1:
            kept.append(best)
        for folder in reversed(found[:-1]):
            if folder not in kept and len(kept) < self.limit:
                kept.append(folder)
        for folder in found:
            if folder not in kept:
                self.remove(folder)


def open_checkpoint(path: Path) -> Path:
    """Return the checkpoint to go on from: `path` itself, or the newest valid one where `path` is a run folder.

    Raises CheckpointError where there is none, or where files differ from the manifest.
    """
    if not path.is_dir():
        raise CheckpointError(f"--resume_from_checkpoint {path}: there is no such folder")
    if checkpoint_step(path) is None and list_checkpoints(path):
        newest = newest_valid_checkpoint(path)
        if newest is None:
            raise CheckpointError(f"--resume_from_checkpoint {path}: no checkpoint in it is whole")
        return newest
    problems = check_manifest(path)
    if problems:
        older = newest_valid_checkpoint(path.parent)
        advice = f" The newest whole one is {older}." if older else ""
        raise CheckpointError(
            f"--resume_from_checkpoint {path}: not a whole checkpoint: {'; '.join(problems)}.{advice}"
        )
    return path


@contextmanager
def translated_disk_errors(path: Path) -> Iterator[None]:
    """Turn what torch, safetensors and Python raise when a write fails into one DiskError about `path`."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error
    except Exception as error:
        code = _write_errno(error, path)
        if code is None:
            raise
        raise disk_error(OSError(code, os.strerror(code)), path) from error


def _write_errno(error: Exception, path: Path) -> int | None:
    """The errno behind a failed write of safetensors or torch, which do not raise OSError; None for other errors."""
    text = str(error)
    if match := re.search(r"os error (\d+)", text):  # safetensors
        return int(match.group(1))
    if "PytorchStreamWriter" in text or "inline_container" in text:  # torch does not say which error it met
        folder = next((parent for parent in path.parents if parent.is_dir()), Path("/"))
        return errno.ENOSPC if shutil.disk_usage(folder).free < 2**24 else errno.EIO
    return None


def copy_into(folder: Path, files: Sequence[Path], contents: Mapping[str, bytes | str]) -> None:
    """Put copies of `files` and new files with the given `contents` into `folder`."""
    for path in files:
        shutil.copyfile(path, folder / path.name)
    for name, content in contents.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def load_weights(model: torch.nn.Module, folder: Path) -> None:
    """Put the weights of a checkpoint into `model`: an adapter into a peft model, or all of a plain one.

    Raises CheckpointError where the checkpoint holds no weights, or those of another model.
    """
    if (folder / "adapter_config.json").is_file():
        _load_adapter(model, folder)
        return
    state = _read_weights(folder)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    loaded = {id(parameters[name]) for name in state if name in parameters}
    # tied weights are saved under one name only
    missing = [name for name in model.state_dict() if name not in state and id(parameters.get(name)) not in loaded]
    if missing and hasattr(model, "save_pretrained"):
        # transformers may save under other names than it uses in memory (fused experts): let it undo that itself
        state = type(model).from_pretrained(folder, dtype=next(model.parameters()).dtype).state_dict()  # type: ignore[attr-defined]
        missing = [name for name in model.state_dict() if name not in state]
    if missing:
        raise CheckpointError(
            f"{folder}: has no weight {missing[0]!r} ({len(missing)} are missing): is it of another model?"
        )
    try:
        model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder}: its weights are of another model: {str(error).splitlines()[-1].strip()}"
        ) from error


def _load_adapter(model: torch.nn.Module, folder: Path) -> None:
    from peft import PeftModel, set_peft_model_state_dict
    from peft.utils import load_peft_weights

    if not isinstance(model, PeftModel):
        raise CheckpointError(f"{folder}: holds an adapter, and this run trains without one. Use the same --sft_type.")
    name = model.active_adapter
    try:
        result: Any = set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"), adapter_name=name)
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder}: its adapter has other shapes: {str(error).splitlines()[-1].strip()}"
        ) from error
    missing = [key for key in result.missing_keys if f".{name}." in key]
    if missing or result.unexpected_keys:
        odd = (missing or list(result.unexpected_keys))[0]
        raise CheckpointError(
            f"{folder}: its adapter has other modules (for example {odd}). Use the settings it was made with."
        )


def _read_weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    state: dict[str, torch.Tensor] = {}
    if (folder / names[0]).is_file():
        for name in names:
            state.update(load_file(folder / name))
        return state
    if (folder / "pytorch_model.bin").is_file():
        binary: dict[str, torch.Tensor] = torch.load(
            folder / "pytorch_model.bin", map_location="cpu", weights_only=True
        )
        return binary
    raise CheckpointError(f"{folder}: holds no weights (neither model.safetensors nor an adapter)")


def save_weights(model: Any, folder: Path, state_dict: Mapping[str, torch.Tensor] | None, safetensors: bool) -> None:
    """Write the model in its own format: a peft adapter, or config and weights of a transformers model."""
    if safetensors:
        with _no_bars():
            model.save_pretrained(folder, state_dict=state_dict)
        return
    if hasattr(model, "peft_config"):
        model.save_pretrained(folder, state_dict=state_dict, safe_serialization=False)
        return
    # transformers 5 writes safetensors only
    model.config.save_pretrained(folder)
    if getattr(model, "generation_config", None) is not None:
        model.generation_config.save_pretrained(folder)
    torch.save(dict(state_dict or model.state_dict()), folder / "pytorch_model.bin")


@contextmanager
def _no_bars() -> Iterator[None]:
    """Without transformers' own progress bars, which would tear ours."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def check_writable(folder: Path) -> None:
    """Make the run folder, and try it, so that a run that could not save does not start. Raises DiskError.

    Each rank tries with a file of its own: with one name for all, a rank removes what another is about to remove.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".write-test-"):
            pass
    except OSError as error:
        raise disk_error(error, folder) from error


def _delete(folder: Path) -> None:
    """Delete a folder (or file) that has no valid name any more; what cannot be deleted now is tried again at the next start."""
    if folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        folder.unlink(missing_ok=True)
    if folder.exists():
        logger.warning("%s could not be removed", folder)


def _sync(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
