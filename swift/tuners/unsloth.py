"""LoRA and full tuning through unsloth: its loader and its attach in the place of transformers' and peft's.

unsloth (NVIDIA GPUs only) puts kernels of its own into the model's classes; what it trains are peft's modules, so that
checkpoints are the same. It is imported when a model is loaded with it, never to read one of its checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, PeftModel, set_peft_model_state_dict
from peft.utils import load_peft_weights

from swift.tuners.lora.tuner import LoraTuner
from swift.tuners.peft_method import fitting
from swift.tuners.precision import widen
from swift.utils.errors import MissingPackageError, PlanError
from swift.utils.lazy import load as load_object

__all__ = ["UnslothLora", "load_base"]


def load_base(
    folder: Path,
    *,
    dtype: torch.dtype,
    max_length: int,
    four_bits: bool = False,
    full: bool = False,
    device: Any = None,
    trust_remote_code: bool = False,
) -> Any:
    """The model of a folder, with unsloth's kernels, for sequences of up to ``max_length`` tokens.

    ``full``: its weights are to be trained themselves. The tokenizer that it would fix is not used. Raises MissingPackageError.
    """
    model, _ = _language_model().from_pretrained(
        model_name=str(folder),
        max_seq_length=max_length,
        dtype=dtype,
        load_in_4bit=four_bits,
        full_finetuning=full,
        device_map=device,
        trust_remote_code=trust_remote_code,
        fix_tokenizer=False,
        use_exact_model_name=True,  # not its own copy, in 4 bits, of a model of this name
        use_gradient_checkpointing=False,  # the loop decides
    )
    return model


class UnslothLora(LoraTuner):
    """LoRA whose layers compute with unsloth's kernels. Its files are peft's, and are read by peft for inference."""

    def attach_as(self, config: PeftConfig, model: Any, *, autocast: bool = True) -> PeftModel:
        """Attach through unsloth. Raises PlanError for targets that it has no kernels for."""
        if any(parameter.is_meta for parameter in model.parameters()):
            return super().attach_as(config, model, autocast=autocast)  # a preview
        attached: PeftModel = _language_model().get_peft_model(model, **_told(config))
        if autocast:
            widen(attached)
        return attached

    def _load(self, model: Any, folder: Path, *, trainable: bool) -> PeftModel:
        """As every adapter; to train on, the layers are attached through unsloth and get the saved values."""
        if not trainable:
            return super()._load(model, folder, trainable=False)
        self.check(folder)
        attached = self.attach_as(PeftConfig.from_pretrained(str(folder)), model)
        with fitting(folder):
            set_peft_model_state_dict(attached, load_peft_weights(str(folder), device="cpu"))
        return attached


def _told(config: Any) -> dict[str, Any]:
    """What unsloth is asked for: the part of peft's settings that it takes."""
    assert isinstance(config, LoraConfig)
    named = config.target_modules
    targets = sorted(named) if isinstance(named, set | list) else []
    long = next((name for name in targets if "." in name), named if isinstance(named, str) else None)
    if long is not None:
        raise PlanError(
            [f"--target_modules: unsloth takes the last parts of names for all layers (q_proj, down_proj), and {long} is of some"
             " only. Use those, or leave --tuner_backend unsloth out."]
        )  # fmt: skip
    settings: Mapping[str, Any] = {
        "r": config.r, "target_modules": targets, "lora_alpha": config.lora_alpha, "lora_dropout": config.lora_dropout,
        "bias": config.bias, "use_rslora": config.use_rslora, "modules_to_save": config.modules_to_save,
    }  # fmt: skip
    return {**settings, "use_gradient_checkpointing": False, "random_state": torch.initial_seed() % 2**31}


def _language_model() -> Any:
    try:
        return load_object("unsloth:FastLanguageModel")
    except ImportError as error:
        raise MissingPackageError(
            f"--tuner_backend unsloth: the package cannot be imported ({error}). Install it in an environment of its own with: pip"
            " install unsloth; or leave the flag out, and peft trains the same adapter."
        ) from error
