"""ReLoRA (Lialin et al., 2023, arXiv:2307.05695): every so many steps the factors go into the weights and begin anew.

``W ← W + scale · B A``, ``A`` is drawn again, ``B`` is zero, and the optimiser forgets most of what it knew of them. The update
of the run is a sum of products, whose rank grows. What went in is kept, too: the file holds the factors of all rounds side by
side, one LoRA of ``rounds · R`` over the original weights, which plain peft reads and which says all that is needed to go on.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file

from swift.tuners.lora.moved import is_a, subtract
from swift.tuners.peft_method import WEIGHTS, adapter_tensors
from swift.utils.errors import CheckpointError

__all__ = ["begin_anew", "prune", "rounds_of", "side_by_side", "take_up_rounds"]

_ROUNDS = "rounds_of_factors"


def rounds_of(model: PeftModel) -> list[dict[str, torch.Tensor]]:
    """The factors that went into the weights, oldest first, by their names in a file; on the CPU."""
    rounds: list[dict[str, torch.Tensor]] = vars(model).setdefault(_ROUNDS, [])
    return rounds


def begin_anew(model: PeftModel, init: bool | str) -> list[torch.nn.Parameter]:
    """Put the factors into the weights and draw new ones, which are returned."""
    factors = {
        name: tensor.detach().cpu().clone() for name, tensor in adapter_tensors(model).items() if ".lora_" in name
    }
    _put_in(model, factors)
    rounds_of(model).append(factors)
    anew = []
    for layer in _layers(model).values():
        layer.reset_lora_parameters("default", init)
        anew += [layer.lora_A["default"].weight, layer.lora_B["default"].weight]
    return anew


def _put_in(model: PeftModel, factors: Mapping[str, torch.Tensor]) -> None:
    """Add ``scale · B A`` to the weights."""
    for name, layer in _layers(model).items():
        a, b = factors[f"{name}.lora_A.weight"].float(), factors[f"{name}.lora_B.weight"].float()
        subtract(layer, a, -b)


def prune(state: Mapping[Any, dict[str, Any]], parameters: list[torch.nn.Parameter], ratio: float) -> None:
    """Forget that share of what the optimiser knows of ``parameters``: the entries whose first average is smallest (section 3).

    All averages lose the same entries. Pruned each by its own size, Adam would keep some means whose squares are gone, and
    divide by next to nothing.
    """
    for parameter in parameters:
        averages = [
            value
            for value in state.get(parameter, {}).values()
            if torch.is_tensor(value) and value.shape == parameter.shape
        ]
        count = int(ratio * parameter.numel())
        if averages and count:
            sizes = averages[0].detach().abs()
            small = sizes <= sizes.flatten().kthvalue(count).values
            for average in averages:
                average[small] = 0


def side_by_side(
    config: LoraConfig, tensors: dict[str, torch.Tensor], rounds: list[dict[str, torch.Tensor]]
) -> tuple[LoraConfig, dict[str, torch.Tensor]]:
    """Configuration and tensors of the adapter that is the sum of the present factors and of all earlier ones, at their scale."""
    whole = dict(tensors)
    for name in rounds[0]:
        parts = [tensors[name].detach().cpu(), *(factors[name] for factors in rounds)]
        whole[name] = torch.cat(parts, dim=0 if is_a(name) else 1)
    told = copy.copy(config)
    number = 1 + len(rounds)
    told.r = number * config.r
    told.lora_alpha = config.lora_alpha * (number**0.5 if config.use_rslora else number)
    return told, whole


def take_up_rounds(model: PeftModel, folder: Path, saved: Mapping[str, Any]) -> None:
    """Lay such a file over a model with new factors: the earlier rounds go into the weights in their order, bit for bit as they
    did, the last one becomes the factors. Raises CheckpointError where the file's rank or scale is not of this run.
    """
    settings: Any = model.peft_config["default"]
    rank, number = settings.r, saved["r"] // settings.r
    root = 0.5 if settings.use_rslora else 1
    scale = settings.lora_alpha / rank**root
    written = saved["lora_alpha"] / saved["r"] ** (0.5 if saved.get("use_rslora") else 1)
    if saved["r"] % rank or abs(written - scale) > 1e-6 * scale or saved.get("rank_pattern"):
        raise CheckpointError(
            f"{folder}: its factors have rank {saved['r']} and scale {written:g}; --relora_steps here makes rounds of rank {rank} at"
            f" scale {scale:g}. Give the --lora_rank, --lora_alpha and --use_rslora that it was made with."
        )
    rounds: list[dict[str, torch.Tensor]] = [{} for _ in range(number)]
    now = load_file(folder / WEIGHTS)
    for name in [name for name in now if ".lora_" in name]:
        for factors, part in zip(rounds, torch.split(now[name], rank, dim=0 if is_a(name) else 1), strict=True):
            factors[name] = part.contiguous()
    try:
        set_peft_model_state_dict(model, now | rounds[0])
        for factors in rounds[1:]:
            _put_in(model, factors)
    except (RuntimeError, KeyError) as error:
        line = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(f"{folder}: this adapter does not fit the model it is laid over: {line}") from error
    setattr(model, _ROUNDS, rounds[1:])


def _layers(model: PeftModel) -> dict[str, Any]:
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
