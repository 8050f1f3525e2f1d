"""What every tuning method does, in one protocol. Knows no plan, no catalog, no trainer; imports no torch to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch

__all__ = ["Combines", "KnowsSteps", "Restarts", "StartsFromData", "Tuner", "TunerSettings"]


class TunerSettings(Protocol):
    """What was asked for: the method, where it goes, and the options of its group.

    ``code`` is "module:attribute" of the class that follows `Tuner`; a catalog row names it.
    """

    @property
    def sft_type(self) -> str:
        """The name of the method."""

    @property
    def code(self) -> str | None:
        """Where its class is."""

    @property
    def target_modules(self) -> Sequence[str]:
        """Module names, or the words that `targets.find_targets` knows; empty: every linear layer but the head."""

    @property
    def target_regex(self) -> str | None:
        """Regular expression over whole module names; replaces ``target_modules``."""

    @property
    def layers(self) -> Sequence[int]:
        """Numbers of the layers (from 0) that it goes to; empty: all."""

    @property
    def modules_to_save(self) -> Sequence[str]:
        """Modules that are trained in full and saved beside the adapter."""

    @property
    def options(self) -> Mapping[str, Any]:
        """The arguments of the method's group."""


class Tuner(Protocol):
    """One method, made from its settings. It holds no model: the same object serves a run from attach to merge."""

    def __init__(self, settings: TunerSettings) -> None: ...

    def attach(self, model: Any) -> Any:
        """Return the model ready to train: what is not trained is frozen. Raises PlanError for targets that match nothing."""

    def save(self, model: Any, folder: Path) -> None:
        """Write what was trained into an existing folder, in the format that plain peft or transformers reads."""

    def load(self, model: Any, folder: Path, *, trainable: bool) -> Any:
        """Lay a saved result over its base. ``trainable``: to go on training, else for inference.

        Raises CheckpointError for a folder that does not hold one, or holds one for another model.
        """

    def merge(self, model: Any) -> Any:
        """Fold the result into plain weights and return the plain model. Raises NotBuiltError where a method has no merge."""

    def optimizer_groups(self, model: Any, learning_rate: float, weight_decay: float) -> list[dict[str, Any]] | None:
        """Parameter groups where the method wants rates of its own; None leaves the grouping to the trainer."""

    def penalty(self, model: Any) -> torch.Tensor | None:
        """A term to add to the loss of each micro-batch (weighted already), or None."""

    def after_step(self, model: Any, step: int, num_steps: int) -> None:
        """Called after each optimiser step, while gradients still exist; ``step`` counts from 1."""


@runtime_checkable
class KnowsSteps(Protocol):
    """A method that has to know how long the run is before its first step."""

    def begin(self, model: Any, num_steps: int) -> None:
        """Called when training begins; ``num_steps`` optimiser steps. Raises PlanError where they do not suit."""


@runtime_checkable
class Combines(Protocol):
    """A method of which several adapters can be one."""

    def load_combined(
        self,
        model: Any,
        folders: Sequence[Path],
        weights: Sequence[float],
        combination: str,
        *,
        density: float | None,
        seed: int,
    ) -> Any:
        """Lay several saved results over their base as one, for inference and merging.

        Raises CheckpointError where one does not fit, PlanError where they cannot be combined this way.
        """


@runtime_checkable
class StartsFromData(Protocol):
    """A method that may look at samples before training begins, once, never when it goes on from a checkpoint."""

    @property
    def wants_data(self) -> bool:
        """Whether these settings ask for it."""

    def start_from(self, model: Any, batches: Callable[[bool], Iterable[Mapping[str, Any]]]) -> Any:
        """Return the model with the values that training starts with.

        ``batches(whole)`` gives batches of the training set, labels included: as many rows as an optimiser step takes, or, where
        not ``whole``, as many as one pass takes.
        """


@runtime_checkable
class Restarts(Protocol):
    """A method that may begin anew while the run goes on."""

    def restart(self, model: Any, optimizer: Any, step: int, num_steps: int) -> None:
        """Called after each optimiser step, counted from 1, before anything is saved; it may change weights and the optimiser's
        state of them.
        """
