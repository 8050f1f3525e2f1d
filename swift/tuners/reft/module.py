"""The interventions of ReFT: Wu et al., "ReFT: Representation Finetuning for Language Models" (2024), section 3.2 and the
ablations of its appendix. ``R`` has orthonormal rows, ``W``, ``W1``, ``W2`` are free.

LoReFT    h + Rᵀ (W h + b − R h)          2·r·C + r parameters
NoReFT    h + W2ᵀ (W1 h + b − W2 h)       2·r·C + r
ConsReFT  h + Rᵀ (b − R h)                r·C + r
LobiReFT  h + Rᵀ b                        r·C + r
DiReFT    h + Rᵀ (W h + b)                2·r·C + r
NodiReFT  h + W2ᵀ (W1 h + b)              2·r·C + r

Each starts as the identity, but ConsReFT, which no ``b`` makes one: LoReFT and NoReFT with ``W = R`` and ``W1 = W2``, the
others with ``W = 0`` and ``b = 0``. Alphabet: ``K`` edited tokens, ``C`` model width, ``r`` rank.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["Intervention"]

_SUBTRACTS = ("LoreftIntervention", "NoreftIntervention", "ConsreftIntervention")
_FREE = ("NoreftIntervention", "NodireftIntervention")
_CONSTANT = ("ConsreftIntervention", "LobireftIntervention")


class Intervention(nn.Module):
    """One of the six, named as on the command line. ``basis`` (C, r) holds ``W2ᵀ``, or what ``Rᵀ`` is made from."""

    def __init__(self, kind: str, width: int, rank: int, *, dropout: float = 0.0, act: nn.Module | None = None) -> None:
        super().__init__()
        self.kind, self.act = kind, act
        self.basis = nn.Parameter(nn.init.orthogonal_(torch.empty(width, rank)))
        self.bias = nn.Parameter(torch.zeros(rank))
        self.dropout = nn.Dropout(dropout)
        self.source: nn.Parameter | None = None
        if kind not in _CONSTANT:
            start = self.projection().detach().T.clone() if kind in _SUBTRACTS else torch.zeros(rank, width)
            self.source = nn.Parameter(start)  # W or W1, (r, C)

    def projection(self) -> torch.Tensor:
        """``Rᵀ`` (C, r), or ``W2ᵀ`` where it is free.

        The Q factor of a free matrix is orthonormal whatever an optimiser did to that matrix, weight decay included; the
        sign makes it one continuous function of it.
        """
        if self.kind in _FREE:
            return self.basis
        q, upper = torch.linalg.qr(self.basis)
        across: torch.Tensor = q * upper.diagonal().sign()
        return across

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states (K, C) of any dtype to edited ones; the arithmetic is in the intervention's own dtype."""
        with torch.autocast(hidden.device.type, enabled=False):
            state = hidden.to(self.basis.dtype)
            across = self.projection()  # (C, r)
            edit = self._source(state, across) @ across.T  # (K, C)
            edited: torch.Tensor = self.dropout(state + edit)
            return edited.to(hidden.dtype)

    def _source(self, state: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
        """What is written into the subspace, less what stands there already where the kind says so.  # (K, r)"""
        if self.source is None:
            return self.bias - state @ across if self.kind in _SUBTRACTS else self.bias.expand(len(state), -1)
        if self.act is None and self.kind in _SUBTRACTS:
            return F.linear(state, self.source - across.T, self.bias)  # exactly b while W = R
        source = F.linear(state, self.source, self.bias)
        source = source if self.act is None else self.act(source)
        return source - state @ across if self.kind in _SUBTRACTS else source
