"""Copies of whole modules (``modules_to_save``) in fp32 beside a base in half precision, where small updates are not lost.

peft does this for the factors of an adapter only. What goes into and comes out of such a copy keeps the dtype of the weights
around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from peft.utils import ModulesToSaveWrapper
from torch import nn

__all__ = ["narrow", "widen"]

_WIDENED = "modules_in_full_precision"
_HALF = (torch.float16, torch.bfloat16)


def widen(peft_model: nn.Module) -> bool:
    """Hold the copies that are trained in fp32; says whether any was not. Layers inside a copy are widened one by one."""
    half = {layer: dtype for layer in _layers(peft_model) if (dtype := _half_dtype(layer)) is not None}
    handles = []
    for layer, dtype in half.items():
        handles.append(layer.register_forward_pre_hook(_floats, with_kwargs=True))
        handles.append(layer.register_forward_hook(_Back(dtype)))
    for layer in half:  # in place, since tied ones share their parameter; after all dtypes are known
        for parameter in layer.parameters(recurse=False):
            if parameter.dtype in _HALF:
                parameter.data = parameter.data.float()
    if half:
        setattr(peft_model, _WIDENED, (half, handles))
    return bool(half)


def narrow(peft_model: nn.Module) -> None:
    """Give the copies the dtype of the base again, as a merged model has it. Nothing where nothing was widened."""
    half, handles = vars(peft_model).pop(_WIDENED, ({}, ()))
    for handle in handles:
        handle.remove()
    for layer, dtype in half.items():
        for parameter in layer.parameters(recurse=False):
            if parameter.dtype == torch.float32:
                parameter.data = parameter.data.to(dtype)


def _layers(peft_model: nn.Module) -> Iterator[nn.Module]:
    """The modules with weights of their own inside the copies that are trained, each once."""
    copies = [module.modules_to_save for module in peft_model.modules() if isinstance(module, ModulesToSaveWrapper)]
    seen: set[nn.Module] = set()
    for layer in (layer for copy in copies for layer in copy.modules()):
        if layer not in seen and next(layer.parameters(recurse=False), None) is not None:
            seen.add(layer)
            yield layer


def _half_dtype(layer: nn.Module) -> torch.dtype | None:
    return next((one.dtype for one in layer.parameters(recurse=False) if one.dtype in _HALF), None)


def _floats(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return tuple(map(_float, args)), {name: _float(value) for name, value in kwargs.items()}


def _float(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) and value.dtype in _HALF else value


class _Back:
    """A hook that gives what a layer returns the dtype of the weights around it."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype

    def __call__(self, layer: nn.Module, args: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return tuple(self(layer, args, one) for one in output)
        if isinstance(output, torch.Tensor) and output.dtype == torch.float32:
            return output.to(self._dtype)
        return output
