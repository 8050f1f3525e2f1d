"""The settings of LoRA, read from the arguments of its group. Imports no torch and no peft."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from swift.tuners.settings import Settings, not_a_count, not_a_share

__all__ = ["FROM_DATA", "INITS", "LoraSettings"]

FROM_DATA = ("eva", "corda", "lora_ga")
"""Starts that look at the training set."""

INITS = ("true", "false", "gaussian", "orthogonal", "pissa", "pissa_niter_<N>", "olora", "loftq", *FROM_DATA)
_PISSA_NITER = re.compile(r"pissa_niter_\d+")


@dataclass(frozen=True, kw_only=True)
class LoraSettings(Settings):
    """``W' = W + scale · B A`` with ``A`` (R, in), ``B`` (out, R); ``scale`` is alpha/R, with rsLoRA alpha/√R.

    ``dtype`` None: fp32 factors beside weights of half precision, as optimiser steps are too small for bf16.
    ``lr_ratio`` is LoRA+'s rate of B over that of A. ``restart_every`` so many steps the factors go into the weights and begin anew
    (ReLoRA); the optimiser then forgets the share ``prune`` of what it knew of them, the rate rises again for ``restart_warmup``
    steps, and falls in the ``restart_anneal`` steps before.
    """

    rank: int = 8
    alpha: float = 32
    dropout: float = 0.05
    bias: Literal["none", "all"] = "none"
    dtype: Literal["bf16", "fp16", "fp32"] | None = None
    use_dora: bool = False
    use_rslora: bool = False
    init: str = "true"
    lr_ratio: float | None = None
    restart_every: int | None = None
    restart_warmup: int = 10
    restart_anneal: int = 0
    prune: float = 0.9

    names: ClassVar[Mapping[str, str]] = {
        "lora_rank": "rank", "lora_alpha": "alpha", "lora_dropout": "dropout", "init_lora_weights": "init",
        "lora_bias_trainable": "bias", "lora_dtype": "dtype", "use_dora": "use_dora", "use_rslora": "use_rslora",
        "lora_lr_ratio": "lr_ratio", "relora_steps": "restart_every", "relora_warmup_steps": "restart_warmup",
        "relora_anneal_steps": "restart_anneal", "relora_prune_ratio": "prune",
    }  # fmt: skip

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self:
        """From the arguments of the group, by their own names. Raises PlanError with all that is wrong."""
        given = {name: value for name, value in options.items() if (name, value) != ("lora_dtype", "AUTO")}
        return super().read({**given, "init_lora_weights": str(given.get("init_lora_weights", "true")).lower()})

    def problems(self) -> list[str]:
        """What cannot be, one sentence each."""
        wrong = not_a_count(self.of("rank")) + not_a_share(self.of("dropout"))
        if self.lr_ratio is not None and self.lr_ratio <= 0:
            wrong.append(f"--lora_lr_ratio {self.lr_ratio}: a positive number is expected; 10 to 16 is usual.")
        if self.init not in INITS and not _PISSA_NITER.fullmatch(self.init):
            wrong.append(f"--init_lora_weights {self.init}: choose one of {', '.join(INITS)}.")
        if self.init == "orthogonal" and self.rank % 2:
            wrong.append(f"--init_lora_weights orthogonal: needs an even --lora_rank, and it is {self.rank}.")
        if self.use_dora and (self.changes_base or self.init == "eva"):
            why = "these change it" if self.changes_base else "EVA replaces factors whose size it has measured"
            wrong.append(
                f"--use_dora true with --init_lora_weights {self.init}: DoRA keeps the original weight, {why}."
            )
        return wrong + (self._problems_of_restarts() if self.restart_every is not None else [])

    def _problems_of_restarts(self) -> list[str]:
        wrong = not_a_count(self.of("restart_every"))
        wrong += [
            f"--{name} {value}: is 0 or more."
            for name, value in self.of("restart_warmup", "restart_anneal")
            if value < 0
        ]
        if not 0 <= self.prune <= 1:
            wrong.append(f"--relora_prune_ratio {self.prune}: a share from 0 to 1 is expected.")
        if not wrong and self.restart_warmup + self.restart_anneal >= (self.restart_every or 0):
            wrong.append(
                f"--relora_steps {self.restart_every}: --relora_warmup_steps {self.restart_warmup} and --relora_anneal_steps"
                f" {self.restart_anneal} leave no step at the full rate. Lower them."
            )
        if self.use_dora:
            wrong.append(
                "--relora_steps with --use_dora true: the sizes that DoRA learns are no product of factors. Leave one out."
            )
        if self.init not in ("true", "gaussian"):
            wrong.append(
                f"--relora_steps with --init_lora_weights {self.init}: each round begins with factors that change nothing. Use true"
                " or gaussian."
            )
        return wrong

    @property
    def init_value(self) -> bool | str:
        """``init`` as peft takes it when the adapter is attached; what follows after that begins as plain LoRA."""
        return {"true": True, "false": False, "corda": True, "lora_ga": True, "loftq": True}.get(self.init, self.init)

    @property
    def moves_weights(self) -> bool:
        """Whether part of each weight moves into the factors (PiSSA, OLoRA, CorDA, LoRA-GA): the base is that much less while
        it trains.
        """
        return self.init.startswith(("pissa", "olora", "corda", "lora_ga"))

    @property
    def changes_base(self) -> bool:
        """Whether the base weights differ from the original ones while the adapter is trained."""
        return self.moves_weights or self.init == "loftq"
