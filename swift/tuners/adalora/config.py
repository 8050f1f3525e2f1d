"""The settings of AdaLoRA (Zhang et al., 2023). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count, not_a_share, not_positive

__all__ = ["AdaloraSettings"]


@dataclass(frozen=True, kw_only=True)
class AdaloraSettings(Settings):
    """``W' = W + alpha/R · B diag(E) A``; ``initial`` ranks fall to ``target`` ranks on average.

    Ranks stay for ``warmup`` steps, then change every ``every`` steps, and stay for the last ``rest`` steps.
    ``beta1`` smooths the sensitivity, ``beta2`` its uncertainty; ``orthogonal`` weighs the penalty.
    """

    target: int = 8
    initial: int = 12
    warmup: int = 0
    rest: int = 0
    every: int = 1
    beta1: float = 0.85
    beta2: float = 0.85
    orthogonal: float = 0.5
    alpha: int = 32
    dropout: float = 0.05

    names: ClassVar[Mapping[str, str]] = {
        "adalora_target_r": "target", "adalora_init_r": "initial", "adalora_tinit": "warmup", "adalora_tfinal": "rest",
        "adalora_deltaT": "every", "adalora_beta1": "beta1", "adalora_beta2": "beta2", "adalora_orth_reg_weight": "orthogonal",
        "lora_alpha": "alpha", "lora_dropout": "dropout",
    }  # fmt: skip

    def problems(self) -> list[str]:
        """What cannot be, as far as it shows without the number of steps."""
        wrong = not_a_count(self.of("target", "initial", "every")) + not_a_share(self.of("dropout", "beta1", "beta2"))
        wrong += not_positive([pair for pair in self.of("beta1", "beta2") if pair[1] == 0])
        wrong += [
            f"--{name} {value}: is 0 or more." for name, value in self.of("warmup", "rest", "orthogonal") if value < 0
        ]
        if self.target >= self.initial:
            wrong.append(
                f"--adalora_target_r {self.target}: must be below --adalora_init_r {self.initial}, from which ranks fall to it."
            )
        return wrong

    def problem_with(self, num_steps: int) -> str | None:
        """What is wrong with a run of so many steps: at least two of them must be left to change ranks in."""
        if num_steps - self.warmup - self.rest >= 2:
            return None
        return (
            f"--adalora_tinit {self.warmup}, --adalora_tfinal {self.rest}: no step is left for the ranks to fall in a run of"
            f" {num_steps} steps; two are the least. Lower them, or train longer."
        )
