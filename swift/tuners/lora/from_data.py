"""Factors that start from what the model does with the training set: CorDA's activations, LoRA-GA's gradients, through peft.

Both move a part of each weight into the factors (see `moved`). peft measures on the plain model, before the adapter is there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora.config import CordaConfig, LoraGAConfig
from peft.tuners.lora.corda import preprocess_corda
from peft.tuners.lora.loraga import preprocess_loraga

from swift.kernels.head import SelectedLoss
from swift.tuners.peft_method import quiet
from swift.utils.errors import DataError

__all__ = ["NUM_BATCHES", "measure"]

NUM_BATCHES = {"corda": 16, "lora_ga": 32}
"""Batches that are looked at: of an optimiser step each (256 rows at 16 a step, as many as CorDA's authors take), and of one
pass each, since a backward pass of more might not fit."""


def measure(model: PeftModel, kind: str, batches: Iterable[Mapping[str, Any]]) -> tuple[Any, Any]:
    """Take the adapter off again and measure. Returns the plain model, with what was found on its layers, and the
    configuration to attach with. Raises DataError where no batch trains anything.
    """
    config: Any = copy.copy(model.peft_config["default"])
    config.init_lora_weights = kind
    plain: Any = model.unload()
    looked_at = [batch for batch in islice(batches, NUM_BATCHES[kind]) if (batch["labels"][:, 1:] != -100).any()]
    if not looked_at:
        raise DataError(
            f"--init_lora_weights {kind}: none of the first {NUM_BATCHES[kind]} batches of the training set trains a token. Use"
            " --init_lora_weights true."
        )
    was_training = plain.training
    plain.eval()
    with quiet(), torch.random.fork_rng():
        if kind == "corda":
            config.corda_config = CordaConfig(corda_method="ipm")
            preprocess_corda(plain, config, run_model=lambda: _read(plain, looked_at))
        else:
            config.lora_ga_config = LoraGAConfig()
            preprocess_loraga(plain, config, train_step=lambda: _learn(plain, looked_at))
    plain.train(was_training)
    return plain, config


def _read(model: Any, batches: Iterable[Mapping[str, Any]]) -> None:
    """Every row alone and without its padding: peft adds up the products of inputs of one row (T, in) at a time."""
    for batch in batches:
        for row in _rows(batch):
            model(**row, use_cache=False)


def _rows(batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    inputs = {name: value for name, value in batch.items() if name not in ("labels", "loss_scale")}
    mask = inputs.get("attention_mask")
    if mask is None:
        yield inputs
        return
    for ids, there in zip(inputs["input_ids"], mask.bool(), strict=True):
        yield {"input_ids": ids[there][None]}


def _learn(model: Any, batches: Iterable[Mapping[str, Any]]) -> None:
    """The gradient of the run's own loss, each batch with the same weight."""
    losses: Callable[..., Any] = SelectedLoss(model)
    model.eval()  # no dropout: the gradient of the model as it is
    for batch in batches:
        found = losses(model, batch)
        (found.total / found.num_tokens).backward()
