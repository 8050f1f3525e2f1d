"""The settings of p-tuning (Liu et al., 2021). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from swift.tuners.settings import Settings, not_a_count

__all__ = ["PTuningSettings"]


@dataclass(frozen=True, kw_only=True)
class PTuningSettings(Settings):
    """``hidden`` is the width of the network, None: the model's."""

    tokens: int = 20
    hidden: int | None = None
    encoder: Literal["mlp", "lstm"] = "mlp"

    names: ClassVar[Mapping[str, str]] = {
        "num_virtual_tokens": "tokens", "prompt_encoder_size": "hidden", "p_tuning_encoder": "encoder",
    }  # fmt: skip

    def problems(self) -> list[str]:
        """What cannot be."""
        return not_a_count(self.of("tokens")) + (not_a_count(self.of("hidden")) if self.hidden is not None else [])
