"""The named rules that some chat formats need beyond strings. A row lists the names; each rule changes the draft in place.

Options that rules read from a row: ``empty_think`` (the block that stands for "no reasoning"), ``think_open`` (what the
prompt holds after the assistant's marker). ``upstream_loses`` ("system" or "reasoning") is read by `check.py`: the official
text of a whole conversation lacks what the row keeps, so only prompts are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from swift.llm.template.behaviours.thinking import split_reasoning, think, think_r1
from swift.llm.template.behaviours.turns import alternate, strip_user, system_in_first_user, system_in_last_user
from swift.llm.template.draft import Draft

__all__ = ["BEHAVIOURS", "THINKING", "split_reasoning"]

BEHAVIOURS: Mapping[str, Callable[[Draft], None]] = {
    "system_in_first_user": system_in_first_user,
    "system_in_last_user": system_in_last_user,
    "strip_user": strip_user,
    "alternate": alternate,
    "think": think,
    "think_r1": think_r1,
}
THINKING = ("think", "think_r1")
