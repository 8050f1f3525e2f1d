"""LoRA through peft: attach, save in plain peft layout, load, merge."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import save_file

from swift.tuners.base import TunerSettings
from swift.tuners.lora.config import LoraSettings
from swift.tuners.targets import find_saved, find_targets
from swift.utils.errors import CheckpointError, PlanError

__all__ = ["LoraTuner"]

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


class LoraTuner:
    """``h = W x + scale · B A dropout(x)`` on the targeted modules; everything else is frozen."""

    def __init__(self, settings: TunerSettings) -> None:
        self._settings = settings
        self._lora = LoraSettings.read(settings.options)

    def attach(self, model: Any) -> PeftModel:
        """Freeze the model and add the factors. The model's weights change only where PiSSA or OLoRA start from them."""
        config = self._config(model)
        with _fixed_seed(active=self._lora.changes_base), _quiet_about_ties():
            peft_model = get_peft_model(model, config, autocast_adapter_dtype=self._lora.dtype is None)
        if self._lora.dtype is not None:
            for name, parameter in peft_model.named_parameters():
                if "lora_" in name:
                    parameter.data = parameter.data.to(_DTYPES[self._lora.dtype])
        return peft_model

    def save(self, model: PeftModel, folder: Path) -> None:
        """Write ``adapter_config.json`` and ``adapter_model.safetensors``, as peft's own save does, without its model card."""
        config = model.peft_config["default"]
        state = get_peft_model_state_dict(model, save_embedding_layers=False)
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in _unshared(state)},
            folder / WEIGHTS,
            metadata={"format": "pt"},
        )
        told: Any = copy.copy(config)
        told.inference_mode = True  # peft's mark of an adapter that is not in training
        if isinstance(told.target_modules, set):
            told.target_modules = sorted(told.target_modules)  # the same file each time
        told.save_pretrained(str(folder))

    def load(self, model: Any, folder: Path, *, trainable: bool) -> PeftModel:
        """Lay a saved adapter over its base; for inference its factors take the dtype of the weights beside them."""
        check_adapter(folder)
        config = LoraConfig.from_pretrained(str(folder))
        try:
            with _fixed_seed(active=str(config.init_lora_weights).startswith(("pissa", "olora"))), _quiet_about_ties():
                return PeftModel.from_pretrained(
                    model, str(folder), is_trainable=trainable, autocast_adapter_dtype=trainable
                )
        except (RuntimeError, ValueError, SafetensorError) as error:
            line = str(error).strip().splitlines()[-1].strip()
            raise CheckpointError(f"{folder}: this adapter does not fit the model it is laid over: {line}") from error

    def merge(self, model: PeftModel) -> Any:
        """``W' = W + scale · B A`` in place; returns the plain model.

        Tied embeddings of which one side has an adapter are untied first: the update belongs to that side alone.
        """
        head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
        adapted = hasattr(embeddings, "base_layer") or hasattr(head, "base_layer")
        if adapted and head is not None and head.weight is embeddings.weight:
            plain = getattr(head, "base_layer", head)
            plain.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)
            model.config.tie_word_embeddings = False
        return model.merge_and_unload()

    def optimizer_groups(self, model: Any, learning_rate: float, weight_decay: float) -> list[dict[str, Any]] | None:
        """LoRA+ (Hayou et al., 2024): B learns ``lr_ratio`` times as fast as A; vectors do not decay."""
        ratio = self._lora.lr_ratio
        if ratio is None:
            return None
        groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                rate = learning_rate * ratio if "lora_B" in name or "lora_embedding_B" in name else learning_rate
                groups.setdefault((rate, weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
        return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]

    def penalty(self, model: Any) -> None:
        """None: LoRA adds nothing to the loss."""

    def after_step(self, model: Any, step: int, num_steps: int) -> None:
        """Nothing: the factors keep their rank."""

    def _config(self, model: Any) -> LoraConfig:
        settings, lora = self._settings, self._lora
        targets = find_targets(model, settings.target_modules, settings.target_regex)
        saved = find_saved(model, settings.modules_to_save)
        both = [name for name in targets if name in saved]
        if both:
            raise PlanError(
                [f"--modules_to_save: {both[0]} is a target of the adapter as well. Name it in one of the two."]
            )
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=lora.rank,
            lora_alpha=lora.alpha,  # type: ignore[arg-type]
            lora_dropout=lora.dropout,
            bias=lora.bias,
            target_modules=_short(model, targets),
            modules_to_save=saved or None,
            use_dora=lora.use_dora,
            use_rslora=lora.use_rslora,
            init_lora_weights=lora.init_value,  # type: ignore[arg-type]
            ensure_weight_tying=_is_tied(model) and _touches_embeddings(model, saved),
        )
        return config


def check_adapter(folder: Path) -> dict[str, Any]:
    """The adapter's configuration. Raises CheckpointError where the folder holds no whole peft adapter."""
    file = folder / CONFIG
    if not file.is_file():
        raise CheckpointError(
            f"{folder}: holds no adapter ({CONFIG} is missing). Give a checkpoint-<step> folder of a LoRA run."
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
    if config.get("peft_type") != "LORA":
        raise CheckpointError(f"{file}: peft_type is {config.get('peft_type')!r}, LORA was expected.")
    return dict(config)


def _short(model: Any, names: list[str]) -> list[str]:
    """Last parts instead of full names, where they mean the same modules: what peft users expect in the file."""
    last = list(dict.fromkeys(name.rpartition(".")[2] for name in names))
    meant = [name for name, _ in model.named_modules() if name.rpartition(".")[2] in last]
    return last if meant == names else names


def _is_tied(model: Any) -> bool:
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    return head is not None and head.weight is embeddings.weight


def _touches_embeddings(model: Any, names: list[str]) -> bool:
    ends = (model.get_output_embeddings(), model.get_input_embeddings())
    return any(model.get_submodule(name) in ends for name in names)


def _unshared(state: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Safetensors refuses tensors that share memory (tied factors): each gets its own."""
    seen: set[int] = set()
    for name, tensor in state.items():
        yield name, tensor.clone() if tensor.data_ptr() in seen else tensor
        seen.add(tensor.data_ptr())


@contextmanager
def _quiet_about_ties() -> Iterator[None]:
    """peft warns that merging an adapter of tied embeddings goes wrong; `LoraTuner.merge` sees to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tie_word_embeddings")
        yield


@contextmanager
def _fixed_seed(*, active: bool) -> Iterator[None]:
    """PiSSA's fast decomposition draws random numbers; the base weights it leaves must be the same when loaded again."""
    if not active:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
