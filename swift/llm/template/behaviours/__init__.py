"""The named rules that some chat formats need beyond strings. A row lists the names; each rule changes the draft in place.

Options that rules read from a row: those of reasoning (`thinking`), ``round`` and ``first_round`` (what numbers a question),
``inner_system`` (what wraps a system text inside its block). ``upstream_loses`` ("system", "reasoning", "tools") is read by
`check.py`: the official text lacks what the row keeps, so only the rest is compared. ``empty_system``: what an empty system
message stands for, an empty "block" or the "default" text (else nothing). ``no_stop``: closing tokens that end no generation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from swift.llm.template.behaviours.harmony import harmony
from swift.llm.template.behaviours.kept import (
    apertus,
    nemotron,
    rwkv,
    smollm3,
    solar,
    split_always,
    split_field,
    split_second,
    split_tags,
    think_kept,
    think_kept_tags,
)
from swift.llm.template.behaviours.markers import (
    close_with_next,
    deepseek,
    gather_system,
    hunyuan,
    kimi,
    nothink_suffix,
    observation,
    seed,
)
from swift.llm.template.behaviours.systems import (
    apriel,
    bielik,
    command_r,
    firefunction,
    functionary,
    granite,
    granite_3_0,
    laguna,
    llama3_1,
    llama4,
)
from swift.llm.template.behaviours.thinking import split_reasoning, tags, think
from swift.llm.template.behaviours.turns import (
    alternate,
    inner_system,
    rounds,
    single_round,
    strip_user,
    system_in_first_user,
    system_in_last_user,
)
from swift.llm.template.draft import Draft

__all__ = ["BEHAVIOURS", "THINKING", "split_reasoning", "tags"]

_SYSTEMS = (apriel, bielik, command_r, firefunction, functionary, granite, granite_3_0, laguna, llama3_1, llama4)
_MARKERS = (close_with_next, deepseek, gather_system, hunyuan, kimi, nothink_suffix, observation, seed)

BEHAVIOURS: Mapping[str, Callable[[Draft], None]] = {
    "system_in_first_user": system_in_first_user,
    "system_in_last_user": system_in_last_user,
    "strip_user": strip_user,
    "alternate": alternate,
    "inner_system": inner_system,
    "rounds": rounds,
    "single_round": single_round,
    "think": think,
    **{rule.__name__: rule for rule in (apertus, nemotron, rwkv, smollm3, solar, think_kept, think_kept_tags)},
    **{rule.__name__: rule for rule in _SYSTEMS},
    **{rule.__name__: rule for rule in _MARKERS},
    "harmony": harmony,
}
# Rules about reasoning, and how each takes (reasoning, text) out of an answer.
THINKING: Mapping[str, Callable[..., tuple[str, str]]] = {
    "think": split_reasoning,
    "harmony": split_field,
    "think_kept": split_always,
    "think_kept_tags": split_tags,
    "apertus": split_field,
    "nemotron": split_second,
    "rwkv": split_always,
    "smollm3": split_field,
    "solar": split_field,
}
