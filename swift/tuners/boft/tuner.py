"""BOFT (Liu et al., 2023) through peft."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from peft import BOFTConfig
from peft.tuners.boft.layer import get_fbd_cuda

from swift.tuners.base import TunerSettings
from swift.tuners.boft.config import BoftSettings
from swift.tuners.peft_method import PeftMethod, quiet
from swift.utils.errors import PlanError

__all__ = ["BoftTuner"]


class BoftTuner(PeftMethod):
    """``h = (R W) x`` with ``R`` a product of butterfly factors, each of orthogonal blocks on its diagonal (by Cayley's transform)."""

    peft_type = "BOFT"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = BoftSettings.read(settings.options)

    def config(self, model: Any, goes: dict[str, Any]) -> BOFTConfig:
        """Its layer checks whether the blocks divide the width. Raises PlanError for factors that peft would leave out."""
        if self._own.num_factors > 1 and not _has_extension():
            raise PlanError(
                [f"--boft_n_butterfly_factor {self._own.num_factors}: more than one needs peft's CUDA extension, which nvcc and"
                 " ninja build where there is a GPU. Leave it out."]
            )  # fmt: skip
        size, number = self._own.block
        return BOFTConfig(
            boft_block_size=size, boft_block_num=number, boft_n_butterfly_factor=self._own.num_factors,
            boft_dropout=self._own.dropout, **goes,
        )  # fmt: skip


def _has_extension() -> bool:
    """Whether peft's kernel for several factors is there, or can be built now; building it talks."""
    with quiet(), redirect_stdout(StringIO()):
        return get_fbd_cuda() is not None  # type: ignore[no-untyped-call]
