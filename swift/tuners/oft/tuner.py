"""OFT (Qiu et al., 2023) through peft."""

from __future__ import annotations

from typing import Any

from peft import OFTConfig

from swift.tuners.base import TunerSettings
from swift.tuners.oft.config import OftSettings
from swift.tuners.peft_method import PeftMethod

__all__ = ["OftTuner"]


class OftTuner(PeftMethod):
    """``h = W (R x)`` with ``R`` orthogonal and block-diagonal: Cayley's transform of a skew-symmetric matrix a block."""

    peft_type = "OFT"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = OftSettings.read(settings.options)

    def config(self, model: Any, goes: dict[str, Any]) -> OFTConfig:
        """The transform is exact: its Neumann series would leave R a little off orthogonal."""
        return OFTConfig(
            r=0, oft_block_size=self._own.block_size, module_dropout=self._own.dropout, use_cayley_neumann=False, **goes
        )
