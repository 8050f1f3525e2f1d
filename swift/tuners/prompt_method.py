"""What peft's methods of virtual tokens share: tokens that nobody wrote, before each sample; no weight of the model changes.

Batches are rows of one sample each, so that every sample gets the tokens in front of it (the plan sees to it). The loss takes
the places that are the batch's own (`swift.kernels.head`); the engine answers such a model one request at a time.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, NoReturn

from peft import PeftConfig, PeftModel, PromptLearningConfig, set_peft_model_state_dict
from peft.utils import load_peft_weights
from safetensors.torch import load_file, save_file

from swift.tuners.peft_method import PeftMethod, fitting
from swift.utils.errors import CheckpointError, NotBuiltError

__all__ = ["PromptMethod"]

STATE = "tuner_state.safetensors"
"""Beside an adapter whose tokens are made by a network: what made them, which peft does not keep, to go on training."""


class PromptMethod(PeftMethod):
    """One such method. `settled` makes its configuration; the rest is here."""

    @abstractmethod
    def settled(self, model: Any) -> PromptLearningConfig:
        """The configuration for this model. Raises PlanError for a model that it does not suit."""

    def config(self, model: Any, goes: dict[str, Any]) -> PeftConfig:
        """As `settled` says: such a method goes nowhere."""
        return self.settled(model)

    def places(self, model: Any) -> dict[str, Any]:
        """None: it goes before the sample, not into modules."""
        return {}

    def save(self, model: PeftModel, folder: Path) -> None:
        """Write the tokens as peft has them, and the network that makes them, if there is one, beside them."""
        super().save(model, folder)
        parts = _encoder(model).state_dict()
        if len(parts) > 1 and not model.peft_config["default"].inference_mode:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in parts.items()},
                folder / STATE,
                metadata={"format": "pt"},
            )

    def load(self, model: Any, folder: Path, *, trainable: bool) -> PeftModel:
        """For training a new adapter takes the saved values over, since peft loads such ones for inference only."""
        if not trainable:
            return super().load(model, folder, trainable=False)
        self.check(folder)
        with fitting(folder):
            config: Any = PeftConfig.from_pretrained(str(folder))
        config.inference_mode = False
        if hasattr(config, "prompt_tuning_init"):
            config.prompt_tuning_init = "RANDOM"  # the values come from the file
        attached = self.attach_as(config, model)
        with fitting(folder):
            if len(_encoder(attached).state_dict()) == 1:
                set_peft_model_state_dict(attached, load_peft_weights(str(folder), device="cpu"))
            elif (folder / STATE).is_file():
                _encoder(attached).load_state_dict(load_file(folder / STATE))
            else:
                _refuse_without_network(folder)
        return attached

    def merge(self, model: PeftModel) -> Any:
        """Refused: virtual tokens are no change of a weight."""
        raise NotBuiltError(
            f"a checkpoint of {self.settings.sft_type} cannot be merged: its tokens stand before the prompt. Answer with it as it"
            " is: swift infer --ckpt_dir."
        )


def _encoder(model: PeftModel) -> Any:
    return model.prompt_encoder["default"]


def _refuse_without_network(folder: Path) -> NoReturn:
    raise CheckpointError(
        f"{folder}: {STATE} is missing: it holds the network that made the virtual tokens, without which they cannot be trained"
        " further. Such an adapter answers as it is."
    )
