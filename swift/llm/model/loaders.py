"""One function a kind of model: from what `load.load_model` decided to a transformers model. Catalog rows name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["causal_lm"]


def causal_lm(folder: Path, config: Any, **kwargs: Any) -> Any:
    """A causal language model through transformers' AutoModelForCausalLM; ``kwargs`` are from_pretrained's."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(str(folder), config=config, **kwargs)
