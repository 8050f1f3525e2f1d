"""LoRA and its relatives through peft: where the factors go, how they start, and files that fit the original weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import EvaConfig, LoraConfig, PeftConfig, PeftModel

from swift.tuners.base import TunerSettings
from swift.tuners.lora.combine import add_up
from swift.tuners.lora.config import FROM_DATA, LoraSettings
from swift.tuners.lora.loftq import SETTINGS, round_base, start_from_loss
from swift.tuners.lora.moved import difference, half_weights, hold_start, move_again, start_of, take_up
from swift.tuners.lora.older import as_peft
from swift.tuners.lora.restarts import begin_anew, prune, rounds_of, side_by_side, take_up_rounds
from swift.tuners.peft_method import PeftMethod, adapter_tensors
from swift.tuners.targets import find_parameters, find_targets
from swift.utils.errors import PlanError
from swift.utils.lazy import require

__all__ = ["LoraTuner"]

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
            require("bitsandbytes>=0.46", extra="quant")

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
            eva_config=EvaConfig() if own.init == "eva" else None,
            target_parameters=parameters or None,
            ensure_weight_tying=_is_tied(model) and _touches_embeddings(model, goes["modules_to_save"] or ()),
            **goes,
        )

    def attach(self, model: Any) -> PeftModel:
        """Freeze the model and add the factors. The weights change only where PiSSA, OLoRA or LoftQ start from them."""
        config = self.config(model, self.places(model))
        if self._own.restart_every is not None:
            self._refuse_restarts(model)
        if self._own.init in FROM_DATA:
            attached = self.attach_as(config, model, autocast=self._own.dtype is None)  # and then `start_from`
        else:
            with _fixed_seed(active=self._own.moves_weights):
                attached = self._attach_moving(config, model)
        if self._own.init == "loftq":
            start_from_loss(attached)
        self._cast(attached)
        return attached

    def _attach_moving(self, config: LoraConfig, model: Any) -> PeftModel:
        """Attach; what moves from the weights into the factors is noted, and exact beside half precision."""
        asked = self.settings
        targets = find_targets(model, asked.target_modules, asked.target_regex, asked.layers)
        originals = half_weights(model, targets) if self._own.moves_weights else {}
        attached = self.attach_as(config, model, autocast=self._own.dtype is None)
        if self._own.moves_weights:
            move_again(attached, originals)
            hold_start(attached)
        return attached

    @property
    def wants_data(self) -> bool:
        """Whether the factors start from activations or gradients (EVA, CorDA, LoRA-GA)."""
        return self._own.init in FROM_DATA

    def start_from(self, model: PeftModel, batches: Callable[[bool], Iterable[Mapping[str, Any]]]) -> PeftModel:
        """EVA: ``A`` becomes the main directions of the layer's inputs, and ranks go where they explain most.

        CorDA and LoRA-GA: factors and weights of a new adapter on the same model (see `from_data`).
        """
        from swift.tuners.lora.eva import start_from_activations
        from swift.tuners.lora.from_data import measure

        if self._own.init == "eva":
            start_from_activations(model, batches(True), self._own.rank)
        else:
            plain, config = measure(model, self._own.init, batches(self._own.init == "corda"))
            with _fixed_seed(active=True):
                model = self._attach_moving(config, plain)
        self._cast(model)
        return model

    def restart(self, model: PeftModel, optimizer: Any, step: int, num_steps: int) -> None:
        """ReLoRA, every ``relora_steps`` steps but the last one of the run (see `restarts`)."""
        every = self._own.restart_every
        if every is not None and step % every == 0 and step < num_steps:
            prune(optimizer.state, begin_anew(model, self._own.init_value), self._own.prune)

    def _refuse_restarts(self, model: Any) -> None:
        asked = self.settings
        targets = find_targets(model, asked.target_modules, asked.target_regex, asked.layers)
        ends = (model.get_input_embeddings(), model.get_output_embeddings() if _is_tied(model) else None)
        odd = [name for name in targets if model.get_submodule(name) in ends]
        odd += find_parameters(model, asked.target_modules, asked.layers)
        if odd:
            raise PlanError(
                [f"--relora_steps: {odd[0]} is no plain linear layer (an embedding, a head that shares its weight, or experts in one"
                 " tensor), into which the factors could go. Name other targets, or leave it out."]
            )  # fmt: skip

    def save(self, model: PeftModel, folder: Path) -> None:
        """Write an adapter for the original weights: what PiSSA and its like moved is subtracted again (see `moved`), what went into
        the weights since is added (see `restarts`).
        """
        config: Any = model.peft_config["default"]
        tensors = adapter_tensors(model)
        start = start_of(model)
        if start is not None:
            config, tensors = difference(config, tensors, start)
        elif rounds := rounds_of(model):
            config, tensors = side_by_side(config, tensors, rounds)
        elif self._own.init == "loftq":
            config = copy.copy(config)
            config.init_lora_weights, config.loftq_config = "loftq", SETTINGS
        elif config.init_lora_weights == "eva":
            config = _told_as_plain(config)
        self.write(folder, config, tensors)

    def load(self, model: Any, folder: Path, *, trainable: bool) -> PeftModel:
        """As every adapter; one whose factors hold what was moved goes on training with the weights as they were then.

        One in the older own layout is read as well (see `older`).
        """
        with as_peft(folder) as plain:
            return self._load(model, plain, trainable=trainable)

    def _load(self, model: Any, folder: Path, *, trainable: bool) -> PeftModel:
        config = self.check(folder)
        moved = self._own.moves_weights and config["r"] == 2 * self._own.rank
        if trainable and (moved or (self._own.restart_every is not None and config["r"] != self._own.rank)):
            plain = self.config(model, self.places(model))
            plain.init_lora_weights = True
            attached = self.attach_as(plain, model, autocast=self._own.dtype is None)
            if moved:
                take_up(attached, folder)
            else:
                take_up_rounds(attached, folder, config)
            self._cast(attached)
            return attached
        start = str(config.get("init_lora_weights"))
        if start == "loftq":  # peft would round again, on a GPU
            read: Any = PeftConfig.from_peft_type
            begins = read(**{**config, "init_lora_weights": True, "loftq_config": {}})
            loaded = self.lay(model, folder, trainable=trainable, config=begins)
            round_base(loaded)
        else:
            with _fixed_seed(active=start.startswith(("pissa", "olora"))):
                loaded = self.lay(model, folder, trainable=trainable)
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
        with ExitStack() as held:
            plain = [held.enter_context(as_peft(folder)) for folder in folders]
            for folder in plain[1:]:
                self.check(folder)
            first = super().load(model, plain[0], trainable=True)
            return add_up(first, plain[1:], weights, combination, density=density, seed=seed)

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
