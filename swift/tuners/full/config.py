"""The settings of full tuning. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swift.utils.errors import PlanError

__all__ = ["FullSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FullSettings:
    """``frozen`` and ``trained`` are beginnings of parameter names; ``frozen_ratio`` a share (0 to 1) from the bottom up;
    ``frozen_vision``: the vision part stays as it is.
    """

    frozen: tuple[str, ...] = ()
    frozen_ratio: float = 0.0
    trained: tuple[str, ...] = ()
    frozen_vision: bool = False

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> FullSettings:
        """From the arguments; a single number in ``freeze_parameters`` is the ratio. Raises PlanError."""
        frozen = tuple(options.get("freeze_parameters", ()))
        ratio = float(options.get("freeze_parameters_ratio", 0.0))
        if len(frozen) == 1 and _is_number(frozen[0]):
            ratio, frozen = float(frozen[0]), ()
        if not 0 <= ratio <= 1:
            raise PlanError([f"--freeze_parameters_ratio {ratio}: a share from 0 to 1 is expected."])
        return cls(
            frozen=frozen,
            frozen_ratio=ratio,
            trained=tuple(options.get("additional_trainable_parameters", ())),
            frozen_vision=bool(options.get("freeze_vit", False)),
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
