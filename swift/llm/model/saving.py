"""A model to files: written aside, hashed, renamed last, so that the target is whole or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from swift.utils.bars import foreign_bars
from swift.utils.errors import DiskError
from swift.utils.files import disk_error
from swift.utils.manifest import write_manifest

__all__ = ["processor_files", "save_model", "write_whole"]

PROCESSORS = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")


def processor_files(folder: Path) -> list[Path]:
    """What in a model's folder says how images (and more) are read: weights that are written elsewhere need it beside them."""
    return [folder / name for name in PROCESSORS if (folder / name).is_file()]


def save_model(
    model: Any,
    target: Path,
    *,
    tokenizer_files: Mapping[str, bytes],
    safetensors: bool = True,
    extra_files: Mapping[str, str | bytes] | None = None,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Write weights, config and generation config beside ``tokenizer_files`` (name to content) and ``extra_files``.

    ``tokenizer_files`` are what ``TextTokenizer.contents`` gives: the source's own bytes, not a tokenizer that was rebuilt.
    ``safetensors`` False writes one ``pytorch_model.bin``. ``check`` sees the written folder before it gets its name, and
    refuses it by raising. Raises DiskError; ``target`` is then as it was.
    """

    def fill(folder: Path) -> None:
        if safetensors:
            with foreign_bars(shown=True):
                model.save_pretrained(str(folder))
        else:
            _save_pickled(model, folder)
        for name, content in {**tokenizer_files, **(extra_files or {})}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        if check is not None:
            check(folder)

    write_whole(target, fill)


def write_whole(target: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` write into a folder beside ``target``, add the manifest, and give it its name when all is well.

    A folder that was there is replaced only then.
    """
    partial = target.with_name(f".{target.name}.partial")
    old = target.with_name(f".{target.name}.replaced")
    try:
        for leftover in (partial, old):
            if leftover.exists():
                shutil.rmtree(leftover)
        partial.mkdir(parents=True)
        fill(partial)
        write_manifest(partial)
        if target.exists():
            os.rename(target, old)
        os.rename(partial, target)
    except OSError as error:
        raise disk_error(error, target) from error
    except SafetensorError as error:
        raise DiskError(f"cannot write {target}: {error}. Free some space, or choose another folder.") from error
    finally:
        for leftover in (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _save_pickled(model: Any, folder: Path) -> None:
    """The older format, for readers that know nothing else; transformers 5 does not write it any more."""
    import torch

    torch.save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "pytorch_model.bin")
    model.config.save_pretrained(str(folder))
    if model.generation_config is not None:
        model.generation_config.save_pretrained(str(folder))
