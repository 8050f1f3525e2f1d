"""Which modules a method goes to: words, names and expressions resolved on the real module tree.

Works on a model on the meta device too, so that a plan can show what is matched. Knows no tuning method.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from swift.tuners.vision import NO_VISION, inside, vision_names
from swift.utils.errors import PlanError
from swift.utils.registry import nearest

__all__ = [
    "WORDS",
    "embedding_names",
    "find_parameters",
    "find_saved",
    "find_targets",
    "linear_names",
    "match_names",
    "norm_names",
]

WORDS = ("DEFAULT", "AUTO", "ALL", "ATTENTION", "MLP", "EXPERTS", "HEAD", "EMBEDDING")
"""``ALL``: every linear layer but the head; ``ATTENTION``, ``MLP``, ``EXPERTS``: those of that part (the router is of none);
``HEAD``: the layer that makes the logits; ``EMBEDDING``: the input embeddings. The catalog's list stands for the first two.
``PREFIX.ALL``: the linear layers inside the module PREFIX, say the language model of one that reads images."""

_ATTENTION = re.compile(r"(^|_)(attn|attention)")
_MLP = re.compile(r"mlp|ffn|feed_?forward|shared_expert|^fc_?\d$|^dense_(h_to_4h|4h_to_h)$")
_ROUTERS = ("gate", "router", "shared_expert_gate")


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


def find_targets(model: Any, targets: Sequence[str], regex: str | None = None, layers: Sequence[int] = ()) -> list[str]:
    """Full names of the modules that get an adapter, in the order of the model.

    ``targets`` are words (see `WORDS`) and module names, whole or their last parts (``q_proj``, ``mlp.down_proj``); none
    at all, ``DEFAULT`` or ``AUTO`` without the catalog's list mean ``ALL``. ``regex`` replaces them and must match whole
    names. ``layers`` keeps those inside the layers of these numbers, ``NO_VISION`` those outside of the vision part. What
    stands for experts whose weights are one tensor is found by `find_parameters`. Raises PlanError that names what matches
    nothing, with the names that come near.
    """
    apart = vision_names(model) if NO_VISION in targets else []
    targets = [target for target in targets if target != NO_VISION]
    names = [name for name, module in model.named_modules() if name and _can_adapt(module) and not inside(name, apart)]
    if regex is not None:
        return _in_layers(_by_regex(names, regex), layers)
    chosen: set[str] = set()
    problems: list[str] = []
    fused = _fused_experts(model)
    for target in targets or ("ALL",):
        matched = _by_word(model, target) if _is_word(target) else [name for name in names if _ends_with(name, target)]
        matched = [name for name in matched if not inside(name, apart)]
        chosen.update(matched)
        if not matched and not _parameters_of(fused, target):
            problems.append(_unmatched(target, names))
    if problems:
        raise PlanError(problems)
    found = [name for name, _ in model.named_modules() if name in chosen]
    return _in_layers(found, layers) if found else []


def find_parameters(model: Any, targets: Sequence[str], layers: Sequence[int] = ()) -> list[str]:
    """Full names of the tensors that hold the weights of all experts of a layer (experts, out, in), where ``targets`` name
    them: by ``EXPERTS``, or by the end of their name (``experts.down_proj``).
    """
    apart = vision_names(model) if NO_VISION in targets else []
    fused = [name for name in _fused_experts(model) if not inside(name, apart)]
    found = {name for target in targets for name in _parameters_of(fused, target)}
    return _in_layers([name for name in fused if name in found], layers) if found else []


def match_names(targets: Sequence[str], wanted: Sequence[str], flag: str) -> list[str]:
    """Those of ``targets`` that the names ``wanted`` mean. Raises PlanError for one that means none of them."""
    found = {
        name: [target for target in targets if _ends_with(target, name) or _ends_with(name, target)] for name in wanted
    }
    problems = [
        f"--{flag} {name}: is no target. The targets are {', '.join(_last_parts(targets))}; name it in --target_modules, too."
        for name, matched in found.items()
        if not matched
    ]
    if problems:
        raise PlanError(problems)
    return [target for target in targets if any(target in matched for matched in found.values())]


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


def _is_word(target: str) -> bool:
    return target in WORDS or target.endswith(".ALL")


def _by_word(model: Any, word: str) -> list[str]:
    linear = linear_names(model)
    if word in ("DEFAULT", "AUTO", "ALL"):
        return linear
    if word == "EMBEDDING":
        return embedding_names(model)
    if word == "HEAD":
        head = model.get_output_embeddings()
        return [name for name, module in model.named_modules() if module is head and _is_linear(module)]
    if word.endswith(".ALL"):
        return [name for name in linear if name.startswith(word.removesuffix("ALL"))]
    return [name for name in linear if _part(name) == word]


def _part(name: str) -> str | None:
    """Which part of a layer a linear layer is of, told by the names of the modules around it; None for none."""
    parts = name.split(".")
    if "experts" in parts:
        return "EXPERTS"
    if any(_ATTENTION.search(part) for part in parts):
        return "ATTENTION"
    if any(_MLP.search(part) for part in parts) and parts[-1] not in _ROUTERS:
        return "MLP"
    return None


def _by_regex(names: Sequence[str], regex: str) -> list[str]:
    try:
        pattern = re.compile(regex)
    except re.error as error:
        raise PlanError([f"--target_regex {regex}: is not a regular expression ({error})."]) from None
    found = [name for name in names if pattern.fullmatch(name)]
    if not found:
        raise PlanError([f"--target_regex {regex}: matches no module. Module names look like {_examples(names)}."])
    return found


def _fused_experts(model: Any) -> list[str]:
    """Full names of the weights of three axes inside modules called ``experts``."""
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.ndim == 3 and "experts" in name.split(".") and name.rpartition(".")[2] != "bias"
    ]


def _parameters_of(fused: Sequence[str], target: str) -> list[str]:
    return list(fused) if target == "EXPERTS" else [name for name in fused if _ends_with(name, target)]


def _in_layers(names: list[str], layers: Sequence[int]) -> list[str]:
    """Those of ``names`` inside the layers of these numbers (the first number in a name); all for no numbers."""
    if not layers:
        return names
    numbers = {name: next((int(part) for part in name.split(".") if part.isdigit()), None) for name in names}
    there = {number for number in numbers.values() if number is not None}
    missing = sorted(set(layers) - there)
    if missing:
        has = f"the targets are in layers {min(there)} to {max(there)}" if there else "no target is inside a layer"
        raise PlanError([f"--layers_to_transform {', '.join(map(str, missing))}: {has}."])
    return [name for name in names if numbers[name] in layers]


def _unmatched(target: str, names: Sequence[str]) -> str:
    if target.endswith(".ALL"):
        prefix = target.removesuffix(".ALL")
        return (
            f"--target_modules {target}: no linear layer is inside {prefix}. Module names look like {_examples(names)}."
        )
    if target in WORDS:
        return f"--target_modules {target}: this model has no such part. Module names look like {_examples(names)}."
    return f"--target_modules {target}: matches no module. {_near(target, names)}"


def _ends_with(name: str, target: str) -> bool:
    return name == target or name.endswith("." + target)


def _is_linear(module: nn.Module) -> bool:
    if isinstance(module, nn.Linear) or type(module).__name__ in ("HQQLinear", "Conv1D"):
        return True
    # The classes of packed weights have many names; they are leaves that say how many features come in and go out.
    features = getattr(module, "in_features", None), getattr(module, "out_features", None)
    return all(isinstance(count, int) for count in features) and next(module.children(), None) is None


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
