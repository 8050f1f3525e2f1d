"""The settings of VB-LoRA (Li et al., 2024). Imports no torch and no peft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count, not_a_share

__all__ = ["VbloraSettings"]


@dataclass(frozen=True, kw_only=True)
class VbloraSettings(Settings):
    """The bank holds ``num_vectors`` of ``vector_length`` entries, which must divide the width of every target."""

    rank: int = 4
    num_vectors: int = 256
    vector_length: int = 256
    top_k: int = 2
    dropout: float = 0.0

    names: ClassVar[Mapping[str, str]] = {
        "vblora_rank": "rank", "vblora_num_vectors": "num_vectors", "vblora_vector_length": "vector_length",
        "vblora_topk": "top_k", "vblora_dropout": "dropout",
    }  # fmt: skip

    def problems(self) -> list[str]:
        """What cannot be."""
        wrong = not_a_count(self.of("rank", "num_vectors", "vector_length", "top_k")) + not_a_share(self.of("dropout"))
        if self.top_k > self.num_vectors:
            wrong.append(f"--vblora_topk {self.top_k}: the bank holds --vblora_num_vectors {self.num_vectors}.")
        return wrong
