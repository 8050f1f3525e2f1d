"""Fine-tune, align, try, merge, quantise, measure and serve language models; `swift.llm` is the Python API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "llm"]

if TYPE_CHECKING:
    from swift import llm as llm


def __getattr__(name: str) -> Any:
    """Import `swift.llm` when it is first used: `import swift` alone loads nothing."""
    if name == "llm":
        from importlib import import_module

        return import_module("swift.llm")
    raise AttributeError(f"module 'swift' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
