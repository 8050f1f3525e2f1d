"""GaLore: any optimizer, working on projected gradients (Zhao et al. 2024, arXiv:2403.03507, algorithm 2).

A projected matrix W has a small stand-in of the shape of its projected gradient, and the base optimizer moves that from zero:

    R = project(G)            stand-in = 0, its gradient = R
    base optimizer's step     stand-in = -lr · ρ(R)
    W = (1 - lr · decay) · W + scale · project_back(stand-in)

So the base optimizer's states have the low rank, whatever optimizer it is. A matrix whose shorter side is not longer than the
rank is not projected: a square projection saves nothing and only turns the axes. At full rank GaLore is its base optimizer.
Q-GaLore is this with projections in few bits that are renewed less often (``projection.py``) and weights in 8 bits (``int8.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from swift.trainers.config import GaloreConfig
from swift.trainers.optimizers.groups import embedding_parameters
from swift.trainers.optimizers.int8 import Int8Weight, hold_in_8_bits
from swift.trainers.optimizers.projection import Projection
from swift.utils.errors import PlanError
from swift.utils.registry import nearest

__all__ = ["GaLore", "MakeOptimizer", "hold_weights", "projected_parameters"]

MakeOptimizer = Callable[[Sequence[dict[str, Any]]], torch.optim.Optimizer]
"""Groups to the base optimizer over them."""


class GaLore(torch.optim.Optimizer):
    """The base optimizer over stand-ins for the ``projected`` parameters, and over all others as they are."""

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        make: MakeOptimizer,
        config: GaloreConfig,
        projected: Sequence[nn.Parameter],
        *,
        seed: int = 0,
    ) -> None:
        super().__init__([dict(group) for group in groups], {"lr": 0.0, "weight_decay": 0.0})
        self._seed = seed
        self._numbers = {id(one): number for number, one in enumerate(projected)}
        chosen = {id(one) for one in projected}
        self._low: dict[int, tuple[nn.Parameter, nn.Parameter, Projection]] = {}
        self._pairs: list[tuple[int, int]] = []  # number of our group, number of the base's
        base_groups: list[dict[str, Any]] = []
        for number, group in enumerate(self.param_groups):
            plain = [one for one in group["params"] if id(one) not in chosen or not config.projects(one.shape)]
            low = [self._stand_in(one, config) for one in group["params"] if not any(one is other for other in plain)]
            for params, decay in ((plain, group["weight_decay"]), (low, 0.0)):
                if params:
                    self._pairs.append((number, len(base_groups)))
                    base_groups.append({**group, "params": params, "weight_decay": decay})
        self.base = make(base_groups)

    def _stand_in(self, weight: nn.Parameter, config: GaloreConfig) -> nn.Parameter:
        projection = Projection(config, weight.shape)
        low = nn.Parameter(torch.zeros(projection.low_shape(weight.shape), device=weight.device))
        self._low[id(weight)] = (weight, low, projection)
        return low

    @property
    def projections(self) -> list[tuple[nn.Parameter, Projection]]:
        """Every projected parameter with its projection."""
        return [(weight, projection) for weight, _, projection in self._low.values()]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of the base optimizer; see the head of the module."""
        assert closure is None  # the loop computes the loss itself
        moved: set[int] = set()
        for weight, low, projection in self._low.values():
            if weight.grad is None:
                low.grad = None
                continue
            low.grad = projection.down(weight.grad)
            low.zero_()
            moved.add(id(weight))
        for ours, number in self._pairs:
            self.base.param_groups[number]["lr"] = self.param_groups[ours]["lr"]
        self.base.step()
        for group in self.param_groups:
            for one in group["params"]:
                if id(one) in moved:
                    _, low, projection = self._low[id(one)]
                    self._move(one, 1 - group["lr"] * group["weight_decay"], projection.up(low), projection.steps)
                    low.grad = None

    def _move(self, weight: nn.Parameter, shrink: float, update: torch.Tensor, step: int) -> None:
        """W = shrink · W + update, rounded stochastically where W is held in 8 bits."""
        if not isinstance(weight, Int8Weight):
            weight.mul_(shrink)
            weight.add_(update.to(weight.dtype))
        elif shrink != 1 or update.any():  # rounding anew what stays would be noise
            seed = ((self._seed * 1_000_003 + self._numbers[id(weight)]) * 1_000_003 + step) % 2**63
            weight.hold(weight.floats().mul_(shrink).add_(update), seed=seed)

    def state_dict(self) -> dict[str, Any]:
        """The base optimizer's state, and the projections in the order of the parameters."""
        return {
            **super().state_dict(),
            "base": self.base.state_dict(),
            "projections": [projection.state_dict() for _, _, projection in self._low.values()],
            # a checkpoint's weights are floats, and rounding those again would not always give the same codes
            "weights": [
                dict(weight.packed) if isinstance(weight, Int8Weight) else None for weight, _, _ in self._low.values()
            ],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on exactly from :meth:`state_dict`."""
        super().load_state_dict({"state": {}, "param_groups": state_dict["param_groups"]})
        self.base.load_state_dict(state_dict["base"])
        for (weight, _, projection), state in zip(self._low.values(), state_dict["projections"], strict=True):
            projection.load_state_dict(state, weight.device)
        for (weight, _, _), packed in zip(self._low.values(), state_dict.get("weights", ()), strict=False):
            if isinstance(weight, Int8Weight):
                weight.hold_packed(packed)


def hold_weights(model: Any, config: GaloreConfig) -> None:
    """Put the matrices that will be projected into 8 bits where ``config`` says so; before the optimizer is made."""
    if config.weight_bits is not None:
        assert config.weight_bits == 8
        hold_in_8_bits(model, [one for one in projected_parameters(model, config) if config.projects(one.shape)])


def projected_parameters(model: Any, config: GaloreConfig) -> list[nn.Parameter]:
    """The trained matrices that GaLore projects: those of ``config.targets``, or of every linear layer but the head.

    Raises PlanError where a target matches nothing that is trained.
    """
    head = model.get_output_embeddings()
    linear = {
        f"{name}.weight": module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head and module.weight.requires_grad
    }
    weights: dict[str, nn.Parameter] = {name: one for name, one in model.named_parameters() if name in linear}
    chosen: list[nn.Parameter] = []
    for target in config.targets:
        if target in ("ALL", "all-linear"):
            chosen += weights.values()
            continue
        matched = [weight for name, weight in weights.items() if f".{target}." in f".{name}."]
        if not matched:
            near = nearest(target, [part for name in weights for part in name.split(".")])
            hint = (
                f" Did you mean {' or '.join(near)}?"
                if near
                else f" Their names look like {', '.join(list(weights)[:2])}."
            )
            raise PlanError([f"--galore_target_modules {target}: matches no trained linear layer.{hint}"])
        chosen += matched
    chosen = chosen or list(weights.values())
    if config.with_embedding:
        chosen += [one for one in embedding_parameters(model) if one.requires_grad and one.ndim == 2]
    if not any(config.projects(one.shape) for one in chosen):
        raise PlanError(
            [
                f"--galore_rank {config.rank}: no matrix has both sides longer than that, so nothing would be projected. Give a"
                " smaller rank."
            ]
        )
    return list({id(one): one for one in chosen}.values())
