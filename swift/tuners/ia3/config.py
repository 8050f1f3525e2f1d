"""The settings of IA3 (Liu et al., 2022). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings

__all__ = ["Ia3Settings"]


@dataclass(frozen=True, kw_only=True)
class Ia3Settings(Settings):
    """``feedforward``: names of the targets whose input is scaled instead of their output."""

    feedforward: tuple[str, ...] = ()

    names: ClassVar[Mapping[str, str]] = {"ia3_feedforward_modules": "feedforward"}
