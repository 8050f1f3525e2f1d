"""LongLoRA: LoRA on the linear layers, embeddings and norms trained in full, and attention in shifted groups while training.

What it leaves is a LoRA checkpoint: it is saved, merged and answered with as one, in full attention.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from peft import set_peft_model_state_dict
from peft.utils import ModulesToSaveWrapper, load_peft_weights

from swift.kernels import shifted
from swift.tuners.base import TunerSettings
from swift.tuners.layers import ATTENTION, find_layers, find_part
from swift.tuners.longlora.config import TRAINED, LongLoraSettings
from swift.tuners.lora.tuner import LoraTuner

__all__ = ["LongLoraTuner"]


class LongLoraTuner(LoraTuner):
    """`LoraTuner` with `TRAINED` beside the factors, and the attention of `swift.kernels.shifted`."""

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(cast(TunerSettings, _WithTrained(settings)))
        self._group = LongLoraSettings.read(settings.options).group

    def attach(self, model: Any) -> Any:
        """As LoRA does; then training attends in groups."""
        peft_model = super().attach(model)
        _widen(peft_model)
        self._shift(peft_model)
        return peft_model

    def load(self, model: Any, folder: Path, *, trainable: bool) -> Any:
        """As LoRA does; attention changes only to go on training."""
        peft_model = super().load(model, folder, trainable=trainable)
        if trainable:
            if _widen(peft_model):  # what was read went through half precision
                set_peft_model_state_dict(peft_model, load_peft_weights(str(folder), device="cpu"))
            self._shift(peft_model)
        return peft_model

    def _shift(self, peft_model: Any) -> None:
        causal = peft_model.get_base_model()
        _, layers = find_layers(causal)
        for layer in layers:
            _, part = find_part(layer, ATTENTION, "attention")
            part.group_size = self._group  # type: ignore[assignment]  # read by the attention function
        causal.set_attn_implementation(shifted.register())


def _widen(peft_model: Any) -> bool:
    """Hold the modules that are trained in full in fp32, where small updates are not lost; says whether any was not.

    What goes into and comes out of them keeps the dtype of the weights around them. peft does this for its factors only.
    """
    copies = [
        module.modules_to_save["default"] for module in peft_model.modules() if isinstance(module, ModulesToSaveWrapper)
    ]
    half: list[Any] = [copy for copy in copies if next(copy.parameters()).dtype in (torch.float16, torch.bfloat16)]
    for copy in half:
        dtype = copy.weight.dtype
        copy.register_forward_pre_hook(_floats)
        copy.register_forward_hook(partial(_narrow, dtype))
    for copy in half:  # in place: tied ones share their parameter
        for parameter in copy.parameters():
            parameter.data = parameter.data.float()
    return bool(half)


def _floats(module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.float() if value.is_floating_point() else value for value in args)


def _narrow(dtype: torch.dtype, module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
    return output.to(dtype)


class _WithTrained:
    """The same settings with more modules to save."""

    def __init__(self, settings: TunerSettings) -> None:
        self._settings = settings
        self.modules_to_save = tuple(dict.fromkeys((*TRAINED, *settings.modules_to_save)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._settings, name)
