"""The list of layers inside a model, and the two parts of a layer. Works on the meta device; knows no tuning method."""

from __future__ import annotations

from typing import Any

from torch import nn

from swift.utils.errors import PlanError

__all__ = ["ATTENTION", "FEED_FORWARD", "find_layers", "find_part", "first_of", "with_first"]

ATTENTION = ("self_attn", "attention", "attn", "self_attention")
FEED_FORWARD = ("mlp", "feed_forward", "ffn", "block_sparse_moe", "moe")
"""What families call the two parts of a layer."""


def find_layers(model: Any, path: str | None = None) -> tuple[str, nn.ModuleList]:
    """The layers of the language model and their name in ``model``: those at ``path``, or the one list that is as long as
    the configuration says. Raises PlanError where there is none, or several.
    """
    lists = {name: module for name, module in model.named_modules() if isinstance(module, nn.ModuleList)}
    if path is not None:
        if path not in lists:
            raise PlanError(
                [f"--reft_layer_key {path}: is no list of layers of this model. It has {', '.join(lists) or 'none'}."]
            )
        return path, lists[path]
    number = model.config.get_text_config().num_hidden_layers
    inside = {id(module) for module in _decoder(model).modules()}
    fitting = {name: found for name, found in lists.items() if len(found) == number and id(found) in inside}
    if len(fitting) != 1:
        found = (
            f"several lists of {number} modules ({', '.join(fitting)})" if fitting else f"no list of {number} modules"
        )
        raise PlanError(
            [f"--sft_type: the layers of {type(model).__name__} are not recognised: it has {found}. Use lora or full."]
        )
    return next(iter(fitting.items()))


def find_part(layer: nn.Module, names: tuple[str, ...], what: str) -> tuple[str, nn.Module]:
    """The child of a layer that has one of ``names``. Raises PlanError that tells which children there are."""
    for name, child in layer.named_children():
        if name in names:
            return name, child
    children = ", ".join(name for name, _ in layer.named_children())
    raise PlanError(
        [
            f"--sft_type: the {what} of {type(layer).__name__} is not recognised among its parts ({children}). Use lora or full."
        ]
    )


def first_of(output: Any) -> Any:
    """The hidden states of what a layer or part returned: the output itself, or the first of a tuple."""
    return output[0] if isinstance(output, tuple) else output


def with_first(output: Any, hidden: Any) -> Any:
    """The same output with other hidden states."""
    return (hidden, *output[1:]) if isinstance(output, tuple) else hidden


def _decoder(model: Any) -> Any:
    """The language model inside a model that also reads images; the model itself where it does not say."""
    found = model.get_decoder() if hasattr(model, "get_decoder") else None
    return found if isinstance(found, nn.Module) else model
