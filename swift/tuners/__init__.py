"""Tuning methods, one folder each, behind one protocol. Which class a name means is said by the catalog's rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from swift.tuners.base import Tuner, TunerSettings
from swift.utils.errors import NotBuiltError
from swift.utils.lazy import load as load_object

__all__ = ["Tuner", "TunerSettings", "attach", "load", "open_tuner", "save_model"]


def open_tuner(settings: TunerSettings) -> Tuner:
    """The method of these settings. Raises NotBuiltError where this version does not have it."""
    if settings.code is None:
        raise NotBuiltError(
            f"--sft_type {settings.sft_type}: this method is not in this version. `swift list tuners` shows which are."
        )
    tuner: Tuner = load_object(settings.code)(settings)
    return tuner


def attach(settings: TunerSettings, model: Any) -> Any:
    """Return the model ready to train with this method."""
    return open_tuner(settings).attach(model)


def load(settings: TunerSettings, model: Any, folder: Path, *, trainable: bool = False) -> Any:
    """Lay what a checkpoint folder holds over its base model."""
    return open_tuner(settings).load(model, folder, trainable=trainable)


def save_model(settings: TunerSettings, model: Any) -> Callable[[Path], None]:
    """What a trainer calls to save ``model``: it writes the trained part into the folder it is given."""
    tuner = open_tuner(settings)
    return lambda folder: tuner.save(model, folder)
