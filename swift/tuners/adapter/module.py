"""The bottleneck adapter of Houlsby et al., "Parameter-Efficient Transfer Learning for NLP" (2019), section 2.1.

Alphabet: ``T`` tokens (any leading axes), ``C`` model width, ``m`` width of the bottleneck.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["Bottleneck"]


class Bottleneck(nn.Module):
    """``h + W_up σ(W_down h + b_down) + b_up``, with ``2·m·C + C + m`` parameters.

    ``W_up`` and ``b_up`` start at zero: the paper asks for a start near the identity, this is the identity itself.
    """

    options: dict[str, Any]

    def __init__(self, width: int, bottleneck: int, act: nn.Module) -> None:
        super().__init__()
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        self.act = act
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states (T, C) of any dtype to the same; the two products run in the adapter's own dtype (or autocast's)."""
        inner = self.act(self.down(hidden.to(self.down.weight.dtype)))  # (T, m)
        update: torch.Tensor = self.up(inner)  # (T, C)
        return hidden + update.to(hidden.dtype)
