"""ModelPlan to model: weights checked, read in the planned dtype, with the planned attention. Knows no tuner and no data."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, PreTrainedModel
from transformers.utils import logging as hf_logging

from swift.kernels.attention import register
from swift.llm.model.loaders import UNSLOTH
from swift.llm.model.quantized import finish, loading_options, prepare_config
from swift.llm.plan.plans import ModelPlan
from swift.utils.bars import foreign_bars
from swift.utils.errors import CheckpointError, ModelError
from swift.utils.lazy import load as load_object
from swift.utils.log import logger

__all__ = ["DTYPES", "check_weights", "load_model"]

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


def load_model(plan: ModelPlan) -> PreTrainedModel:
    """Return the model in evaluation mode. ``plan.path`` is a local folder.

    Raises CheckpointError that names a missing, cut or damaged file, ModelError for weights that do not fit the
    configuration and for code that would have to be run without having been allowed.
    """
    folder = Path(plan.path)
    config = _config(plan, folder)
    use_safetensors = check_weights(folder)
    attention = register() if plan.attention == "varlen" else plan.attention
    placing: dict[str, Any] = {}
    if plan.device_map is not None:
        placing = {"device_map": plan.device_map, "max_memory": _max_memory(plan.max_memory)}
    elif plan.device != "cpu":
        placing = {"device_map": {"": plan.device}}
    placing |= loading_options(plan)
    if plan.loader.partition(":")[2] in UNSLOTH:
        placing["max_length"] = plan.max_model_len
    loader = load_object(plan.loader)
    verbosity = hf_logging.get_verbosity()
    hf_logging.set_verbosity(logging.ERROR)  # its report of missing weights is ours to make, as an error
    try:
        with foreign_bars(shown=True):
            model, report = loader(
                folder,
                config,
                dtype=DTYPES[plan.dtype],
                attn_implementation=attention,
                trust_remote_code=plan.trust_remote_code,
                use_safetensors=use_safetensors,
                output_loading_info=True,
                **placing,
            )
    except (SafetensorError, OSError, RuntimeError, ValueError, ImportError, KeyError, pickle.UnpicklingError) as error:
        raise _translated(error, folder, plan) from error
    finally:
        hf_logging.set_verbosity(verbosity)
    _check_report(report, folder)
    loaded: PreTrainedModel = finish(model, plan)
    return loaded


def check_weights(folder: Path) -> bool:
    """Check that every weight file is there and whole, by its header; return whether they are safetensors.

    Raises CheckpointError that names the file. Tensors are not read: a header that promises more bytes than the file has
    is how a download that stopped looks.
    """
    if (folder / INDEX).is_file():
        try:
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            shards = sorted(set(index["weight_map"].values()))
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{folder / INDEX}: is damaged ({error}). Download or copy it again.") from None
        missing = [name for name in shards if not (folder / name).is_file()]
        if missing:
            raise CheckpointError(
                f"{folder}: {len(missing)} of {len(shards)} weight files are missing: {', '.join(missing[:5])}. "
                "Download or copy them again."
            )
        for name in shards:
            tensors = _check_safetensors(folder / name)
            absent = [key for key, file in index["weight_map"].items() if file == name and key not in tensors]
            if absent:
                raise CheckpointError(
                    f"{folder / name}: {INDEX} promises {absent[0]!r} in it, and it is not there. The two do not belong together."
                )
        return True
    if (folder / SINGLE).is_file():
        _check_safetensors(folder / SINGLE)
        return True
    pickled = sorted(folder.glob("pytorch_model*.bin"))
    if pickled:
        logger.warning(
            "%s: weights are pickled .bin files; they are read with weights_only, which runs no code of theirs. "
            "Saved models are safetensors.", folder,
        )  # fmt: skip
        return False
    if (folder / "adapter_config.json").is_file():
        raise CheckpointError(
            f"{folder}: holds an adapter, not a model. Give it as --ckpt_dir, or the base model here."
        )
    raise CheckpointError(
        f"{folder}: holds no weights ({SINGLE} or {INDEX} is expected). Download or copy the model again."
    )


def _check_safetensors(path: Path) -> set[str]:
    try:
        with safe_open(str(path), framework="pt") as file:
            return set(file.keys())
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: is damaged or cut short ({error}). Download or copy it again.") from None


def _config(plan: ModelPlan, folder: Path) -> Any:
    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=plan.trust_remote_code)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _translated(error, folder, plan) from error
    if plan.rope_scaling is not None:
        _scale_rope(config, plan.rope_scaling)
    prepare_config(config, plan)
    return config


def _scale_rope(config: Any, scaling: Mapping[str, Any]) -> None:
    """Stretch the positions of the text model: ``{"rope_type": "linear" | "dynamic", "factor": f}``."""
    text = config.get_text_config()
    rope = getattr(text, "rope_parameters", None)
    if rope is None:
        raise ModelError(f"--rope_scaling: {type(config).__name__} has no rotary positions to scale. Leave it out.")
    if any(isinstance(value, dict) for value in rope.values()):  # one set for each kind of layer (Gemma 3)
        rope = {kind: {**values, **scaling} if kind == "full_attention" else values for kind, values in rope.items()}
    else:
        rope = {**rope, **scaling}
    text.rope_parameters = rope


def _max_memory(pairs: tuple[str, ...]) -> dict[int | str, str] | None:
    """``("20GB", "20GB")``, one a device in order, or ``"cpu=60GB"``, as accelerate takes it."""
    if not pairs:
        return None
    out: dict[int | str, str] = {}
    for index, text in enumerate(pairs):
        name, _, size = text.rpartition("=")
        out[int(name) if name.isdigit() else name or index] = size
    return out


def _check_report(report: Mapping[str, Any], folder: Path) -> None:
    """A model with weights that were not in the files would be trained from noise there: refuse it."""
    wrong = list(report.get("mismatched_keys") or ())
    if wrong:
        name, *shapes = wrong[0] if isinstance(wrong[0], tuple) else (wrong[0],)
        detail = f" (file {tuple(shapes[0])}, config.json {tuple(shapes[1])})" if len(shapes) == 2 else ""
        raise ModelError(
            f"{folder}: {name} has another shape than config.json says{detail}; {len(wrong)} such weights. The two do not belong together."
        )
    missing = sorted(report.get("missing_keys") or ())
    if missing:
        raise CheckpointError(
            f"{folder}: {len(missing)} weights are in no file: {', '.join(missing[:3])}. Download or copy the model again."
        )
    unexpected = sorted(report.get("unexpected_keys") or ())
    if unexpected:
        logger.warning(
            "%s: %d weights in its files have no place in the model: %s",
            folder,
            len(unexpected),
            ", ".join(unexpected[:3]),
        )


def _translated(error: Exception, folder: Path, plan: ModelPlan) -> Exception:
    """What transformers says, as one sentence for the person at the prompt."""
    text = str(error)
    first = text.strip().splitlines()[0] if text.strip() else type(error).__name__
    if "trust_remote_code" in text:
        return ModelError(
            f"{folder}: runs code that comes with the weights. Read it, then add --trust_remote_code true."
        )
    if "mismatch" in text or ("size" in text and "shape" in text):
        return ModelError(
            f"{folder}: its weights have other shapes than its config.json says: {text.strip().splitlines()[-1].strip()}"
        )
    if (
        "does not recognize this architecture" in text
        or "Unrecognized model" in text
        or "Unrecognized configuration" in text
    ):
        return ModelError(
            f"{folder}: {plan.architecture} is not known to the installed transformers. Update it, or add --trust_remote_code true if the model brings its code."
        )
    if isinstance(error, pickle.UnpicklingError):
        return CheckpointError(
            f"{folder}: its .bin weights hold more than tensors, and that was not run. Ask for safetensors."
        )
    if "FlashAttention" in text or ("attention" in text and plan.attention in text):
        return ModelError(f"--attn_impl {plan.attention}: {first} Leave it out.")
    if isinstance(error, ImportError):
        return ModelError(f"{folder}: {first}")
    if "out of memory" in text.lower() or "alloc" in text.lower():
        return ModelError(f"{folder}: not enough memory for these weights in {plan.dtype}: {first}")
    return ModelError(f"{folder}: cannot be loaded: {first}")
