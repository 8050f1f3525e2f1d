"""Full tuning: which parameters are trained, and the whole model saved as transformers saves it."""

from __future__ import annotations

from typing import Any

from swift.tuners.base import TunerSettings
from swift.tuners.full.config import FullSettings
from swift.tuners.vision import inside, vision_names
from swift.tuners.whole import WholeModelTuner
from swift.utils.errors import PlanError
from swift.utils.registry import nearest

__all__ = ["FullTuner"]


class FullTuner(WholeModelTuner):
    """Trains the weights themselves."""

    def __init__(self, settings: TunerSettings) -> None:
        self._full = FullSettings.read(settings.options)

    def attach(self, model: Any) -> Any:
        """Freeze by share (in the order of the model's parameters, embeddings first), then by name and the vision part, then
        train by name.
        """
        full = self._full
        parameters = list(model.named_parameters())
        vision = vision_names(model) if full.frozen_vision else []
        budget = full.frozen_ratio * sum(parameter.numel() for _, parameter in parameters)
        for name, parameter in parameters:
            budget -= parameter.numel()
            below = full.frozen_ratio > 0 and budget >= 0
            frozen = below or name.startswith(full.frozen) or inside(name, vision)
            parameter.requires_grad_(not frozen or (bool(full.trained) and name.startswith(full.trained)))
        names = [name for name, _ in parameters]
        problems = [
            _no_match(flag, prefix, names)
            for flag, prefixes in (
                ("freeze_parameters", full.frozen),
                ("additional_trainable_parameters", full.trained),
            )
            for prefix in prefixes
            if not any(name.startswith(prefix) for name in names)
        ]
        if full.frozen_vision and not vision:
            problems.append(
                "--freeze_vit true: no part of this model is known as its vision part. Name it with --freeze_parameters."
            )
        if not problems and not any(parameter.requires_grad for _, parameter in parameters):
            problems.append("--freeze_parameters, --freeze_parameters_ratio: nothing is left to train. Freeze less.")
        if problems:
            raise PlanError(problems)
        return model


def _no_match(flag: str, prefix: str, names: list[str]) -> str:
    near = nearest(prefix, [*{".".join(name.split(".")[:3]) for name in names}, *names])
    hint = f" Did you mean {' or '.join(near)}?" if near else f" The first is {names[0]}, the last {names[-1]}."
    return f"--{flag} {prefix}: no parameter's name begins so.{hint}"
