"""How many parameters a folder's weights have and in which dtype, from the headers of its safetensors files alone.

A safetensors file is eight bytes (the header's length, little endian), the header as JSON (tensor name → dtype, shape,
byte range), then the tensors. Knows no torch.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from swift.utils.errors import DataError, ModelError
from swift.utils.files import read_json

_WORDS = {"F64": "fp64", "F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8"}
_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFacts:
    """All weight files of a folder together; ``dtype`` is the one that most bytes are in."""

    num_parameters: int
    num_bytes: int
    dtype: str
    files: tuple[str, ...]


def read_weights(root: Path, *, required: bool) -> WeightFacts | None:
    """Read the headers of a folder's weights; None where there are none and they are not required.

    Raises ModelError where files are missing, cut short or in a format that runs code when it is loaded.
    """
    files = _weight_files(root)
    missing = [name for name in files if not (root / name).is_file()]
    if files and len(missing) == len(files) and not required:
        return None  # only the index was fetched so far
    if missing:
        raise ModelError(
            f"{root}: {len(missing)} of {len(files)} weight files are missing ({', '.join(missing[:3])}"
            f"{', …' if len(missing) > 3 else ''}). Copy or download the model again."
        )
    if not files:
        if not required:
            return None
        pickled = sorted(path.name for pattern in _PICKLED for path in root.glob(pattern))
        if pickled:
            raise ModelError(
                f"{root}: its weights are pickled ({', '.join(pickled[:3])}), and loading those can run any code. Only"
                " safetensors are read: convert the model where you trust it (save_pretrained writes safetensors)."
            )
        raise ModelError(f"{root}: has a config.json and no weights (*.safetensors). Copy or download the model again.")
    parameters = 0
    size = 0
    bytes_by_dtype: Counter[str] = Counter()
    for name in files:
        for entry in read_header(root / name).values():
            begin, end = entry["data_offsets"]
            parameters += prod(entry["shape"])
            bytes_by_dtype[entry["dtype"]] += end - begin
        size += (root / name).stat().st_size
    dtype = bytes_by_dtype.most_common(1)[0][0] if bytes_by_dtype else "F32"
    return WeightFacts(num_parameters=parameters, num_bytes=size, dtype=_WORDS.get(dtype, dtype.lower()), files=files)


def read_header(path: Path) -> dict[str, dict[str, Any]]:
    """The tensors of one safetensors file: name to ``dtype``, ``shape``, ``data_offsets``. Raises ModelError."""
    again = "Copy or download it again."
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, _MAX_HEADER_BYTES):
                raise ModelError(f"{path}: not a whole safetensors file ({size:,} bytes). {again}")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        expected = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ModelError(f"{path}: its header is damaged. {again}") from None
    if size != expected:
        raise ModelError(
            f"{path}: has {size:,} bytes, its header tells of {expected:,}: the file was cut short. {again}"
        )
    return dict(header)


def _weight_files(root: Path) -> tuple[str, ...]:
    index = root / "model.safetensors.index.json"
    if index.is_file():
        try:
            return tuple(sorted(set(read_json(index)["weight_map"].values())))
        except (DataError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{index}: cannot be used: {error}. Copy this file again.") from None
    if (root / "model.safetensors").is_file():
        return ("model.safetensors",)
    # Adapters lie beside weights under names of their own, and are not weights of the model.
    return tuple(sorted(path.name for path in root.glob("*.safetensors") if not path.name.startswith("adapter")))
