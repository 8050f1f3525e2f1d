"""The settings of LLaMA Pro. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from swift.tuners.settings import Settings, not_a_count
from swift.utils.errors import PlanError

__all__ = ["LlamaProSettings"]


@dataclass(frozen=True, kw_only=True)
class LlamaProSettings(Settings):
    """``blocks`` new layers in all, spread over ``groups`` (None: one for each of them)."""

    blocks: int = 4
    groups: int | None = None

    names: ClassVar[Mapping[str, str]] = {"llamapro_num_new_blocks": "blocks", "llamapro_num_groups": "groups"}

    def problems(self) -> list[str]:
        """Counts below 1, and blocks that groups cannot share evenly."""
        wrong = not_a_count(self.of("blocks") + (self.of("groups") if self.groups is not None else []))
        if not wrong and self.groups is not None and self.blocks % self.groups:
            wrong.append(
                f"--llamapro_num_new_blocks {self.blocks}: cannot be shared evenly by --llamapro_num_groups {self.groups}."
                " Give a multiple of it."
            )
        return wrong

    def order(self, layers: int) -> list[tuple[int, bool]]:
        """(the old layer that it is, or is a copy of; whether it is new) for each layer of the larger model, in order.

        Section 3.2 of the paper: the L layers are cut into groups, and copies of the top P layers of each group are laid on
        top of it; P is the number of new layers a group. Groups differ by one layer where L leaves no other way.
        Raises PlanError where the model has too few layers for that.
        """
        groups = self.groups if self.groups is not None else self.blocks
        each = self.blocks // groups
        if layers < groups * each:
            raise PlanError(
                [f"--llamapro_num_new_blocks {self.blocks}: the model has {layers} layers, of which {groups * each} would be copied"
                 f" ({groups} groups, the top {each} of each). Give {layers} or less."]
            )  # fmt: skip
        ends = [(number + 1) * layers // groups for number in range(groups)]
        order: list[tuple[int, bool]] = []
        start = 0
        for end in ends:
            order += [(layer, False) for layer in range(start, end)]
            order += [(layer, True) for layer in range(end - each, end)]
            start = end
        return order
