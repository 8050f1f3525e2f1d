"""Every value of ``--optim``: what it is, the package it needs, and the code that is ours. Imports no torch.

Rows without ``code`` are made by transformers. A name of the older system or of a method alone is an alias.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from swift.utils.registry import nearest

__all__ = ["ALIASES", "OPTIMIZERS", "OptimizerRow", "find_optimizer", "names"]

BITSANDBYTES = "bitsandbytes>=0.46"
TORCHAO = "torchao>=0.11"
SCHEDULEFREE = "schedulefree>=1.4"


@dataclass(frozen=True, slots=True)
class OptimizerRow:
    """One optimizer. ``requires`` is a requirement that the base installation lacks, ``devices`` where it runs.

    ``code`` names our own implementation ("module:function", see ``build.py``). ``states``: tensors of a parameter's size
    that it keeps, for the memory prediction; ``state_bytes`` the bytes of one value of theirs. ``galore``: GaLore can work
    over it. ``schedule``: the course of the rate that it wants where none is given. ``at_once``: it takes its steps inside the
    backward pass, so nothing is added up over batches or clipped.
    """

    name: str
    title: str
    requires: str | None = None
    devices: tuple[str, ...] = ("cpu", "gpu")
    code: str | None = None
    states: float = 2
    state_bytes: float = 4
    galore: bool = False
    schedule: str | None = None
    at_once: bool = False


ROWS = (
    OptimizerRow("adamw_torch", "AdamW of torch, fused", galore=True),
    OptimizerRow("adamw_torch_fused", "AdamW of torch, fused", galore=True),
    OptimizerRow("adamw_torch_8bit", "AdamW, states in 8 bit (torchao)", requires=TORCHAO, state_bytes=1),
    OptimizerRow("adamw_torch_4bit", "AdamW, states in 4 bit (torchao)", requires=TORCHAO, state_bytes=0.5),
    OptimizerRow("adamw_torch_xla", "AdamW for XLA devices", requires="torch_xla", devices=("xla",)),
    OptimizerRow("adamw_torch_npu_fused", "AdamW for Ascend devices", requires="torch_npu", devices=("npu",)),
    OptimizerRow("adamw_anyprecision", "AdamW with states of any type", requires="torchdistx"),
    OptimizerRow("adamw_8bit", "AdamW, states in 8 bit (bitsandbytes)", requires=BITSANDBYTES, state_bytes=1, galore=True),
    OptimizerRow("adamw_bnb_8bit", "AdamW, states in 8 bit (bitsandbytes)", requires=BITSANDBYTES, state_bytes=1, galore=True),
    OptimizerRow("paged_adamw_32bit", "AdamW, states move out of a full GPU", requires=BITSANDBYTES),
    OptimizerRow("paged_adamw_8bit", "the same in 8 bit", requires=BITSANDBYTES, state_bytes=1),
    OptimizerRow("adafactor", "Adafactor: row and column means in place of the second moment", states=0.01, galore=True),
    OptimizerRow("lion_32bit", "Lion: the sign of a momentum", requires=BITSANDBYTES, states=1, galore=True),
    OptimizerRow("lion_8bit", "Lion in 8 bit", requires=BITSANDBYTES, states=1, state_bytes=1, galore=True),
    OptimizerRow("paged_lion_32bit", "Lion, states move out of a full GPU", requires=BITSANDBYTES, states=1),
    OptimizerRow("paged_lion_8bit", "the same in 8 bit", requires=BITSANDBYTES, states=1, state_bytes=1),
    OptimizerRow("ademamix", "AdEMAMix: Adam with a second, slow momentum", requires=BITSANDBYTES, states=3),
    OptimizerRow("ademamix_8bit", "AdEMAMix in 8 bit", requires=BITSANDBYTES, states=3, state_bytes=1),
    OptimizerRow("paged_ademamix_32bit", "AdEMAMix, states move out of a full GPU", requires=BITSANDBYTES, states=3),
    OptimizerRow("paged_ademamix_8bit", "the same in 8 bit", requires=BITSANDBYTES, states=3, state_bytes=1),
    OptimizerRow("sgd", "gradient descent; momentum through --optim_args", states=1),
    OptimizerRow("adagrad", "Adagrad", states=1),
    OptimizerRow("rmsprop", "RMSprop", states=1),
    OptimizerRow("rmsprop_bnb", "RMSprop of bitsandbytes", requires=BITSANDBYTES, states=1),
    OptimizerRow("rmsprop_bnb_8bit", "RMSprop in 8 bit", requires=BITSANDBYTES, states=1, state_bytes=1),
    OptimizerRow("rmsprop_bnb_32bit", "RMSprop of bitsandbytes", requires=BITSANDBYTES, states=1),
    OptimizerRow("stable_adamw", "StableAdamW: AdamW with Adafactor's clipping", requires="torch-optimi>=0.3"),
    OptimizerRow("grokadamw", "GrokAdamW: AdamW that amplifies slow gradients", requires="grokadamw>=0.1.2", states=3),
    OptimizerRow(
        "schedule_free_adamw", "AdamW without a schedule: an average of the weights takes its place",
        requires=SCHEDULEFREE, schedule="constant_with_warmup", code="swift.trainers.optimizers.schedule_free:adamw",
    ),
    OptimizerRow(
        "schedule_free_radam", "RAdam without a schedule", requires=SCHEDULEFREE, schedule="constant",
        code="swift.trainers.optimizers.schedule_free:radam",
    ),
    OptimizerRow(
        "schedule_free_sgd", "gradient descent without a schedule", requires=SCHEDULEFREE, states=1,
        schedule="constant_with_warmup", code="swift.trainers.optimizers.schedule_free:sgd",
    ),
    OptimizerRow("muon", "Muon: matrices move by orthogonal updates, the rest by AdamW", requires="torch>=2.9", states=1,
                 code="swift.trainers.optimizers.muon:build"),
    OptimizerRow("adam_mini", "Adam-mini: one second moment for a block of weights", states=1,
                 code="swift.trainers.optimizers.adam_mini:build"),
    OptimizerRow("apollo_adamw", "APOLLO: the size of Adam's steps learned in a random low-rank space", states=0.5,
                 code="swift.trainers.optimizers.apollo:build"),
    OptimizerRow("lomo", "LOMO: gradient descent inside the backward pass, one gradient at a time", states=0, at_once=True,
                 code="swift.trainers.optimizers.lomo:lomo"),
    OptimizerRow("adalomo", "AdaLomo: the same, with row and column means of the squared gradient", states=0.01, at_once=True,
                 code="swift.trainers.optimizers.lomo:adalomo"),
    OptimizerRow("apollo_mini", "APOLLO of rank 1 with one size for a whole matrix", states=0.01,
                 code="swift.trainers.optimizers.apollo:build_mini"),
)  # fmt: skip

OPTIMIZERS: Mapping[str, OptimizerRow] = {row.name: row for row in ROWS}
ALIASES: Mapping[str, str] = {
    "adamw": "adamw_torch", "adamw_hf": "adamw_torch", "lion": "lion_32bit", "apollo": "apollo_adamw",
    "adamini": "adam_mini", "adam-mini": "adam_mini", "paged_adamw": "paged_adamw_32bit", "paged_lion": "paged_lion_32bit",
    "schedule_free": "schedule_free_adamw", "schedulefree": "schedule_free_adamw",
}  # fmt: skip
"""Other words for the same optimizer."""

GALORE = {
    "galore_adamw": "adamw_torch", "galore_adamw_8bit": "adamw_8bit", "galore_adafactor": "adafactor",
}  # fmt: skip
"""transformers' names of GaLore over an optimizer; ``_layerwise`` behind them means one optimizer for each parameter."""

REFUSED: Mapping[str, str] = {
    "apollo_adamw_layerwise": "use --optim apollo_adamw",
}
"""Names of transformers that our loop cannot honour, with what to do."""


def names() -> tuple[str, ...]:
    """All values that ``--optim`` takes."""
    return (*OPTIMIZERS, *ALIASES, *GALORE, *(f"{name}_layerwise" for name in GALORE))


def find_optimizer(name: str) -> OptimizerRow | str:
    """The row of a name or alias; a sentence that says what is wrong with it, where there is none."""
    row = OPTIMIZERS.get(ALIASES.get(name, name))
    if row is not None:
        return row
    if name in REFUSED:
        return f"--optim {name}: is not supported: {REFUSED[name]}."
    near = nearest(name, names())
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(OPTIMIZERS)}."
    return f"--optim {name}: there is no such optimizer. {hint}"
