"""Several changes of one weight as one, as the papers define it. Tensors in, a tensor out; knows no model and no file.

``changes`` are what each adapter adds to the weight, all of its shape; ``weights`` one number for each of them. A way that drops
values works on this weight alone, so that weights can be combined one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

__all__ = ["combine", "drop", "elect", "trim", "weighted_sum"]


def combine(
    changes: Sequence[torch.Tensor],
    weights: Sequence[float],
    combination: str,
    *,
    density: float | None,
    generator: torch.Generator,
) -> torch.Tensor:
    """The change that all make together; ``density`` is the share of values that a sparse way keeps.

    ``linear`` (task arithmetic, Ilharco et al., 2022); ``ties`` (Yadav et al., 2023); ``dare_linear``, ``dare_ties`` (Yu et al.,
    2023), whose chance is ``generator``'s; ``magnitude_prune``: trimmed, then added.
    """
    if combination == "linear":
        return weighted_sum(changes, weights)
    assert density is not None  # the plan decides it for every way that drops values
    if combination.startswith("dare_"):
        kept = [drop(change, density, generator) for change in changes]
    else:
        kept = [trim(change, density) for change in changes]
    return elect(kept, weights) if combination.endswith("ties") else weighted_sum(kept, weights)


def weighted_sum(changes: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """``Σ w δ``."""
    total = torch.zeros_like(changes[0])
    for change, weight in zip(changes, weights, strict=True):
        total.add_(change, alpha=weight)
    return total


def trim(change: torch.Tensor, density: float) -> torch.Tensor:
    """The largest values by magnitude, the share ``density`` of them; zero elsewhere. Equal ones at the edge all stay."""
    num_kept = max(int(density * change.numel()), 1)
    size = change.abs()
    least = size.flatten().kthvalue(change.numel() - num_kept + 1).values
    return torch.where(size >= least, change, 0)


def drop(change: torch.Tensor, density: float, generator: torch.Generator) -> torch.Tensor:
    """DARE: each value stays with probability ``density`` and grows by its inverse, so that the expected change is the same."""
    stays = torch.rand(change.shape, generator=generator) < density
    return torch.where(stays.to(change.device), change / density, 0)


def elect(changes: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """TIES, its second and third step: the sign with the larger mass wins, and those that have it are averaged.

    ``λ · Σ w δ / Σ |w|`` over the changes whose ``w δ`` has the sign of ``Σ w δ``; what is zero has none. ``λ`` is the sum of all
    ``|w|``: with equal weights whose sum is 1 this is the paper's plain mean, and where nobody disagrees it is ``linear``.
    """
    sign = weighted_sum(changes, weights).sign_()
    total, mass = torch.zeros_like(sign), torch.zeros_like(sign)
    for change, weight in zip(changes, weights, strict=True):
        agrees = (change * weight).sign_().eq_(sign).logical_and(sign != 0)
        total.add_(torch.where(agrees, change, 0), alpha=weight)
        mass.add_(agrees, alpha=abs(weight))
    return torch.where(mass > 0, total / mass, 0).mul_(sum(map(abs, weights)))
