"""LoRA adapters by name in an open model: read from a folder, checked, laid beside its layers, taken away again.

A name is a label only; a folder is what an administrator gave. Only safetensors are read. Knows no scheduler.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from swift.llm.engine.linear import Delta, ServedLinear, Serving
from swift.utils.errors import EngineError

__all__ = ["Layers"]

_CONFIG, _WEIGHTS, _PREFIX = "adapter_config.json", "adapter_model.safetensors", "base_model.model."
# What changes more than two factors beside a linear layer can; peft 0.21's names.
_REFUSED = (
    "use_dora", "use_qalora", "use_bdlora", "lora_bias", "modules_to_save", "target_parameters", "trainable_token_indices",
    "layer_replication", "megatron_config", "alora_invocation_tokens", "arrow_config", "monteclora_config",
)  # fmt: skip
_FROM_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


class Layers:
    """The linear layers of one open model, and what each adapter adds to them.

    ``causal`` is the model without peft's outer classes, ``configs`` peft's of what it was opened with. `put_back` leaves it
    as it was. ``refusal``: why adapters by name cannot be laid beside what it was opened with, or None.
    """

    def __init__(self, causal: Any, configs: Iterable[Any] = ()) -> None:
        self._causal = causal
        self.serving = Serving()
        self._served: dict[str, ServedLinear] = {}
        self.refusal = self._open()
        for config in configs:
            strange = str(getattr(config, "init_lora_weights", "")).startswith(_FROM_BASE)
            if strange or getattr(config, "bias", "none") != "none":
                self.refusal = "the model was opened with an adapter that changes its own weights"

    def _open(self) -> str | None:
        """Put ours in; returns the refusal."""
        from peft.tuners.lora import LoraLayer
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils.other import AuxiliaryTrainingWrapper

        refusal, inside = None, ""
        for name, module in list(self._causal.named_modules()):
            if inside and name.startswith(inside):
                continue
            opened = _opened(module) if isinstance(module, LoraLayer) else None
            if opened is not None:
                self._place(name, module, module.get_base_layer()).deltas[None] = opened
                inside = name + "."
            elif isinstance(module, BaseTunerLayer | AuxiliaryTrainingWrapper):
                inside = name + "."
                refusal = f"the model was opened with an adapter that has {type(module).__name__} layers"
            elif type(module) is nn.Linear:
                self._place(name, module, module)
            elif name and type(module).__module__.startswith("swift.tuners."):
                inside = name + "."
                refusal = f"the model was opened with an adapter that has {type(module).__name__} modules"
        return refusal

    def _place(self, name: str, own: nn.Module, base: nn.Module) -> ServedLinear:
        served = ServedLinear(own, base, self.serving)
        served.train(own.training)
        self._served[name] = served
        self._causal.set_submodule(name, served)
        return served

    def put_back(self) -> None:
        """Give the model its own layers back."""
        for name, served in self._served.items():
            self._causal.set_submodule(name, served.own)
        self._served = {}

    def add(self, number: int, folder: str) -> None:
        """Lay the adapter in ``folder`` beside the layers as ``number``. Raises EngineError; nothing is changed then."""
        if self.refusal is not None:
            raise EngineError(f"{self.refusal}: no other can be loaded beside it. Merge it into the model first.")
        found = {}
        for name, delta in _read(Path(folder), self._causal):
            module = self._causal.get_submodule(name)
            base = module.base if isinstance(module, ServedLinear) else module
            _check(Path(folder), name, base, delta)
            device = next(base.parameters()).device
            found[name] = Delta(
                delta.down.to(device, self._causal.dtype), delta.up.to(device, self._causal.dtype)
            )  # as peft does for inference: the dtype of the weights beside it
        for name, delta in found.items():
            served = self._served.get(name) or self._place(name, *2 * (self._causal.get_submodule(name),))
            served.deltas[number] = (delta,)

    def remove(self, number: int) -> None:
        """Forget an adapter's factors."""
        for served in self._served.values():
            served.deltas.pop(number, None)


def _opened(module: Any) -> tuple[Delta, ...] | None:
    """The factors of peft's active adapters in one layer; None where they are more than two factors."""
    names = [] if module.disable_adapters else [name for name in module.active_adapters if name in module.lora_A]
    is_plain = not module.merged and not module.lora_embedding_A and not getattr(module, "parameter_name", None)
    if not is_plain or any(module.use_dora.get(name) or module.lora_bias.get(name) for name in names):
        return None
    if set(module.lora_variant) & set(names) or not all(type(module.lora_A[name]) is nn.Linear for name in names):
        return None
    return tuple(
        Delta(module.lora_A[name].weight.detach(), module.lora_B[name].weight.detach() * module.scaling[name])
        for name in names
    )


def _read(folder: Path, causal: Any) -> Iterator[tuple[str, Delta]]:
    """Each layer's name and factors."""
    from peft.utils.other import get_pattern_key

    file = folder / _CONFIG
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise EngineError(f"{file}: an adapter's configuration is expected: {error}.") from None
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else None
        raise EngineError(f"{file}: peft_type is {kind!r}; adapters by name are LoRA ones. Merge it, or open it alone.")
    strange = [name for name in _REFUSED if config.get(name)]
    strange += ["bias"] if config.get("bias", "none") != "none" else []
    strange += ["init_lora_weights"] if str(config.get("init_lora_weights")).startswith(_FROM_BASE) else []
    if strange:
        given = ", ".join(f"{name} {config[name]!r}" for name in strange)
        raise EngineError(f"{file}: {given}: only plain LoRA can be mixed with others. Merge it, or open it alone.")
    tensors: dict[str, torch.Tensor] = {}
    try:
        with safe_open(str(folder / _WEIGHTS), "pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise EngineError(f"{folder / _WEIGHTS}: weights as safetensors are expected: {error}.") from None
    known = {name for name, _ in causal.named_modules()}
    for key, down in tensors.items():
        name = key.removeprefix(_PREFIX).removesuffix(".lora_A.weight")
        if not key.endswith((".lora_A.weight", ".lora_B.weight")) or not key.startswith(_PREFIX):
            raise EngineError(f"{folder / _WEIGHTS}: {key} is no factor of a linear layer.")
        if key.endswith(".lora_B.weight"):
            continue
        up = tensors.get(f"{_PREFIX}{name}.lora_B.weight")
        if name not in known or up is None:
            raise EngineError(f"{folder}: {name} is not a layer of this model, or one of its factors is missing.")
        alphas = config.get("alpha_pattern") or {}
        alpha = float(alphas.get(get_pattern_key(list(alphas), name)) or config["lora_alpha"])
        rank = float(down.shape[0])
        yield name, Delta(down, up * (alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)))


def _check(folder: Path, name: str, base: Any, delta: Delta) -> None:
    if ".experts." in f".{name}.":
        raise EngineError(
            f"{folder}: {name} is an expert, which sees tokens in another order. Merge it, or open it alone."
        )
    widths = (
        getattr(base, "in_features", getattr(base, "nx", None)),
        getattr(base, "out_features", getattr(base, "nf", None)),
    )
    if isinstance(base, nn.Embedding) or widths != (delta.down.shape[1], delta.up.shape[0]):
        raise EngineError(
            f"{folder}: {name} of this model takes {widths[0]} and gives {widths[1]}, the adapter's factors"
            f" {delta.down.shape[1]} and {delta.up.shape[0]}. It was trained on another model."
        )
