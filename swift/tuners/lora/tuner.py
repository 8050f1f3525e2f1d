"""LoRA and its relatives through peft: where the factors go, how they start, and files that fit the original weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import EvaConfig, LoraConfig, PeftModel

from swift.tuners.base import TunerSettings
from swift.tuners.lora.combine import add_up
from swift.tuners.lora.config import LoraSettings
from swift.tuners.lora.moved import difference, half_weights, hold_start, move_again, start_of, take_up
from swift.tuners.peft_method import PeftMethod, adapter_tensors
from swift.tuners.targets import find_parameters, find_targets
from swift.utils.errors import PlanError
from swift.utils.lazy import require

__all__ = ["LoraTuner"]

LOFTQ = {"loftq_bits": 4, "loftq_iter": 1}
"""One round: the coarse weights then depend on the weights alone, so that they come out the same when loaded again."""

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


class LoraTuner(PeftMethod):
    """``h = W x + scale · B A dropout(x)`` on the targeted modules; everything else is frozen."""

    peft_type = "LORA"
    on_embeddings = True
    on_experts = True

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = LoraSettings.read(settings.options)
        if self._own.init == "loftq":
            if not torch.cuda.is_available():
                raise PlanError(
                    [
                        "--init_lora_weights loftq: peft rounds to four bits on a GPU, and there is none here. Use true or pissa."
                    ]
                )
            require("scipy>=1.11")  # peft asks for it

    def config(self, model: Any, goes: dict[str, Any]) -> LoraConfig:
        """Raises PlanError for what experts, whose weights are one tensor, cannot have."""
        own, parameters = self._own, find_parameters(model, self.settings.target_modules, self.settings.layers)
        if parameters:
            _refuse_on_experts(own, parameters[0])
        return LoraConfig(
            r=own.rank,
            lora_alpha=own.alpha,  # type: ignore[arg-type]
            lora_dropout=own.dropout,
            bias=own.bias,
            use_dora=own.use_dora,
            use_rslora=own.use_rslora,
            init_lora_weights=own.init_value,  # type: ignore[arg-type]
            loftq_config=LOFTQ if own.init == "loftq" else {},
            eva_config=EvaConfig() if own.init == "eva" else None,
            target_parameters=parameters or None,
            ensure_weight_tying=_is_tied(model) and _touches_embeddings(model, goes["modules_to_save"] or ()),
            **goes,
        )

    def attach(self, model: Any) -> PeftModel:
        """Freeze the model and add the factors. The weights change only where PiSSA, OLoRA or LoftQ start from them."""
        asked = self.settings
        targets = find_targets(model, asked.target_modules, asked.target_regex, asked.layers)
        originals = half_weights(model, targets) if self._own.moves_weights else {}
        with _fixed_seed(active=self._own.changes_base):
            attached = self.attach_as(self.config(model, self.places(model)), model, autocast=self._own.dtype is None)
        if self._own.moves_weights:
            move_again(attached, originals)
            hold_start(attached)
        self._cast(attached)
        return attached

    @property
    def wants_data(self) -> bool:
        """Whether the factors start from activations (EVA)."""
        return self._own.init == "eva"

    def start_from(self, model: PeftModel, batches: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        """EVA: ``A`` becomes the main directions of the layer's inputs, and ranks go where they explain most."""
        from swift.tuners.lora.eva import start_from_activations

        start_from_activations(model, batches, self._own.rank)
        self._cast(model)

    def save(self, model: PeftModel, folder: Path) -> None:
        """Write an adapter for the original weights: what PiSSA and OLoRA moved is subtracted again (see `moved`)."""
        config: Any = model.peft_config["default"]
        tensors = adapter_tensors(model)
        start = start_of(model)
        if start is not None:
            config, tensors = difference(config, tensors, start)
        elif config.init_lora_weights == "eva":
            config = _told_as_plain(config)
        self.write(folder, config, tensors)

    def load(self, model: Any, folder: Path, *, trainable: bool) -> PeftModel:
        """As every adapter; one whose factors hold what was moved goes on training with the weights as they were then."""
        config = self.check(folder)
        if trainable and self._own.moves_weights and config["r"] == 2 * self._own.rank:
            plain = self.config(model, self.places(model))
            plain.init_lora_weights = True
            attached = self.attach_as(plain, model, autocast=self._own.dtype is None)
            take_up(attached, folder)
            self._cast(attached)
            return attached
        starts_from_base = str(config.get("init_lora_weights")).startswith(("pissa", "olora", "loftq"))
        with _fixed_seed(active=starts_from_base):
            loaded = super().load(model, folder, trainable=trainable)
        if trainable:
            self._cast(loaded)
        return loaded

    def load_combined(
        self,
        model: Any,
        folders: Sequence[Path],
        weights: Sequence[float],
        combination: str,
        *,
        density: float | None,
        seed: int,
    ) -> PeftModel:
        """Several saved adapters as one (see `combine`); their factors are fp32, whatever the model is."""
        for folder in folders[1:]:
            self.check(folder)
        first = super().load(model, folders[0], trainable=True)
        return add_up(first, folders[1:], weights, combination, density=density, seed=seed)

    def optimizer_groups(self, model: Any, learning_rate: float, weight_decay: float) -> list[dict[str, Any]] | None:
        """LoRA+ (Hayou et al., 2024): B learns ``lr_ratio`` times as fast as A; vectors do not decay."""
        ratio = self._own.lr_ratio
        if ratio is None:
            return None
        groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                rate = learning_rate * ratio if "lora_B" in name or "lora_embedding_B" in name else learning_rate
                groups.setdefault((rate, weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
        return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]

    def _cast(self, model: PeftModel) -> None:
        """Give the factors the dtype that was asked for."""
        if self._own.dtype is not None:
            for name, parameter in model.named_parameters():
                if "lora_" in name:
                    parameter.data = parameter.data.to(_DTYPES[self._own.dtype])


def _refuse_on_experts(own: LoraSettings, parameter: str) -> None:
    """The product of the factors is added to all experts' weights at once: what acts on one layer's input cannot be."""
    wrong = [
        f"--{flag}: {parameter} holds the weights of all experts in one tensor, where it is not possible. {instead}"
        for flag, given, instead in (
            (f"lora_dropout {own.dropout}", own.dropout > 0, "Use --lora_dropout 0."),
            ("use_dora true", own.use_dora, "Leave one of them out."),
            (f"init_lora_weights {own.init}", own.init not in ("true", "false", "gaussian"), "Use true or gaussian."),
        )
        if given
    ]
    if wrong:
        raise PlanError(wrong)


def _told_as_plain(config: LoraConfig) -> LoraConfig:
    """The configuration for readers: the factors are in the file, nothing is to be measured again."""
    import copy

    told = copy.copy(config)
    told.init_lora_weights, told.eva_config = True, None
    return told


def _is_tied(model: Any) -> bool:
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    return head is not None and head.weight is embeddings.weight


def _touches_embeddings(model: Any, names: Iterable[str]) -> bool:
    ends = (model.get_output_embeddings(), model.get_input_embeddings())
    return any(model.get_submodule(name) in ends for name in names)


@contextmanager
def _fixed_seed(*, active: bool) -> Iterator[None]:
    """PiSSA's fast decomposition draws random numbers; the base weights it leaves must be the same when loaded again."""
    if not active:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
