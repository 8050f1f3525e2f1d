"""Every error that a person at the prompt can cause or repair.

    SwiftError                 1   base: shown as one message, without a traceback
    ├── ArgumentError          2   a flag, a key of a file or a command that cannot be understood
    ├── PlanError              2   arguments that are fine one by one and contradict each other or the machine
    ├── NotBuiltError          2   understood, but not part of this version
    ├── DataError              1   a data file, a row or a data set that cannot be read
    ├── ModelError             1   weights, a config or a tokenizer that cannot be used
    ├── CheckpointError        1   a checkpoint that is broken, stale or not one
    ├── MissingPackageError    1   an optional package that is absent or too old
    ├── DiskError              1   no space, no permission, no such folder
    ├── TrainingError          1   a run that cannot go on: its loss is not a number
    ├── StoppedError      130/143   a run that was asked to stop by SIGINT or SIGTERM, after it saved its state
    ├── EnvironmentsError      1   an interpreter of its own for an engine that is absent, broken or cannot be made
    └── EngineError            1   generation that failed
        └── EngineFailedError  1   and not by what was asked: the engine broke, or is gone

The number is the exit code of the process. A message says what was given, what was expected and what to do
next.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ArgumentError",
    "CheckpointError",
    "DataError",
    "DiskError",
    "EngineError",
    "EngineFailedError",
    "EnvironmentsError",
    "MissingPackageError",
    "ModelError",
    "NotBuiltError",
    "PlanError",
    "StoppedError",
    "SwiftError",
    "TrainingError",
]


class SwiftError(Exception):
    """Base of all errors that are meant for the user."""

    exit_code: int = 1


class ArgumentError(SwiftError):
    """A flag, a configuration key or a command that cannot be understood."""

    exit_code = 2


class PlanError(SwiftError):
    """All the conflicts of one run, reported together; `problems` holds one sentence each."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem" + ("s" if len(self.problems) != 1 else "")
        super().__init__("\n  - ".join([count, *self.problems]))

    def __reduce__(self) -> tuple[type[PlanError], tuple[tuple[str, ...]]]:
        """Pickle by the problems: the default would hand the joined message to `__init__`."""
        return type(self), (self.problems,)


class NotBuiltError(SwiftError):
    """A command or a value that the contract knows and this version does not do yet."""

    exit_code = 2


class DataError(SwiftError):
    """Data that cannot be read or used."""


class ModelError(SwiftError):
    """A model, a config or a tokenizer that cannot be found, read or used."""


class CheckpointError(SwiftError):
    """A checkpoint that is incomplete, damaged, stale or not a checkpoint."""


class MissingPackageError(SwiftError):
    """An optional package that is not installed, or too old; the message holds the pip line."""


class DiskError(SwiftError):
    """The file system said no: full, read-only, no permission."""


class EngineError(SwiftError):
    """An engine that could not generate."""


class EngineFailedError(EngineError):
    """An engine that broke or is gone: the same request may be answered by another one."""


class EnvironmentsError(SwiftError):
    """An environment that is absent, broken, or cannot be made."""


class TrainingError(SwiftError):
    """A run that cannot go on."""


class StoppedError(SwiftError):
    """A run that a signal stopped; the message says how to go on, `exit_code` is 128 + the signal's number."""

    def __init__(self, message: str, exit_code: int = 130) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[type[StoppedError], tuple[str, int]]:
        """Pickle with the exit code."""
        return type(self), (str(self), self.exit_code)
