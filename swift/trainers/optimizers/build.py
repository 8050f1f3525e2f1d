"""The optimizer of a run, from its settings and its model: the one place where a name becomes an object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainingArguments

from swift.trainers.config import TrainerConfig
from swift.trainers.optimizers.context import OptimizerContext
from swift.trainers.optimizers.groups import parameter_groups
from swift.trainers.optimizers.table import OptimizerRow, find_optimizer
from swift.utils.errors import ArgumentError, MissingPackageError
from swift.utils.lazy import load, require

__all__ = ["build_optimizer"]


def build_optimizer(
    config: TrainerConfig,
    args: TrainingArguments,
    model: Any,
    *,
    decayed: Sequence[str],
    of_the_tuner: Sequence[dict[str, Any]] | None = None,
) -> torch.optim.Optimizer:
    """The optimizer over every trained parameter of ``model``.

    ``decayed`` names the parameters that decay; ``of_the_tuner`` are the groups of a method with rates of its own. Raises
    MissingPackageError, ArgumentError for ``--optim_args`` that it does not have, PlanError for parts that are not trained.
    """
    found = find_optimizer(config.optim)
    if isinstance(found, str):
        raise ArgumentError(found)
    if found.requires is not None:
        require(found.requires)
    groups = parameter_groups(
        model, args.learning_rate, args.weight_decay, decayed=decayed, of_the_tuner=of_the_tuner,
        embedding_rate=config.embedding_learning_rate, head_rate=config.head_learning_rate,
    )  # fmt: skip
    make = _base(found, config, args, model)
    if config.galore is None:
        return make(groups)
    from swift.trainers.optimizers.galore import GaLore, projected_parameters
    from swift.trainers.optimizers.layerwise import Layerwise

    galore, projected = config.galore, projected_parameters(model, config.galore)
    if not galore.per_parameter:
        return GaLore(groups, make, galore, projected, seed=args.seed)
    return Layerwise(groups, lambda one: GaLore(one, make, galore, projected, seed=args.seed))


def _base(
    row: OptimizerRow, config: TrainerConfig, args: TrainingArguments, model: Any
) -> Callable[[Sequence[dict[str, Any]]], torch.optim.Optimizer]:
    """Groups to the optimizer of a row: ours, or what transformers makes of its name."""
    if row.code is not None:
        context = OptimizerContext(
            model=model, betas=(args.adam_beta1, args.adam_beta2), eps=args.adam_epsilon, seed=args.seed,
            given=config.optim_args,
        )  # fmt: skip
        own = load(row.code)
        return lambda groups: own(groups, context)

    def make(groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        try:
            kind, settings = Trainer.get_optimizer_cls_and_kwargs(args, model)
        except (ImportError, ValueError) as error:
            raise MissingPackageError(f"--optim {row.name}: {str(error).strip().splitlines()[0]}") from error
        if row.requires is not None and row.requires.startswith("bitsandbytes"):
            _keep_embeddings_exact(model)
        optimizer: torch.optim.Optimizer = kind([dict(group) for group in groups], **settings)
        return optimizer

    return make


def _keep_embeddings_exact(model: Any) -> None:
    """States of embeddings stay in fp32, as the authors of the 8-bit optimizers advise (Dettmers et al. 2021, section 3.3)."""
    manager: Any = load("bitsandbytes.optim:GlobalOptimManager").get_instance()
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            manager.register_module_override(module, "weight", {"optim_bits": 32})
