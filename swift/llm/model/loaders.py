"""One function a kind of model: from what `load.load_model` decided to a transformers model. Catalog rows name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = [
    "auto_class",
    "base_model",
    "causal_lm",
    "image_text_to_text",
    "masked_lm",
    "multimodal_lm",
    "sequence_classification",
]

AUTO_CLASSES = {
    "causal_lm": "AutoModelForCausalLM",
    "image_text_to_text": "AutoModelForImageTextToText",
    "multimodal_lm": "AutoModelForMultimodalLM",
    "sequence_classification": "AutoModelForSequenceClassification",
    "masked_lm": "AutoModelForMaskedLM",
    "base_model": "AutoModel",
}
"""Loader to the class of transformers that it goes through."""


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


def _load(kind: str, folder: Path, config: Any, kwargs: dict[str, Any]) -> Any:
    import transformers

    return getattr(transformers, AUTO_CLASSES[kind]).from_pretrained(str(folder), config=config, **kwargs)
