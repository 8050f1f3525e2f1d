"""VeRA (Kopiczko et al., 2023) through peft."""

from __future__ import annotations

from typing import Any

from peft import VeraConfig

from swift.tuners.base import TunerSettings
from swift.tuners.peft_method import PeftMethod
from swift.tuners.vera.config import VeraSettings

__all__ = ["VeraTuner"]


class VeraTuner(PeftMethod):
    """``h = W x + b ⊙ B (d ⊙ A x)``: ``A`` (R, in) and ``B`` (out, R) are random, frozen and shared; ``d`` (R,) and ``b`` (out,) learn."""

    peft_type = "VERA"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = VeraSettings.read(settings.options)

    def config(self, model: Any, goes: dict[str, Any]) -> VeraConfig:
        """The projections are saved too: another machine's random numbers need not be these."""
        own = self._own
        return VeraConfig(
            r=own.rank, projection_prng_key=own.seed, vera_dropout=own.dropout, d_initial=own.d_initial,
            save_projection=True, **goes,
        )  # fmt: skip
