"""The settings of prompt tuning (Lester et al., 2021). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from swift.tuners.settings import Settings, not_a_count

__all__ = ["PromptSettings"]


@dataclass(frozen=True, kw_only=True)
class PromptSettings(Settings):
    """``tokens`` virtual tokens start as tokens of the vocabulary, as random values, or as those of ``text``."""

    tokens: int = 20
    init: Literal["vocab", "random"] = "vocab"
    text: str | None = None

    names: ClassVar[Mapping[str, str]] = {
        "num_virtual_tokens": "tokens", "prompt_init": "init", "prompt_init_text": "text",
    }  # fmt: skip

    def problems(self) -> list[str]:
        """What cannot be."""
        wrong = not_a_count(self.of("tokens"))
        if self.text is not None and not self.text.strip():
            wrong.append("--prompt_init_text: is empty. Write a task in words, or leave it out.")
        return wrong
