"""Adapters that the 2.x line of this command wrote with its own backend (``tuner_backend swift``), read as peft's.

A checkpoint then holds one folder an adapter, most often ``default/``, with ``adapter_config.json`` (``swift_type`` where peft
has ``peft_type``) and ``adapter_model.bin`` or ``.safetensors``. Names of tensors lack peft's prefix and hold the adapter's name
(``q_proj.lora_A.default.weight``); before 1.5 the factors lay in a module of their own (``q_proj.loramodule_default.lora_A``).
Imports no torch to be read.
"""

from __future__ import annotations

import json
import pickle
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swift.utils.errors import CheckpointError

__all__ = ["as_peft", "find_older", "older_config", "write_as_peft"]

CONFIG = "adapter_config.json"
FILES = ("adapter_model.safetensors", "adapter_model.bin")
PREFIX = "base_model.model."
_OWN_SETTINGS = ("swift_type", "use_qa_lora", "use_merged_linear", "enable_lora", "lora_dtype", "lorap_lr_ratio", "lorap_emb_lr",
                 "lr_ratio", "model_key_mapping", "group_size")  # fmt: skip
"""Settings that peft does not have; the factors' dtype is that of the tensors."""

_MODULE = re.compile(r"\.loramodule_[^.]+(?=\.lora_)")
_FACTOR = re.compile(r"\.(lora_[AB])(?:\.(?!weight$)[^.]+)?(?:\.weight)?$")
_OF_EMBEDDING = re.compile(r"\.(lora_embedding_[AB])(?:\.[^.]+)?$")
_MAGNITUDE = re.compile(r"\.lora_magnitude_vector(?:\.(?!weight$)[^.]+)?(?:\.weight)?$")
_SAVED = re.compile(r"\.modules_to_save\.[^.]+(?=\.)")


def find_older(folder: Path) -> Path | None:
    """The folder with the adapter's own files, where ``folder`` is a checkpoint in the older layout; None where it is not.

    Raises CheckpointError where it holds several adapters, one that peft has no form for, or weights besides it.
    """
    if not folder.is_dir():
        return None
    top = _read(folder / CONFIG)
    if "peft_type" in top:
        return None
    own = [folder] if "swift_type" in top else _inside(folder)
    if not own:
        return None
    if len(own) > 1:
        raise CheckpointError(
            f"{folder}: holds {len(own)} adapters ({', '.join(one.name for one in own)}). Give one of these folders."
        )
    further = [name for name in ("extra_states", *FILES) if own[0] != folder and (folder / name).exists()]
    if top.get("extra_state_keys") or further:
        told = ", ".join([*top.get("extra_state_keys", ()), *further])
        raise CheckpointError(
            f"{folder}: an adapter of the older layout with trained weights besides it ({told}), which PEFT's layout has no"
            " place for. Merge it with the program that wrote it."
        )
    return own[0]


def older_config(own: Path) -> dict[str, Any]:
    """The adapter's settings by peft's names. Raises CheckpointError for what peft has no form for."""
    told = _read(own / CONFIG)
    kind = told.get("swift_type")
    odd = [name for name in ("use_qa_lora", "use_merged_linear") if told.get(name)]
    if kind != "LORA" or odd:
        what = f"{' and '.join(odd)}" if kind == "LORA" else f"an adapter of kind {kind}"
        raise CheckpointError(
            f"{own}: {what} in the older layout; only its plain LoRA is read. Merge it with the program that wrote it."
        )
    kept = {name: value for name, value in told.items() if name not in _OWN_SETTINGS}
    return {**kept, "peft_type": "LORA", "task_type": told.get("task_type") or "CAUSAL_LM", "inference_mode": True}


@contextmanager
def as_peft(folder: Path) -> Iterator[Path]:
    """The folder itself, or one in peft's layout with the same adapter for as long as the block runs."""
    own = find_older(folder)
    if own is None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="swift-adapter-") as scratch:
        write_as_peft(own, Path(scratch))
        yield Path(scratch)


def write_as_peft(own: Path, target: Path, *, base: str | None = None) -> None:
    """Write the adapter into an existing folder, as peft lays it out; ``base`` names its model where the settings do not.

    Raises CheckpointError for tensors that are no LoRA's, and for files that are damaged or hold code.
    """
    from peft import LoraConfig
    from safetensors.torch import save_file

    told = older_config(own)
    known = set(LoraConfig.__dataclass_fields__)
    config = {name: value for name, value in told.items() if name in known}
    config["base_model_name_or_path"] = config.get("base_model_name_or_path") or base
    tensors = _renamed(_tensors(own), set(told.get("modules_to_save") or ()), own)
    (target / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, target / FILES[0], {"format": "pt"})  # fmt: skip


def _renamed(tensors: Mapping[str, Any], saved: set[str], own: Path) -> dict[str, Any]:
    """The tensors by peft's names."""
    renamed: dict[str, Any] = {}
    for name, tensor in tensors.items():
        plain = _SAVED.sub("", _MODULE.sub("", name.removeprefix(PREFIX)))
        for pattern, form in (
            (_FACTOR, r".\1.weight"),
            (_OF_EMBEDDING, r".\1"),
            (_MAGNITUDE, ".lora_magnitude_vector"),
        ):
            plain = pattern.sub(form, plain)
        renamed[PREFIX + plain] = tensor
    adapted = {name.rpartition(".lora_")[0] for name in renamed if ".lora_" in name}
    odd = [
        name for name in renamed
        if ".lora_" not in name and not name.endswith(".bias") and not saved & set(name.split("."))
    ]  # fmt: skip
    if odd or not adapted:
        told = f"{odd[0].removeprefix(PREFIX)} is no part of a LoRA" if odd else "its file holds no factors"
        raise CheckpointError(f"{own}: {told}. Merge it with the program that wrote it.")
    # The bias of an adapted layer lies a level lower since peft keeps the layer inside its own.
    return {
        f"{name.removesuffix('.bias')}.base_layer.bias" if name.removesuffix(".bias") in adapted else name: tensor
        for name, tensor in renamed.items()
    }


def _tensors(own: Path) -> dict[str, Any]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = next((own / name for name in FILES if (own / name).is_file()), None)
    if path is None:
        raise CheckpointError(f"{own}: {FILES[0]} (or {FILES[1]}) is missing. Copy the checkpoint again.")
    try:
        if path.name == FILES[0]:
            return dict(load_file(path))
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (SafetensorError, OSError, RuntimeError, EOFError, TypeError, ValueError, pickle.UnpicklingError) as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path}: is damaged, or holds more than tensors: {line}") from None


def _inside(folder: Path) -> list[Path]:
    """Folders in it that hold an adapter of the older layout."""
    children = sorted(child for child in folder.iterdir() if (child / CONFIG).is_file())
    return [child for child in children if "swift_type" in _read(child / CONFIG)]


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; {} where there is no file, or one that somebody else has to complain about."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
