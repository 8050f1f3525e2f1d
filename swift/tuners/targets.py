"""Which modules a method goes to: words, names and expressions resolved on the real module tree.

Works on a model on the meta device too, so that a plan can show what is matched. Knows no tuning method.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from swift.utils.errors import PlanError
from swift.utils.registry import nearest

__all__ = ["WORDS", "embedding_names", "find_saved", "find_targets", "linear_names", "norm_names"]

WORDS = ("DEFAULT", "AUTO", "ALL", "EMBEDDING")
"""``ALL``: every linear layer but the head; ``EMBEDDING``: the input embeddings. The catalog's list stands for the first two.
``PREFIX.ALL``: the linear layers inside the module PREFIX, say the language model of one that reads images."""


def linear_names(model: Any) -> list[str]:
    """Full names of all linear layers but the head, in order. Classes that quantised weights use count as linear."""
    head = model.get_output_embeddings()
    return [name for name, module in model.named_modules() if _is_linear(module) and module is not head]


def embedding_names(model: Any) -> list[str]:
    """Full name of the input embeddings."""
    embeddings = model.get_input_embeddings()
    return [name for name, module in model.named_modules() if module is embeddings]


def norm_names(model: Any) -> list[str]:
    """Full names of all normalisation layers: those of torch, and classes called ...Norm that hold a weight of one axis."""
    return [name for name, module in model.named_modules() if _is_norm(module)]


def find_targets(model: Any, targets: Sequence[str], regex: str | None = None) -> list[str]:
    """Full names of the modules that get an adapter, in the order of the model.

    ``targets`` are words (see `WORDS`) and module names, whole or their last parts (``q_proj``, ``mlp.down_proj``); none
    at all, ``DEFAULT`` or ``AUTO`` without the catalog's list mean ``ALL``. ``regex`` replaces them and must match whole
    names. Raises PlanError that names what matches nothing, with the names that come near.
    """
    names = [name for name, module in model.named_modules() if name and _can_adapt(module)]
    if regex is not None:
        try:
            pattern = re.compile(regex)
        except re.error as error:
            raise PlanError([f"--target_regex {regex}: is not a regular expression ({error})."]) from None
        found = [name for name in names if pattern.fullmatch(name)]
        if not found:
            raise PlanError([f"--target_regex {regex}: matches no module. Module names look like {_examples(names)}."])
        return found
    chosen: set[str] = set()
    problems: list[str] = []
    for target in targets or ("ALL",):
        if target in ("DEFAULT", "AUTO", "ALL"):
            chosen.update(linear_names(model))
        elif target == "EMBEDDING":
            chosen.update(embedding_names(model))
        elif target.endswith(".ALL"):
            prefix = target.removesuffix("ALL")
            matched = [name for name in linear_names(model) if name.startswith(prefix)]
            chosen.update(matched)
            if not matched:
                problems.append(
                    f"--target_modules {target}: no linear layer is inside {prefix[:-1]}. Module names look like {_examples(names)}."
                )
        else:
            matched = [name for name in names if _ends_with(name, target)]
            chosen.update(matched)
            if not matched:
                problems.append(f"--target_modules {target}: matches no module. {_near(target, names)}")
    if problems:
        raise PlanError(problems)
    return [name for name, _ in model.named_modules() if name in chosen]


def find_saved(model: Any, modules: Sequence[str]) -> list[str]:
    """Full names of modules to train in full: ``EMBEDDING``, ``LN`` (all norms), or names as in `find_targets`."""
    names = [
        name
        for name, module in model.named_modules()
        if name and next(module.parameters(recurse=False), None) is not None
    ]
    chosen: set[str] = set()
    problems: list[str] = []
    for wanted in modules:
        if wanted == "EMBEDDING":
            chosen.update(embedding_names(model))
        elif wanted == "LN":
            chosen.update(norm_names(model))
        else:
            matched = [name for name in names if _ends_with(name, wanted)]
            chosen.update(matched)
            if not matched:
                problems.append(f"--modules_to_save {wanted}: matches no module with weights. {_near(wanted, names)}")
    if problems:
        raise PlanError(problems)
    return [name for name, _ in model.named_modules() if name in chosen]


def _ends_with(name: str, target: str) -> bool:
    return name == target or name.endswith("." + target)


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or type(module).__name__ in (
        "Linear4bit",
        "Linear8bitLt",
        "HQQLinear",
        "Conv1D",
    )


def _is_norm(module: nn.Module) -> bool:
    if isinstance(module, (nn.LayerNorm, nn.RMSNorm)):
        return True
    weight = getattr(module, "weight", None)
    return type(module).__name__.endswith("Norm") and isinstance(weight, nn.Parameter) and weight.ndim == 1


def _can_adapt(module: nn.Module) -> bool:
    return _is_linear(module) or isinstance(module, nn.Embedding)


def _last_parts(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.rpartition(".")[2] for name in names))


def _near(target: str, names: Sequence[str]) -> str:
    near = nearest(target.rpartition(".")[2], _last_parts(names))
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"This model has {', '.join(_last_parts(names)[:12])}."


def _examples(names: Sequence[str]) -> str:
    shown = [name for index, name in enumerate(names) if index in (0, len(names) // 2, len(names) - 1)]
    return ", ".join(dict.fromkeys(shown))
