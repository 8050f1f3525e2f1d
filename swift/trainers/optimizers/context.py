"""What the builders of our own optimizers are given besides groups. Knows no method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from swift.utils.errors import ArgumentError
from swift.utils.registry import unknown

__all__ = ["OptimizerContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerContext:
    """The model (for what its parameters are), Adam's constants, the seed and what ``--optim_args`` says."""

    model: Any
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    seed: int = 42
    given: Mapping[str, Any] = field(default_factory=dict)

    def options(
        self, defaults: Mapping[str, Any], choices: Mapping[str, tuple[str, ...]] | None = None
    ) -> dict[str, Any]:
        """The defaults with ``--optim_args`` laid over them, in the types of the defaults.

        Raises ArgumentError for a name that is not among them, and for a value of another type or outside ``choices``.
        """
        result = dict(defaults)
        for name, value in self.given.items():
            if name not in defaults:
                raise ArgumentError(f"--optim_args: {unknown('setting of this optimizer', name, defaults)}")
            kind = type(defaults[name])
            try:
                result[name] = value if kind is bool else kind(value)
            except (TypeError, ValueError):
                raise ArgumentError(
                    f"--optim_args {name} {value!r}: expected a value like {defaults[name]!r}"
                ) from None
            allowed = (choices or {}).get(name)
            if allowed and result[name] not in allowed:
                raise ArgumentError(f"--optim_args {name} {value!r}: is none of {', '.join(allowed)}")
        return result
