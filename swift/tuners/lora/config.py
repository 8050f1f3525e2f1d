"""The settings of LoRA, read from the arguments of its group. Imports no torch and no peft."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from swift.utils.errors import PlanError

__all__ = ["LoraSettings"]

INITS = ("true", "false", "gaussian", "pissa", "pissa_niter_<N>", "olora")
_PISSA_NITER = re.compile(r"pissa_niter_\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """``W' = W + scale · B A`` with ``A`` (R, in), ``B`` (out, R); ``scale`` is alpha/R, with rsLoRA alpha/√R.

    ``dtype`` None: fp32 factors beside weights of half precision, as optimiser steps are too small for bf16.
    ``lr_ratio`` is LoRA+'s rate of B over that of A.
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

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> LoraSettings:
        """From the arguments of the group, by their own names. Raises PlanError with all that is wrong."""
        given = {
            field: options[name]
            for name, field in _FIELDS.items()
            if name in options and not (name == "lora_dtype" and options[name] == "AUTO")
        }
        given["init"] = str(given.get("init", "true")).lower()
        settings = cls(**cast(Any, given))
        problems = settings.problems()
        if problems:
            raise PlanError(problems)
        return settings

    def problems(self) -> list[str]:
        """What cannot be, one sentence each."""
        wrong: list[str] = []
        if self.rank < 1:
            wrong.append(f"--lora_rank {self.rank}: a rank is at least 1.")
        if not 0 <= self.dropout < 1:
            wrong.append(f"--lora_dropout {self.dropout}: a share from 0 to below 1 is expected.")
        if self.lr_ratio is not None and self.lr_ratio <= 0:
            wrong.append(f"--lora_lr_ratio {self.lr_ratio}: a positive number is expected; 10 to 16 is usual.")
        if self.init == "loftq":
            wrong.append(
                "--init_lora_weights loftq: quantised base weights are not in this version. Use true, pissa or olora."
            )
        elif self.init not in INITS and not _PISSA_NITER.fullmatch(self.init):
            wrong.append(f"--init_lora_weights {self.init}: choose one of {', '.join(INITS)}.")
        if self.use_dora and self.init.startswith(("pissa", "olora")):
            wrong.append(
                f"--use_dora true with --init_lora_weights {self.init}: DoRA keeps the original weight, these change it."
            )
        return wrong

    @property
    def init_value(self) -> bool | str:
        """``init`` as peft takes it."""
        return {"true": True, "false": False}.get(self.init, self.init)

    @property
    def changes_base(self) -> bool:
        """Whether the base weights differ from the original ones while the adapter is trained (PiSSA, OLoRA)."""
        return self.init.startswith(("pissa", "olora"))


_FIELDS = {
    "lora_rank": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_bias_trainable": "bias",
    "lora_dtype": "dtype",
    "use_dora": "use_dora",
    "use_rslora": "use_rslora",
    "init_lora_weights": "init",
    "lora_lr_ratio": "lr_ratio",
}
