"""ReFT: a frozen model whose hidden states are edited at a few tokens of the prompt, in some layers.

The answers feel it through attention. In training the prompt of a sample is what comes before its first trained token, in
generation it is what was asked, so both edit the same tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers.activations import ACT2FN

from swift.tuners.added import AddedModules
from swift.tuners.layers import find_layers, first_of, with_first
from swift.tuners.reft.config import Positions, ReftSettings
from swift.tuners.reft.module import Intervention
from swift.tuners.reft.places import edited, pieces, prompt_lengths
from swift.utils.errors import PlanError
from swift.utils.registry import nearest

__all__ = ["Reft", "ReftTuner"]


class ReftTuner(AddedModules):
    """``h_t ← Φ(h_t)`` for the output of the chosen layers at the chosen tokens t (the paper's definition of an intervention)."""

    def check(self, options: Mapping[str, Any]) -> None:
        """Raise PlanError for settings that cannot be."""
        act = ReftSettings.read(options).act
        if act not in ACT2FN:
            near = nearest(act, ACT2FN) or sorted(ACT2FN)[:6]
            raise PlanError(
                [f"--reft_args act_fn {act}: transformers has no such activation. Near: {', '.join(near)}."]
            )

    def add(self, model: Any, options: Mapping[str, Any]) -> None:
        """The interventions as one child ``reft`` of the model, and hooks on it and on the layers."""
        settings = ReftSettings.read(options)
        _, layers = find_layers(model, settings.layer_key)
        numbers = _chosen(settings.layers, len(layers))
        reft = Reft(settings, model.config.get_text_config().hidden_size, numbers)
        for number in numbers:
            reft.layers[str(number)].to(next(layers[number].parameters()).device)
            layers[number].register_forward_hook(partial(reft.edit, number))
        model.add_module("reft", reft)
        model.register_forward_pre_hook(reft.locate, with_kwargs=True)


class Reft(nn.Module):
    """The interventions of all layers. ``locate`` runs before the model and finds the tokens, ``edit`` after each layer."""

    options: dict[str, Any]

    def __init__(self, settings: ReftSettings, width: int, numbers: list[int]) -> None:
        super().__init__()
        self._positions = settings.positions
        self._tied = settings.tied or settings.positions.every
        self.layers = nn.ModuleDict(
            {
                str(number): nn.ModuleDict({end: _intervention(settings, width) for end in self._ends})
                for number in numbers
            }
        )
        self._places: dict[
            str, torch.Tensor
        ] = {}  # kept after the forward: recomputed activations need them in backward

    @property
    def _ends(self) -> tuple[str, ...]:
        """Names of a layer's interventions: one for each end of the prompt that is edited, or one for both."""
        if self._tied:
            return ("both",)
        positions: Positions = self._positions
        return tuple(end for end, number in (("first", positions.first), ("last", positions.last)) if number)

    def batch_inputs(self, batch: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """What the model's forward is given besides, in training: the lengths of the prompts."""
        return {"prompt_lengths": prompt_lengths(batch)}

    def locate(
        self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Find the tokens of this forward; ``prompt_lengths`` is ours and goes no further."""
        given = {"input_ids": args[0], **kwargs} if args else kwargs
        first, last = edited(self._positions, pieces(given))
        self._places = {
            "first": torch.tensor(first, dtype=torch.long),
            "last": torch.tensor(last, dtype=torch.long),
            "both": torch.tensor(first + last, dtype=torch.long),
        }  # (K,) each
        return args, {name: value for name, value in kwargs.items() if name != "prompt_lengths"}

    def edit(self, number: int, layer: Any, inputs: Any, output: Any) -> Any:
        """The layer's output with edited tokens."""
        hidden = first_of(output)  # (B, T, C)
        flat = hidden.reshape(-1, hidden.shape[-1])  # (B·T, C)
        interventions: Any = self.layers[str(number)]
        for end, intervention in interventions.items():
            if self._places[end].numel():
                places = self._places[end].to(flat.device)
                flat = flat.index_copy(0, places, intervention(flat.index_select(0, places)))
        return with_first(output, flat.view_as(hidden))


ReftTuner.kind, ReftTuner.part = "REFT", Reft


def _intervention(settings: ReftSettings, width: int) -> Intervention:
    if settings.rank > width:
        raise PlanError([f"--reft_rank {settings.rank}: the model is {width} wide. Use that or less; 4 is usual."])
    act = None if settings.act == "linear" else ACT2FN[settings.act]
    return Intervention(settings.kind, width, settings.rank, dropout=settings.dropout, act=act)


def _chosen(layers: tuple[int, ...] | None, count: int) -> list[int]:
    """Numbers from 0 of the layers that are edited; negative ones count from the last."""
    if layers is None:
        return list(range(count))
    wrong = [number for number in layers if not -count <= number < count]
    if wrong:
        raise PlanError([f"--reft_layers {wrong[0]}: the model has layers 0 to {count - 1} (or -1 for the last)."])
    return sorted({number % count for number in layers})
