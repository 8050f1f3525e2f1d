"""PiSSA and its like move a part ``scale · B₀ A₀`` of each weight into the factors; these files fit the original weight again.

Trained is ``W - scale · B₀ A₀ + scale · B A``, so the change of the original weight is that of the factors ``[A; A₀]`` (2R, in)
and ``[B, -B₀]`` (out, 2R) at the same scale: a LoRA of twice the rank, which says all that is needed to train on, too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file

from swift.tuners.peft_method import WEIGHTS, adapter_tensors
from swift.utils.errors import CheckpointError

__all__ = [
    "difference",
    "half_weights",
    "hold_start",
    "is_a",
    "move_again",
    "start_of",
    "subtract",
    "take_up",
]

_START = "factors_at_the_start"


def half_weights(model: Any, targets: Iterable[str]) -> dict[str, torch.Tensor]:
    """Copies, on the CPU, of those weights to be moved that are in half precision (see `move_again`)."""
    weights = {name: model.get_submodule(name).weight for name in targets}
    half = (torch.float16, torch.bfloat16)
    return {name: w.detach().to("cpu", copy=True) for name, w in weights.items() if w.dtype in half and not w.is_meta}


def move_again(model: PeftModel, originals: Mapping[str, torch.Tensor]) -> None:
    """Subtract the factors as they are from the weights as they were.

    Beside half precision peft rounds the factors after it has subtracted their product: the model would start elsewhere than
    its base, and what was moved could not be told from the file.
    """
    for name, original in originals.items():
        layer: Any = model.get_base_model().get_submodule(name)
        if "default" in layer.lora_A:  # embeddings are not moved
            layer.get_base_layer().weight.data.copy_(original)
            subtract(layer, layer.lora_A["default"].weight.data, layer.lora_B["default"].weight.data)


def hold_start(model: PeftModel) -> None:
    """Keep a copy of the factors as they are before training, on the CPU, with the model."""
    if any(tensor.is_meta for tensor in model.parameters()):
        return  # a preview
    factors = {
        name: tensor.detach().cpu().clone() for name, tensor in adapter_tensors(model).items() if ".lora_" in name
    }
    setattr(model, _START, factors)


def start_of(model: PeftModel) -> dict[str, torch.Tensor] | None:
    """The factors before training, by their names in an adapter's file; None where nothing was moved."""
    factors: dict[str, torch.Tensor] | None = vars(model).get(_START)
    return factors


def difference(
    config: LoraConfig, tensors: dict[str, torch.Tensor], start: dict[str, torch.Tensor]
) -> tuple[LoraConfig, dict[str, torch.Tensor]]:
    """Configuration and tensors of the adapter of twice the rank that fits the original weights."""
    doubled = dict(tensors)
    for name, before in start.items():
        now = tensors[name].detach().cpu()
        if is_a(name):
            doubled[name] = torch.cat([now, before], dim=0)
        else:
            doubled[name] = torch.cat([now, -before], dim=1)
    told = copy.copy(config)
    told.init_lora_weights, told.corda_config, told.lora_ga_config = True, None, None
    told.r = 2 * config.r
    told.lora_alpha = config.lora_alpha * (2**0.5 if config.use_rslora else 2)  # type: ignore[assignment]
    return told, doubled


def take_up(model: PeftModel, folder: Path) -> None:
    """Lay a doubled adapter over a model with plain factors: they become the trained half, the weights lose the other half.

    The weights come out as the first run had them, bit for bit: peft's own order of operations is followed.
    Raises CheckpointError for an adapter of other layers.
    """
    tensors = load_file(folder / WEIGHTS)
    settings: Any = model.peft_config["default"]
    rank: int = settings.r
    now, start = dict(tensors), {}
    for name, tensor in tensors.items():
        if ".lora_" in name:
            first, second = torch.split(tensor, rank, dim=0 if is_a(name) else 1)
            now[name], start[name] = first.contiguous(), (second if is_a(name) else -second).contiguous()
    try:
        set_peft_model_state_dict(model, now)
    except RuntimeError as error:
        line = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(f"{folder}: this adapter does not fit the model it is laid over: {line}") from error
    for name, layer in model.named_modules():
        before_a, before_b = start.get(f"{name}.lora_A.weight"), start.get(f"{name}.lora_B.weight")
        if isinstance(layer, LoraLayer) and before_a is not None and before_b is not None:
            subtract(layer, before_a, before_b)
    setattr(model, _START, start)


def subtract(layer: Any, a: torch.Tensor, b: torch.Tensor) -> None:
    """Take ``scale · B A`` out of a layer's weight, as peft does it."""
    weight = layer.get_base_layer().weight
    moved = layer.scaling["default"] * b.to(weight.device) @ a.to(weight.device)
    if getattr(layer, "fan_in_fan_out", False):
        moved = moved.T
    weight.data = (weight.data.to(torch.float32) - moved).to(weight.dtype)


def is_a(name: str) -> bool:
    """Whether a tensor of a file is a factor ``A``, whose rank is its first axis."""
    return ".lora_A" in name or ".lora_embedding_A" in name
