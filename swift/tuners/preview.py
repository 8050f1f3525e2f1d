"""What a method would train, counted on a model without memory (torch's meta device), before any weight is loaded."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from swift.tuners import open_tuner
from swift.tuners.base import TunerSettings
from swift.utils.errors import ModelError

__all__ = ["Preview", "empty_model", "preview"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """``modules`` are the full names that get an adapter (empty for full tuning); counts are of parameters.

    ``num_parameters`` are those of the model as it is, ``num_added`` what the method puts beside them; ``num_saved`` are trained ones,
    each as often as an adapter's file holds it (tied ones twice).
    """

    modules: tuple[str, ...]
    num_trainable: int
    num_parameters: int
    num_added: int
    num_saved: int

    @property
    def line(self) -> str:
        """``1,234 of 56,789 parameters are trained (2.17 %), in 36 modules: q_proj, k_proj, v_proj``."""
        total = self.num_parameters + self.num_added
        share = f"{self.num_trainable:,} of {total:,} parameters are trained ({self.num_trainable / total:.2%})"
        if not self.modules:
            return share
        last = list(dict.fromkeys(name.rpartition(".")[2] for name in self.modules))
        return f"{share}, in {len(self.modules)} modules: {', '.join(last)}"


def empty_model(folder: Path, *, trust_remote_code: bool = False, auto_class: Any = None) -> Any:
    """The model of a folder's config.json on the meta device: names and shapes, no weights.

    ``auto_class`` is the class of transformers that builds it, None: AutoModelForCausalLM.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=trust_remote_code)
        with torch.device("meta"):
            return (auto_class or AutoModelForCausalLM).from_config(config, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{folder}: its config.json describes no model that can be built: {str(error).splitlines()[0]}"
        ) from error


def preview(settings: TunerSettings, build: Callable[[], Any]) -> Preview:
    """Attach the method to the empty model that ``build`` makes, and count. Raises PlanError for targets without a match.

    Initialisations that read weights or data are counted with the plain one: the sizes are the same (EVA's in sum).
    """
    open_tuner(settings)  # the settings themselves, before the plain ones
    model = build()
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about copies on the meta device, which is the point here
        attached = open_tuner(_PlainStart(settings)).attach(model)
    modules = tuple(
        _plain_name(name, module) for name, module in attached.named_modules() if hasattr(module, "base_layer")
    )
    return Preview(
        modules=modules,
        num_trainable=sum(one.numel() for one in attached.parameters() if one.requires_grad),
        num_parameters=num_parameters,
        num_added=sum(one.numel() for one in attached.parameters()) - num_parameters,
        num_saved=sum(one.numel() for _, one in attached.named_parameters(remove_duplicate=False) if one.requires_grad),
    )


def _plain_name(name: str, module: Any) -> str:
    """The name in the model without an adapter; of experts in one tensor, that of the tensor."""
    plain = name.removeprefix("base_model.model.").replace(".base_layer", "")
    tensor = getattr(module, "parameter_name", None)
    return plain if tensor is None else f"{plain}.{tensor}"


class _PlainStart:
    """The settings with factors that start without looking at the weights."""

    def __init__(self, settings: TunerSettings) -> None:
        self.sft_type, self.code = settings.sft_type, settings.code
        self.target_modules, self.target_regex = settings.target_modules, settings.target_regex
        self.layers, self.modules_to_save = settings.layers, settings.modules_to_save
        plain = {"init_lora_weights": "true", "prompt_init_text": None}
        self.options = {name: plain.get(name, value) for name, value in settings.options.items()}
