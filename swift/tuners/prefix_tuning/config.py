"""The settings of prefix tuning (Li and Liang, 2021). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count

__all__ = ["PrefixSettings"]


@dataclass(frozen=True, kw_only=True)
class PrefixSettings(Settings):
    """``projection``: keys and values are made by a network of width ``hidden`` (None: the model's) while they are learned."""

    tokens: int = 20
    projection: bool = False
    hidden: int | None = None

    names: ClassVar[Mapping[str, str]] = {
        "num_virtual_tokens": "tokens", "prefix_projection": "projection", "prompt_encoder_size": "hidden",
    }  # fmt: skip

    def problems(self) -> list[str]:
        """What cannot be."""
        wrong = not_a_count(self.of("tokens"))
        if self.hidden is not None:
            wrong += not_a_count(self.of("hidden"))
            if not self.projection:
                wrong.append("--prompt_encoder_size: has an effect only with --prefix_projection true. Add that.")
        return wrong
