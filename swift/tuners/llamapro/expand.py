"""A model with more layers that answers as before: Wu et al., "LLaMA Pro" (2024), section 3.2 (block expansion).

Knows no tuner and no files.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from swift.tuners.layers import ATTENTION, FEED_FORWARD, find_layers, find_part, first_of, with_first
from swift.utils.errors import PlanError

__all__ = ["expand"]

_OUTPUTS = ("o_proj", "out_proj", "dense", "c_proj", "down_proj", "dense_4h_to_h", "fc2", "w2", "output_linear")
"""What families call the last product of attention (W^O) and of the feed-forward part (W_3 of the paper's SwiGLU)."""

_NORMS_BEHIND = ("post_feedforward_layernorm", "post_mlp_layernorm", "post_self_attn_layernorm")


def expand(model: Any, order: Sequence[tuple[int, bool]]) -> list[nn.Module]:
    """Put new layers between the old ones and tell the configuration of it; returns the new ones.

    ``order`` holds (old layer, whether this is a new copy of it). A new block is the identity, φ(x) = x, since what
    it adds to the residual stream is a product with zero (equations 3 and 4). Raises PlanError for a model whose larger
    twin would not be built from its configuration.
    """
    path, layers = find_layers(model)
    text = model.config.get_text_config()
    before = len(layers)
    new: list[nn.Module] = []
    grown: list[nn.Module] = []
    for number, is_new in order:
        layer = copy.deepcopy(layers[number]) if is_new else layers[number]
        if is_new:
            _silence(layer)
            _in_fp32(layer)
            new.append(layer)
        grown.append(layer)
    for index, layer in enumerate(grown):  # caches are found by number
        for module in layer.modules():
            if isinstance(getattr(module, "layer_idx", None), int):
                module.layer_idx = index  # type: ignore[assignment]
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, nn.ModuleList(grown))
    _tell(text, before, [number for number, _ in order])
    _prove(model)
    return new


def _silence(layer: nn.Module) -> None:
    """Zero the last product of both parts of a layer; where a norm stands behind a part, that norm's scale instead.

    A norm would blow the first small value of a zeroed product up to the size of any other.
    """
    norms = [child for name, child in layer.named_children() if name in _NORMS_BEHIND]
    if not hasattr(layer, "input_layernorm") and hasattr(layer, "post_attention_layernorm") and norms:
        norms.append(layer.post_attention_layernorm)  # type: ignore[arg-type]  # OLMo 2 has norms behind its parts only
    elif hasattr(layer, "pre_feedforward_layernorm"):
        norms.append(layer.post_attention_layernorm)  # type: ignore[arg-type]  # Gemma 2
    if norms:
        for norm in norms:
            _silence_norm(norm)
        return
    for names, what in ((ATTENTION, "attention"), (FEED_FORWARD, "feed-forward part")):
        _, part = find_part(layer, names, what)
        outputs = [
            parameter
            for name, parameter in part.named_parameters()
            if {word.removesuffix("_bias") for word in name.split(".")} & set(_OUTPUTS)
        ]
        if not outputs:
            raise PlanError(
                [
                    f"--sft_type llamapro: the last product in the {what} of {type(layer).__name__} is not recognised. Use lora or full."
                ]
            )
        for parameter in outputs:
            nn.init.zeros_(parameter)


def _silence_norm(norm: nn.Module) -> None:
    """Scale zero: a weight of 0, or of -1 where the family scales by 1 + weight (Gemma)."""
    weight: Any = norm.weight
    nn.init.zeros_(weight)
    if not weight.is_meta and bool(norm(torch.ones(1, len(weight), dtype=weight.dtype, device=weight.device)).any()):
        nn.init.constant_(weight, -1.0)


def _in_fp32(layer: nn.Module) -> None:
    """Trained weights are fp32, where small updates are not lost; what goes in and comes out keeps the model's dtype."""
    dtype = next(layer.parameters()).dtype
    if dtype not in (torch.float16, torch.bfloat16):
        return

    def widen(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (args[0].float(), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": kwargs["hidden_states"].float()}

    def narrow(_: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        return with_first(output, first_of(output).to(dtype))

    layer.float()
    layer.register_forward_pre_hook(widen, with_kwargs=True)
    layer.register_forward_hook(narrow)


def _tell(config: Any, before: int, origins: list[int]) -> None:
    """Everything that the configuration says layer by layer, for the larger model; copies are what their origins are."""
    for name, value in list(vars(config).items()):
        if "layer" in name and isinstance(value, (list, tuple)) and len(value) == before:
            setattr(config, name, [value[origin] for origin in origins])
    config.num_hidden_layers = len(origins)


def _prove(model: Any) -> None:
    """Build the larger model from its configuration, without memory: it must have the same weights, or nobody could load it."""
    with torch.device("meta"):
        twin = type(model)(copy.deepcopy(model.config))
    wanted, found = ({name: value.shape for name, value in one.state_dict().items()} for one in (twin, model))
    if wanted != found:
        odd = next(name for name in (*wanted, *found) if wanted.get(name) != found.get(name))
        raise PlanError(
            [f"--sft_type llamapro: {type(model).__name__} tells layers apart by their number, so that its configuration cannot"
             f" describe new ones between them ({odd} would differ). Use lora or full."]
        )  # fmt: skip
