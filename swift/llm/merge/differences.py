"""Several adapters as one by what they change: each is folded into the base alone, and the differences are combined.

So every method that has a merge can be combined, also with adapters of another one. One model is in memory at a time, in fp32;
the base and the differences lie on the disk, tensor by tensor, until the sum is made.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from swift.llm.merge.formulas import combine
from swift.llm.model.load import load_model
from swift.llm.plan.plans import CombinePlan, MergePlan
from swift.tuners import open_tuner
from swift.utils.errors import CheckpointError, DiskError
from swift.utils.files import disk_error

__all__ = ["combined_model"]


def combined_model(plan: MergePlan) -> Any:
    """The base in the planned dtype with the combined change of every weight added to it.

    Raises CheckpointError where an adapter does not fit, DiskError where the differences find no room beside the target.
    """
    assert plan.combine is not None
    with _scratch(Path(plan.target)) as scratch:
        untied = False
        for number in range(len(plan.combine.checkpoints)):
            untied = _write_difference(plan, number, scratch) or untied
        model = load_model(plan.model)
        if untied:
            _untie(model)
        state = model.state_dict()
        with torch.no_grad():
            for name, weight in state.items():
                change = _combined(plan.combine, name, scratch)
                if change is not None:
                    weight.copy_(scratch.read(name, "base").add_(change))
    return model


class _Scratch:
    """Tensors by name and by whose they are, in files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, whose: str, tensor: torch.Tensor) -> None:
        save_file({name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)}, self._path(name, whose))

    def read(self, name: str, whose: str) -> torch.Tensor:
        return load_file(self._path(name, whose))[name]

    def has(self, name: str, whose: str) -> bool:
        return self._path(name, whose).is_file()

    def _path(self, name: str, whose: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.{whose}"


@contextmanager
def _scratch(target: Path) -> Iterator[_Scratch]:
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.differences-", dir=target.parent) as folder:
            yield _Scratch(Path(folder))
    except OSError as error:
        raise disk_error(error, target) from error
    except SafetensorError as error:
        raise DiskError(f"cannot write the differences beside {target}: {error}. Free some space.") from error


def _write_difference(plan: MergePlan, number: int, scratch: _Scratch) -> bool:
    """Write what one adapter changes, and the base where it is the first; whether the adapter takes the head apart from the
    embeddings.
    """
    assert plan.combine is not None
    checkpoint, settings = Path(plan.combine.checkpoints[number]), plan.combine.tuners[number]
    model: Any = load_model(replace(plan.model, dtype="fp32"))
    if number == 0:
        for name, weight in model.state_dict().items():
            scratch.write(name, "base", weight)
    tied = _is_tied(model)
    tuner = open_tuner(settings)
    merged = tuner.merge(tuner.load(model, checkpoint, trainable=False))
    for name, weight in merged.state_dict().items():
        if not scratch.has(name, "base"):
            raise CheckpointError(f"{checkpoint}: its merge has a weight that the base has not: {name}.")
        difference = weight.detach().float().cpu() - scratch.read(name, "base")
        if difference.any():
            scratch.write(name, str(number), difference)
    return tied and not _is_tied(merged)


def _combined(plan: CombinePlan, name: str, scratch: _Scratch) -> torch.Tensor | None:
    """The change of one weight in fp32; None where no adapter changes it."""
    numbers = [number for number in range(len(plan.checkpoints)) if scratch.has(name, str(number))]
    if not numbers:
        return None
    shape = scratch.read(name, str(numbers[0])).shape
    changes = [
        scratch.read(name, str(number)) if number in numbers else torch.zeros(shape)
        for number in range(len(plan.checkpoints))
    ]
    # each weight has chances of its own, whichever order they come in
    seed = int.from_bytes(hashlib.sha256(f"{plan.seed}:{name}".encode()).digest()[:8], "big") >> 1
    generator = torch.Generator().manual_seed(seed)
    return combine(changes, plan.weights, plan.combination, density=plan.density, generator=generator)


def _is_tied(model: Any) -> bool:
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    return head is not None and head.weight is embeddings.weight


def _untie(model: Any) -> None:
    """Give the head weights of its own: the change of one side is not the other's."""
    head = model.get_output_embeddings()
    head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
    model.config.tie_word_embeddings = False
