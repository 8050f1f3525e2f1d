"""torch.compile on each decoder layer, in place. Knows no loop.

Layers are compiled one by one: they are alike, so one compilation serves all of them, and names of weights stay as they are.
Sizes are dynamic, since no two batches are of one length.
"""

from __future__ import annotations

from typing import Any

import torch

from swift.trainers.layers import decoder_layers
from swift.utils.errors import ArgumentError
from swift.utils.registry import unknown

__all__ = ["compile_layers"]


def compile_layers(model: Any, backend: str) -> None:
    """Compile every layer with a backend of torch. Raises ArgumentError for one that this torch does not have."""
    known = torch.compiler.list_backends(exclude_tags=())
    if backend not in known:
        raise ArgumentError(f"--torch_compile_backend: {unknown('backend', backend, known)}")
    for layer in decoder_layers(model):
        layer.compile(backend=backend, dynamic=True)
