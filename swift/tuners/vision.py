"""The vision part of a model that reads images, found on the real module tree. Knows no tuning method."""

from __future__ import annotations

from typing import Any

__all__ = ["NO_VISION", "inside", "vision_names"]

NO_VISION = "NO_VISION"
"""Among target modules: whatever the others mean, nothing inside the vision part."""

_USUAL = ("visual", "vision_tower", "vision_model", "vision_encoder", "vision", "vit")
"""What models whose own code states no configuration of that part call it."""


def vision_names(model: Any) -> list[str]:
    """Full names of the modules that are the vision part; none where the model has none.

    That is what is made from the configuration's ``vision_config``: the tower, with what it holds itself (Qwen's merger). A
    projector that stands beside the tower (LLaVA's) is not of it.
    """
    config = getattr(getattr(model, "config", None), "vision_config", None)
    of_config = [
        name
        for name, module in model.named_modules()
        if name and hasattr(config, "model_type") and type(getattr(module, "config", None)) is type(config)
    ]
    found = of_config or [name for name, _ in model.named_modules() if name.rpartition(".")[2] in _USUAL]
    return [name for name in found if not inside(name, [other for other in found if other != name])]


def inside(name: str, parts: list[str]) -> bool:
    """Whether a module or parameter is one of these parts, or in one of them."""
    return any(name == part or name.startswith(part + ".") for part in parts)
