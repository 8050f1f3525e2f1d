"""What methods share that add trained modules of their own to a frozen model: attach, save, load, and no merge.

The checkpoint is laid out as peft lays out its own (``adapter_config.json``, ``adapter_model.safetensors``), with a
``peft_type`` that peft does not have: it is read here only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from swift.tuners.base import TunerSettings
from swift.utils.errors import CheckpointError, NotBuiltError, PlanError

__all__ = ["AddedModules"]

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


class AddedModules:
    """The base of such a method: ``kind`` is its name in the file, ``part`` the class of the modules that it adds.

    Such a module carries the settings that it was made with as ``options``: those of a checkpoint that a run goes on from
    may differ from the run's own.
    """

    kind: ClassVar[str]
    part: ClassVar[type[nn.Module]]

    def __init__(self, settings: TunerSettings) -> None:
        self._options = dict(settings.options)
        self.check(self._options)

    def check(self, options: Mapping[str, Any]) -> None:
        """Raise PlanError for settings that cannot be."""
        raise NotImplementedError

    def add(self, model: Any, options: Mapping[str, Any]) -> None:
        """Put modules of class ``part`` into the model, in fp32 on the device of what they stand beside."""
        raise NotImplementedError

    def attach(self, model: Any) -> Any:
        """Freeze the model and add the modules; only they are trained."""
        return self._attach(model, self._options)

    def _attach(self, model: Any, options: Mapping[str, Any]) -> Any:
        model.requires_grad_(False)
        self.add(model, options)
        for _, module in self._parts(model):
            module.requires_grad_(True)
            module.options = dict(options)
        return model

    def save(self, model: Any, folder: Path) -> None:
        """Write what was added, and the settings that it was made with."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self._own(model).items()}
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
        told = {
            "peft_type": self.kind,
            "base_model_name_or_path": getattr(model, "name_or_path", None) or None,
            "options": next(module.options for _, module in self._parts(model)),
        }
        (folder / CONFIG).write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    def load(self, model: Any, folder: Path, *, trainable: bool) -> Any:
        """Add modules of the saved settings to the base, and give them the saved values."""
        options, tensors = _read(folder, self.kind)
        try:
            self.check(options)
            self._attach(model, options)
        except PlanError as error:
            raise CheckpointError(
                f"{folder}: does not fit the model it is laid over: {'; '.join(error.problems)}"
            ) from error
        own = self._own(model)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        wanted = {name: tuple(parameter.shape) for name, parameter in own.items()}
        if shapes != wanted:
            odd = next(name for name in (*wanted, *shapes) if wanted.get(name) != shapes.get(name))
            raise CheckpointError(
                f"{folder}: does not fit the model it is laid over: {odd} is {shapes.get(odd, 'not there')} in the file and"
                f" {wanted.get(odd, 'not there')} in the model."
            )
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(tensors[name])
                parameter.requires_grad_(trainable)
        return model

    def merge(self, model: Any) -> Any:
        """Refused: what such a module does is no change of a weight."""
        raise NotBuiltError(
            f"a checkpoint of kind {self.kind.lower()} cannot be merged: its modules work between the layers. Answer with it as"
            " it is: swift infer --ckpt_dir."
        )

    def optimizer_groups(self, model: Any, learning_rate: float, weight_decay: float) -> None:
        """None: one rate for all."""

    def penalty(self, model: Any) -> None:
        """None: nothing is added to the loss."""

    def after_step(self, model: Any, step: int, num_steps: int) -> None:
        """Nothing."""

    def _parts(self, model: Any) -> list[tuple[str, Any]]:
        return [(name, module) for name, module in model.named_modules() if isinstance(module, self.part)]

    def _own(self, model: Any) -> dict[str, nn.Parameter]:
        return {
            f"{prefix}.{name}": parameter
            for prefix, module in self._parts(model)
            for name, parameter in module.named_parameters()
        }


def _read(folder: Path, kind: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Settings and tensors of a checkpoint. Raises CheckpointError where it holds none, or one of another kind."""
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder}: holds no adapter ({name} is missing). Give a checkpoint-<step> folder.")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        found, options = config.get("peft_type"), config.get("options", {})
        tensors = load_file(folder / WEIGHTS)
    except (ValueError, AttributeError, OSError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: {CONFIG} or {WEIGHTS} is damaged: {error}") from None
    if found != kind:
        raise CheckpointError(f"{folder / CONFIG}: peft_type is {found!r}, {kind} was expected.")
    return options, tensors
