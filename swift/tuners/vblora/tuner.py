"""VB-LoRA (Li et al., 2024) through peft."""

from __future__ import annotations

import math
from typing import Any

from peft import VBLoRAConfig

from swift.tuners.base import TunerSettings
from swift.tuners.peft_method import PeftMethod
from swift.tuners.targets import find_targets
from swift.tuners.vblora.config import VbloraSettings
from swift.utils.errors import PlanError

__all__ = ["VbloraTuner"]


class VbloraTuner(PeftMethod):
    """LoRA whose factors are put together from a bank of vectors that all layers share: each piece is a mix of its best ``top_k``."""

    peft_type = "VBLORA"

    def __init__(self, settings: TunerSettings) -> None:
        super().__init__(settings)
        self._own = VbloraSettings.read(settings.options)

    def places(self, model: Any) -> dict[str, Any]:
        """As in every method. Raises PlanError where the vectors of the bank do not fill the sides of a target."""
        goes, asked, length = super().places(model), self.settings, self._own.vector_length
        names = find_targets(model, asked.target_modules, asked.target_regex, asked.layers)
        shapes = {name: tuple(model.get_submodule(name).weight.shape) for name in names}
        wrong = [name for name, shape in shapes.items() if any(side % length for side in shape)]
        if wrong:
            rows, columns = shapes[wrong[0]]
            fits = math.gcd(*(side for shape in shapes.values() for side in shape))
            raise PlanError([f"--vblora_vector_length {length}: must divide both sides of every target, and {wrong[0]} is {rows} by"
                             f" {columns}. {fits} does, and so do its divisors."])  # fmt: skip
        return goes

    def config(self, model: Any, goes: dict[str, Any]) -> VBLoRAConfig:
        """All logits are saved, so that training can go on."""
        own = self._own
        return VBLoRAConfig(
            r=own.rank, num_vectors=own.num_vectors, vector_length=own.vector_length, topk=own.top_k,
            vblora_dropout=own.dropout, save_only_topk_weights=False, **goes,
        )  # fmt: skip
