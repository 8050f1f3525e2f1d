"""What is supported, as rows: models, templates, data sets and tuners. The names below are resolved when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swift.llm.catalog.registries import DATASET_MAPPING as DATASET_MAPPING
    from swift.llm.catalog.registries import MODEL_MAPPING as MODEL_MAPPING
    from swift.llm.catalog.registries import TEMPLATE_MAPPING as TEMPLATE_MAPPING
    from swift.llm.catalog.registries import TUNER_MAPPING as TUNER_MAPPING
    from swift.llm.catalog.registries import register_dataset as register_dataset
    from swift.llm.catalog.registries import register_model as register_model
    from swift.llm.catalog.registries import register_template as register_template

__all__ = [
    "DATASET_MAPPING",
    "MODEL_MAPPING",
    "TEMPLATE_MAPPING",
    "TUNER_MAPPING",
    "register_dataset",
    "register_model",
    "register_template",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("swift.llm.catalog.registries"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
