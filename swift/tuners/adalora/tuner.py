"""AdaLoRA (Zhang et al., 2023) through peft: its rank allocator, its penalty, and a state that goes on exactly."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import AdaLoraConfig, PeftModel, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from swift.tuners.adalora.config import AdaloraSettings
from swift.tuners.base import TunerSettings
from swift.tuners.peft_method import WEIGHTS, PeftMethod
from swift.utils.errors import CheckpointError, PlanError

__all__ = ["AdaloraTuner"]

STATE = "tuner_state.safetensors"
"""Beside the adapter: all triplets, those at zero as well, since they may come back, and the smoothed importance of each entry."""

_UNKNOWN_STEPS = 1 << 40  # peft wants a number before it is known; `begin` sets it


class AdaloraTuner(PeftMethod):
    """``W' = W + alpha/R · B diag(E) A``; entries of ``E`` (R, 1) of the least important triplets are set to zero."""

    peft_type = "ADALORA"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = AdaloraSettings.read(settings.options)

    def config(self, model: Any, goes: dict[str, Any]) -> AdaLoraConfig:
        """The number of steps is not known yet."""
        own = self._own
        return AdaLoraConfig(
            init_r=own.initial, target_r=own.target, tinit=own.warmup, tfinal=own.rest, deltaT=own.every, beta1=own.beta1,
            beta2=own.beta2, orth_reg_weight=own.orthogonal, lora_alpha=own.alpha, lora_dropout=own.dropout,
            total_step=_UNKNOWN_STEPS, **goes,
        )  # fmt: skip

    def attach(self, model: Any) -> PeftModel:
        """As every method; the count of ranks, a parameter in peft, is never trained."""
        attached = super().attach(model)
        for name, parameter in attached.named_parameters():
            if ".ranknum." in name:
                parameter.requires_grad_(False)
        return attached

    def begin(self, model: Any, num_steps: int) -> None:
        """Tell the allocator how long the run is. Raises PlanError where no step is left to change ranks in."""
        problem = self._own.problem_with(num_steps)
        if problem is not None:
            raise PlanError([problem])
        model.base_model.rankallocator.set_total_step(num_steps)

    def penalty(self, model: Any) -> torch.Tensor:
        """``weight · mean over all A and B of ‖A Aᵀ - I‖`` (of B: ``‖Bᵀ B - I‖``): the factors are to stay orthogonal."""
        distances = []
        for name, factor in model.named_parameters():
            if "lora_A." in name or "lora_B." in name:
                gram = factor @ factor.T if "lora_A." in name else factor.T @ factor  # (R, R)
                distances.append(torch.linalg.matrix_norm(gram - torch.eye(len(gram), out=torch.empty_like(gram))))
        return self._own.orthogonal * torch.stack(distances).mean()

    def after_step(self, model: Any, step: int, num_steps: int) -> None:
        """Weigh the triplets by their gradients, and set those beyond the budget of this step to zero."""
        model.base_model.update_and_allocate(step)

    def save(self, model: Any, folder: Path) -> None:
        """Write the adapter as peft has it, without the triplets that are zero, and the allocator's state beside it."""
        config: Any = model.peft_config["default"]
        pattern = _nonzero_triplets(model) if config.rank_pattern is not None else None
        allocator = model.base_model.rankallocator
        state = {
            f"weight:{name}": tensor for name, tensor in model.base_model.model.named_parameters() if ".lora_" in name
        }
        for kind in ("exp_avg_ipt", "exp_avg_unc"):
            state |= {f"{kind}:{name}": tensor for name, tensor in getattr(allocator, kind).items()}
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()},
            folder / STATE,
            metadata={"rank_pattern": json.dumps(config.rank_pattern)},
        )
        kept, config.rank_pattern = config.rank_pattern, pattern
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*have invalid shape")  # a layer that no rank is left to
                super().save(model, folder)  # peft cuts the factors by the pattern
        finally:
            config.rank_pattern = kept

    def load(self, model: Any, folder: Path, *, trainable: bool) -> PeftModel:
        """For training the whole state is laid over the base, else the adapter that plain peft reads."""
        if not trainable:
            with warnings.catch_warnings():
                # peft's LoRA reads ranks under this name, AdaLoRA what is left of each factor
                warnings.filterwarnings("ignore", message="The following rank_pattern keys did not match")
                return super().load(model, folder, trainable=False)
        self.check(folder)
        if not (folder / STATE).is_file():
            raise CheckpointError(
                f"{folder}: {STATE} is missing, without which ranks cannot be shared out further. Such an adapter answers and"
                " merges; to train on, merge it (swift merge-lora) and start from the result."
            )
        laid = self.attach(model)
        attached: Any = laid
        with safe_open(folder / STATE, "pt") as file:
            pattern = json.loads(file.metadata()["rank_pattern"])
        state = load_file(folder / STATE)
        parameters = dict(attached.base_model.model.named_parameters())
        rest = {name: tensor for name, tensor in load_file(folder / WEIGHTS).items() if ".lora_" not in name}
        set_peft_model_state_dict(attached, rest)
        allocator = attached.base_model.rankallocator
        with torch.no_grad():
            for key, tensor in state.items():
                kind, _, name = key.partition(":")
                if name not in parameters or parameters[name].shape != tensor.shape:
                    raise CheckpointError(f"{folder}: its {name} does not fit the model it is laid over.")
                if kind == "weight":
                    parameters[name].copy_(tensor)
                else:
                    getattr(allocator, kind)[name] = tensor.to(parameters[name].device)
                    allocator.ipt[name] = torch.zeros_like(parameters[name])  # without it the averages would start anew
        attached.peft_config["default"].rank_pattern = pattern
        return laid


def _nonzero_triplets(model: Any) -> dict[str, list[bool]]:
    """By name of E, which of its entries are not zero."""
    return {
        name: (tensor != 0).view(-1).tolist()
        for name, tensor in model.base_model.model.named_parameters()
        if ".lora_E." in name
    }
