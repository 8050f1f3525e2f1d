"""The settings of ReFT. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from swift.tuners.settings import Settings, not_a_count
from swift.utils.registry import nearest

__all__ = ["INTERVENTIONS", "Positions", "ReftSettings"]

INTERVENTIONS = ("NoreftIntervention", "LoreftIntervention", "ConsreftIntervention", "LobireftIntervention",
                 "DireftIntervention", "NodireftIntervention")  # fmt: skip
WITHOUT_ACTIVATION = ("ConsreftIntervention", "LobireftIntervention")
ARGS = ("positions", "tied", "dropout", "act_fn")
_FIRST_LAST = re.compile(r"f(?P<f>\d+)\+l(?P<l>\d+)|f(?P<only_f>\d+)|l(?P<only_l>\d+)")


@dataclass(frozen=True, slots=True)
class Positions:
    """Which tokens are edited: the ``first`` and the ``last`` ones of the prompt, or ``every`` token, answers too."""

    first: int = 0
    last: int = 0
    every: bool = False

    @classmethod
    def read(cls, text: str) -> Positions | None:
        """``f5+l5``, ``f3``, ``l1`` or ``all``; None for anything else."""
        if text == "all":
            return cls(every=True)
        match = _FIRST_LAST.fullmatch(text)
        if match is None:
            return None
        found = cls(int(match["f"] or match["only_f"] or 0), int(match["l"] or match["only_l"] or 0))
        return found if found.first + found.last else None


@dataclass(frozen=True, kw_only=True)
class ReftSettings(Settings):
    """``args`` are further settings: ``positions`` ("f5+l5": the first and last five tokens of the prompt), ``tied`` (one
    intervention for both), ``dropout`` (on the edited state), ``act_fn`` (on ``W h + b``, as transformers names it).
    """

    rank: int = 4
    kind: str = "LoreftIntervention"
    layers: tuple[int, ...] | None = None
    layer_key: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)

    names: ClassVar[Mapping[str, str]] = {
        "reft_rank": "rank", "reft_intervention_type": "kind", "reft_layers": "layers", "reft_layer_key": "layer_key",
        "reft_args": "args",
    }  # fmt: skip

    def __post_init__(self) -> None:
        """A plan's file holds lists, and no value where no setting was given."""
        object.__setattr__(self, "args", dict(self.args or {}))
        object.__setattr__(self, "layers", None if self.layers is None else tuple(self.layers))

    @property
    def positions(self) -> Positions:
        """The tokens that are edited; five at each end of the prompt where nothing was said."""
        return Positions.read(str(self.args.get("positions", "f5+l5"))) or Positions()

    @property
    def tied(self) -> bool:
        """Whether the first and the last tokens share their intervention."""
        return bool(self.args.get("tied", False))

    @property
    def dropout(self) -> float:
        """Probability that a value of the edited state is left out in training."""
        return float(self.args.get("dropout", 0.0))

    @property
    def act(self) -> str:
        """The activation of the learned source."""
        return str(self.args.get("act_fn") or "linear")

    def problems(self) -> list[str]:
        """What cannot be, one sentence each; layers and activation are checked when the model is there."""
        wrong = not_a_count(self.of("rank"))
        if self.kind not in INTERVENTIONS:
            wrong.append(f"--reft_intervention_type {self.kind}: choose one of {', '.join(INTERVENTIONS)}.")
        if self.layers == ():
            wrong.append("--reft_layers: names no layer. Leave it out for all layers.")
        for name in self.args:
            if name not in ARGS:
                near = nearest(name, ARGS)
                hint = f"Did you mean {near[0]}?" if near else f"It knows {', '.join(ARGS)}."
                wrong.append(f"--reft_args {name}: no setting of an intervention. {hint}")
        if "positions" in self.args and Positions.read(str(self.args["positions"])) is None:
            wrong.append(
                f"--reft_args positions {self.args['positions']!r}: say f5+l5 (the first and last five tokens of the prompt), f5,"
                " l1, or all (every token, answers too)."
            )
        if not isinstance(self.args.get("tied", False), bool):
            wrong.append(f"--reft_args tied {self.args['tied']!r}: is true or false.")
        dropout = self.args.get("dropout", 0.0)
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
            wrong.append(f"--reft_args dropout {dropout!r}: is a share from 0 to below 1.")
        if self.args.get("act_fn") and self.kind in WITHOUT_ACTIVATION:
            wrong.append(
                f"--reft_args act_fn: {self.kind} has no source of the hidden state to activate. Leave it out."
            )
        return wrong
