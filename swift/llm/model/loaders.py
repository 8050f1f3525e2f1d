"""One function a kind of model: from what `load.load_model` decided to a transformers model. Catalog rows name them."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = [
    "auto_class",
    "base_model",
    "causal_lm",
    "image_text_to_text",
    "import_first",
    "masked_lm",
    "multimodal_lm",
    "sequence_classification",
    "unsloth",
    "unsloth_full",
]

AUTO_CLASSES = {
    "causal_lm": "AutoModelForCausalLM",
    "image_text_to_text": "AutoModelForImageTextToText",
    "multimodal_lm": "AutoModelForMultimodalLM",
    "sequence_classification": "AutoModelForSequenceClassification",
    "masked_lm": "AutoModelForMaskedLM",
    "unsloth": "AutoModelForCausalLM",
    "unsloth_full": "AutoModelForCausalLM",
    "base_model": "AutoModel",
}
"""Loader to the class of transformers that it goes through."""

UNSLOTH = ("unsloth", "unsloth_full")
"""Loaders that are told the longest sequence."""


def import_first(loader: str) -> None:
    """Import what wants to be there before transformers and peft are: unsloth replaces parts of them."""
    if loader.partition(":")[2] in UNSLOTH:
        with suppress(ImportError):  # a package that is missing is told when the model is loaded
            import_module("unsloth")


def auto_class(loader: str) -> Any:
    """The transformers class behind a row's loader (``"module:function"``); a loader of the user's own: AutoModelForCausalLM."""
    import transformers

    module, _, name = loader.partition(":")
    return getattr(transformers, AUTO_CLASSES[name] if module == __name__ else "AutoModelForCausalLM")


def causal_lm(folder: Path, config: Any, **kwargs: Any) -> Any:
    """A causal language model; ``kwargs`` are from_pretrained's, here and below."""
    return _load("causal_lm", folder, config, kwargs)


def image_text_to_text(folder: Path, config: Any, **kwargs: Any) -> Any:
    """A language model that reads images too; text alone needs no image."""
    return _load("image_text_to_text", folder, config, kwargs)


def multimodal_lm(folder: Path, config: Any, **kwargs: Any) -> Any:
    """A language model that reads sound, or several media at once."""
    return _load("multimodal_lm", folder, config, kwargs)


def sequence_classification(folder: Path, config: Any, **kwargs: Any) -> Any:
    """A model with one score for each label in place of a next token: classifiers, rerankers, reward models."""
    return _load("sequence_classification", folder, config, kwargs)


def masked_lm(folder: Path, config: Any, **kwargs: Any) -> Any:
    """An encoder that fills in masked tokens."""
    return _load("masked_lm", folder, config, kwargs)


def base_model(folder: Path, config: Any, **kwargs: Any) -> Any:
    """A model without a head: embeddings, and models whose own code brings the head."""
    return _load("base_model", folder, config, kwargs)


def unsloth(folder: Path, config: Any, **kwargs: Any) -> Any:
    """A causal language model through unsloth, to be given an adapter."""
    return _through_unsloth(folder, kwargs, full=False)


def unsloth_full(folder: Path, config: Any, **kwargs: Any) -> Any:
    """A causal language model through unsloth, to be trained itself."""
    return _through_unsloth(folder, kwargs, full=True)


def _through_unsloth(folder: Path, kwargs: dict[str, Any], *, full: bool) -> Any:
    """The model and an empty report: what is in no file unsloth refuses by itself."""
    from swift.tuners.unsloth import load_base

    bits = kwargs.get("quantization_config")
    model = load_base(
        folder,
        dtype=kwargs["dtype"],
        max_length=kwargs["max_length"],
        four_bits=bool(bits is not None and bits.load_in_4bit),
        full=full,
        device=kwargs.get("device_map"),
        trust_remote_code=kwargs["trust_remote_code"],
    )
    return model, {}


def _load(kind: str, folder: Path, config: Any, kwargs: dict[str, Any]) -> Any:
    import transformers

    return getattr(transformers, AUTO_CLASSES[kind]).from_pretrained(str(folder), config=config, **kwargs)
