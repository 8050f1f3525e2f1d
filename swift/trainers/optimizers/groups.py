"""Which parameters share a learning rate and a weight decay. Knows no optimizer.

A group is torch's: ``{"params": [...], "lr": ..., "weight_decay": ...}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from swift.utils.errors import PlanError

__all__ = ["embedding_parameters", "head_parameters", "parameter_groups", "split_off"]


def parameter_groups(
    model: Any,
    learning_rate: float,
    weight_decay: float,
    *,
    decayed: Iterable[str],
    of_the_tuner: Sequence[dict[str, Any]] | None = None,
    embedding_rate: float | None = None,
    head_rate: float | None = None,
) -> list[dict[str, Any]]:
    """The groups of all trained parameters: those of the tuner where it has rates of its own, else decayed and not decayed.

    ``decayed`` names the parameters that decay. The embeddings and the head are split off where they have a rate of their
    own. Raises PlanError where such a rate meets nothing that is trained, or where both are one matrix.
    """
    groups = list(of_the_tuner) if of_the_tuner is not None else _by_decay(model, weight_decay, set(decayed))
    groups = [{"lr": learning_rate, "weight_decay": weight_decay, **group} for group in groups]
    embeddings, head = embedding_parameters(model), head_parameters(model)
    tied = {id(one) for one in embeddings} & {id(one) for one in head}
    if tied and head_rate is not None:
        raise PlanError(
            [
                "--head_learning_rate: the head of this model is its embedding matrix. Give --embedding_learning_rate, which"
                " goes for both."
            ]
        )
    for flag, rate, chosen in (
        ("embedding_learning_rate", embedding_rate, embeddings),
        ("head_learning_rate", head_rate, head),
    ):
        if rate is not None:
            groups = split_off(groups, chosen, {"lr": rate}, flag)
    return [group for group in groups if group["params"]]


def split_off(
    groups: Sequence[dict[str, Any]], chosen: Sequence[nn.Parameter], settings: dict[str, Any], flag: str
) -> list[dict[str, Any]]:
    """The groups with the ``chosen`` parameters in groups of their own, which have ``settings`` besides.

    Raises PlanError that names ``flag`` where none of them is trained.
    """
    ids = {id(one) for one in chosen}
    result: list[dict[str, Any]] = []
    found = False
    for group in groups:
        inside = [one for one in group["params"] if id(one) in ids]
        outside = [one for one in group["params"] if id(one) not in ids]
        found = found or bool(inside)
        result += [{**group, "params": outside}] if outside else []
        result += [{**group, "params": inside, **settings}] if inside else []
    if not found:
        raise PlanError(
            [
                f"--{flag}: none of these parameters is trained. Use --sft_type full, or --modules_to_save; or leave it out."
            ]
        )
    return result


def embedding_parameters(model: Any) -> list[nn.Parameter]:
    """Parameters inside the input embeddings, an adapter's on them too."""
    return list(model.get_input_embeddings().parameters())


def head_parameters(model: Any) -> list[nn.Parameter]:
    """Parameters inside the output layer, an adapter's on it too; none where the model has no such layer."""
    head = model.get_output_embeddings()
    return [] if head is None else list(head.parameters())


def _by_decay(model: torch.nn.Module, weight_decay: float, decayed: set[str]) -> list[dict[str, Any]]:
    trained = [(name, one) for name, one in model.named_parameters() if one.requires_grad]
    return [
        {"params": [one for name, one in trained if name in decayed], "weight_decay": weight_decay},
        {"params": [one for name, one in trained if name not in decayed], "weight_decay": 0.0},
    ]
