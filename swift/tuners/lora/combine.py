"""Several LoRA adapters as one, in the ways that peft offers (``add_weighted_adapter``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer

from swift.tuners.peft_method import fitting, quiet
from swift.utils.errors import PlanError

__all__ = ["add_up"]

_COMBINED = "combined"


def add_up(
    model: PeftModel,
    folders: Sequence[Path],
    weights: Sequence[float],
    combination: str,
    *,
    density: float | None,
    seed: int,
) -> PeftModel:
    """Beside the adapter that ``model`` has, those in ``folders``; what they make together becomes the active one.

    ``combination`` is peft's name of the way, with ``_factors`` where it works on the factors themselves.
    ``weights`` begin with the one of the model's own adapter. Raises CheckpointError, PlanError.
    """
    names = ["default", *(f"adapter_{number}" for number in range(1, len(folders) + 1))]
    for name, folder in zip(names[1:], folders, strict=True):
        with fitting(folder):
            model.load_adapter(str(folder), name)
    lora: Any = model.base_model
    try:
        with quiet(), torch.random.fork_rng():
            torch.manual_seed(seed)
            lora.add_weighted_adapter(
                names, list(weights), _COMBINED, combination_type=combination.removesuffix("_factors"),
                svd_full_matrices=False, density=density,
            )  # fmt: skip
    except (ValueError, KeyError) as error:
        raise PlanError([f"--combination {combination}: {str(error).strip()}"]) from error
    for layer in lora.modules():
        if isinstance(layer, LoraLayer) and _COMBINED in layer.scaling:
            # The factors hold their weights and scales; for rsLoRA peft would multiply by the root of the rank again.
            layer.scaling[_COMBINED] = 1.0
    lora.set_adapter(_COMBINED)
    return model
