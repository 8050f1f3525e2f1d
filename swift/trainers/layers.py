"""The list of decoder layers inside a model. Knows no method."""

from __future__ import annotations

from typing import Any

from torch import nn

from swift.utils.errors import PlanError

__all__ = ["decoder_layers"]


def decoder_layers(model: Any) -> list[nn.Module]:
    """The layers that the language model is a pile of, from the bottom up.

    It is the list of modules that holds most parameters; experts inside a layer are a shorter part of it. Raises PlanError
    where there is none.
    """
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module)]
    if not lists:
        raise PlanError([f"{type(model).__name__} has no list of layers, so its layers cannot be chosen one by one."])
    sizes = [sum(parameter.numel() for parameter in module.parameters()) for module in lists]
    return list(lists[sizes.index(max(sizes))])
