"""What all methods that peft implements share: attach, save in peft's plain layout, load, merge. Knows no single method."""

from __future__ import annotations

import copy
import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from peft import PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.utils import load_peft_weights
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from swift.tuners.base import TunerSettings
from swift.tuners.precision import narrow, widen
from swift.tuners.targets import find_parameters, find_saved, find_targets
from swift.utils.errors import CheckpointError, PlanError

__all__ = ["CONFIG", "WEIGHTS", "PeftMethod", "adapter_tensors", "fitting", "quiet"]

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_SEEN_TO = (
    ".*tie_word_embeddings",  # see `PeftMethod.merge`
    "Initializing zero-element tensors is a no-op",  # factors of layers that AdaLoRA left no rank
    "Failed to load the CUDA extension",  # see `boft.tuner`
    "Setting boft_n_butterfly_factor to 1",
    "lora with eva initialization used with low_cpu_mem_usage",  # factors on the meta device could not be trained at once
    "Full backward hook is firing",  # LoRA-GA counts backward passes so; the first layer's inputs need no gradient
)


class PeftMethod(ABC):
    """One method of peft. A method says what its configuration is; the rest is here, and follows `swift.tuners.base.Tuner`."""

    peft_type: ClassVar[str]
    """What peft calls it in ``adapter_config.json``."""

    on_embeddings: ClassVar[bool] = False
    """Whether it adapts embeddings, too, not linear layers alone."""

    on_experts: ClassVar[bool] = False
    """Whether it adapts the weights of experts that are one tensor."""

    def __init__(self, settings: TunerSettings) -> None:
        self.settings = settings

    @abstractmethod
    def config(self, model: Any, goes: dict[str, Any]) -> PeftConfig:
        """The configuration; ``goes`` are the arguments that say where it goes, the same in every method."""

    def attach(self, model: Any) -> PeftModel:
        """Freeze the model and add what is trained. Raises PlanError for targets that match nothing or do not suit."""
        return self.attach_as(self.config(model, self.places(model)), model)

    def attach_as(self, config: PeftConfig, model: Any, *, autocast: bool = True) -> PeftModel:
        """Attach with this configuration. ``autocast``: the adapter is fp32 beside weights of half precision. What is trained
        in full always is.
        """
        try:
            with quiet():
                attached: PeftModel = get_peft_model(model, config, autocast_adapter_dtype=autocast)
        except (ValueError, AssertionError, TypeError) as error:
            raise PlanError([f"--sft_type {self.settings.sft_type}: {_first_line(error)}"]) from error
        widen(attached)
        return attached

    def places(self, model: Any) -> dict[str, Any]:
        """Where the method goes, as every configuration of peft takes it. Raises PlanError."""
        asked = self.settings
        targets = find_targets(model, asked.target_modules, asked.target_regex, asked.layers)
        saved = find_saved(model, asked.modules_to_save)
        both = [name for name in targets if name in saved]
        if both:
            raise PlanError(
                [f"--modules_to_save: {both[0]} is a target of the adapter as well. Name it in one of the two."]
            )
        experts = find_parameters(model, asked.target_modules, asked.layers)
        if experts and not self.on_experts:
            raise PlanError(
                [f"--target_modules: {experts[0]} holds the weights of all experts in one tensor, and {asked.sft_type} goes to"
                 " linear layers only. Name other targets, or use --sft_type lora."]
            )  # fmt: skip
        embeddings = [name for name in targets if isinstance(model.get_submodule(name), nn.Embedding)]
        if embeddings and not self.on_embeddings:
            raise PlanError(
                [f"--target_modules: {embeddings[0]} is an embedding, and {asked.sft_type} goes to linear layers only."
                 " Train it in full with --modules_to_save EMBEDDING, or use --sft_type lora."]
            )  # fmt: skip
        return {"task_type": "CAUSAL_LM", "target_modules": _short(model, targets), "modules_to_save": saved or None}

    def save(self, model: PeftModel, folder: Path) -> None:
        """Write ``adapter_config.json`` and ``adapter_model.safetensors``, as peft's own save does, without its model card."""
        self.write(folder, model.peft_config["default"], adapter_tensors(model))

    def write(self, folder: Path, config: PeftConfig, tensors: dict[str, torch.Tensor]) -> None:
        """Write these tensors under this configuration."""
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in _unshared(tensors)},
            folder / WEIGHTS,
            metadata={"format": "pt"},
        )
        told: Any = copy.copy(config)
        told.inference_mode = True  # peft's mark of an adapter that is not in training
        for field in ("target_modules", "feedforward_modules"):
            if isinstance(getattr(told, field, None), (set, list)):
                setattr(told, field, sorted(getattr(told, field)))  # the same file each time
        told.save_pretrained(str(folder))

    def load(self, model: Any, folder: Path, *, trainable: bool) -> PeftModel:
        """Lay a saved adapter over its base; for inference it takes the dtype of the weights beside it."""
        self.check(folder)
        return self.lay(model, folder, trainable=trainable)

    def lay(self, model: Any, folder: Path, *, trainable: bool, config: PeftConfig | None = None) -> PeftModel:
        """Let peft load it, with this configuration in place of the file's, if one is given."""
        with fitting(folder):
            loaded = PeftModel.from_pretrained(
                model, str(folder), config=config, is_trainable=trainable, autocast_adapter_dtype=trainable
            )
            if trainable and widen(loaded):  # what was read went through half precision
                set_peft_model_state_dict(loaded, load_peft_weights(str(folder), device="cpu"))
        return loaded

    def check(self, folder: Path) -> dict[str, Any]:
        """The adapter's configuration. Raises CheckpointError where the folder holds no whole adapter of this method."""
        file = folder / CONFIG
        if not file.is_file():
            raise CheckpointError(
                f"{folder}: holds no adapter ({CONFIG} is missing). Give a checkpoint-<step> folder of a"
                f" {self.settings.sft_type} run."
            )
        try:
            config = json.loads(file.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{file}: is damaged: {error}") from None
        if not (folder / WEIGHTS).is_file():
            hint = (
                " Only safetensors are read; load and save it once with peft."
                if (folder / "adapter_model.bin").is_file()
                else ""
            )
            raise CheckpointError(f"{folder}: {WEIGHTS} is missing.{hint}")
        if config.get("peft_type") != self.peft_type:
            raise CheckpointError(f"{file}: peft_type is {config.get('peft_type')!r}, {self.peft_type} was expected.")
        return dict(config)

    def merge(self, model: PeftModel) -> Any:
        """Fold the update into the weights, in place; returns the plain model.

        Tied embeddings of which one side was changed are untied: the change belongs to that side alone.
        """
        narrow(model)
        head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
        adapted = hasattr(embeddings, "base_layer") or hasattr(head, "base_layer")
        if adapted and head is not None and head.weight is embeddings.weight:
            plain = getattr(head, "base_layer", head)
            plain.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
        with quiet():
            merged = model.merge_and_unload()
        head, embeddings = merged.get_output_embeddings(), merged.get_input_embeddings()
        if head is not None and head.weight is not embeddings.weight:
            merged.config.tie_word_embeddings = False
        return merged

    def optimizer_groups(self, model: Any, learning_rate: float, weight_decay: float) -> list[dict[str, Any]] | None:
        """None: one rate for all."""
        return None

    def penalty(self, model: Any) -> torch.Tensor | None:
        """None: nothing is added to the loss."""
        return None

    def after_step(self, model: Any, step: int, num_steps: int) -> None:
        """Nothing."""
        return None


def adapter_tensors(model: PeftModel) -> dict[str, torch.Tensor]:
    """What an adapter's file holds, by the names it has there."""
    return dict(get_peft_model_state_dict(model, save_embedding_layers=False))


@contextmanager
def quiet() -> Iterator[None]:
    """Without those of peft's warnings that are seen to here."""
    with warnings.catch_warnings():
        for message in _SEEN_TO:
            warnings.filterwarnings("ignore", message=message)
        yield


@contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Read an adapter quietly. Raises CheckpointError where it does not fit the model it is laid over."""
    try:
        with quiet():
            warnings.filterwarnings("error", message="Found missing adapter keys")
            yield
    except (RuntimeError, ValueError, KeyError, AssertionError, UserWarning, SafetensorError) as error:
        line = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(f"{folder}: this adapter does not fit the model it is laid over: {line}") from error


def _short(model: Any, names: list[str]) -> list[str]:
    """Last parts instead of full names, where they mean the same modules: what peft users expect in the file."""
    last = list(dict.fromkeys(name.rpartition(".")[2] for name in names))
    meant = [name for name, _ in model.named_modules() if name.rpartition(".")[2] in last]
    return last if meant == names else names


def _unshared(state: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Safetensors refuses tensors that share memory (tied factors): each gets its own."""
    seen: set[int] = set()
    for name, tensor in state.items():
        yield name, tensor.clone() if tensor.data_ptr() in seen else tensor
        seen.add(tensor.data_ptr())


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
