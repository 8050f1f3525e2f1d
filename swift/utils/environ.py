"""Every environment variable that swift reads, typed, with its meaning; and the one place that sets any.

A variable is read when it is asked for, never at import, so that a test or a launcher may set it late.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from swift.utils.errors import ArgumentError

__all__ = ["VARIABLES", "Variable", "export", "let_threads_sleep"]

ValueT = TypeVar("ValueT")

_TRUE = frozenset({"1", "true", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "no", "n", "off"})


class Variable(Generic[ValueT]):
    """One variable; `kind` is str, int or bool. An empty text counts as not set."""

    def __init__(self, name: str, kind: type, default: ValueT, meaning: str) -> None:
        self.name = name
        self.kind = kind
        self.default: ValueT = default
        self.meaning = meaning

    @property
    def given(self) -> bool:
        """Whether the variable is set to something."""
        return bool(os.environ.get(self.name, "").strip())

    def read(self) -> ValueT:
        """Return the value, or the default. Raises ArgumentError if the text is not of the kind."""
        text = os.environ.get(self.name, "").strip()
        if not text:
            return self.default
        value: Any = text
        if self.kind is bool:
            if text.casefold() not in _TRUE | _FALSE:
                raise ArgumentError(f"environment variable {self.name}: {text!r} is neither true (1) nor false (0)")
            value = text.casefold() in _TRUE
        elif self.kind is int:
            try:
                value = int(text)
            except ValueError:
                raise ArgumentError(f"environment variable {self.name}: {text!r} is not an integer") from None
        return value  # type: ignore[no-any-return]


USE_HF = Variable("USE_HF", bool, False, "Take models and data sets from the Hugging Face hub, not from ModelScope.")
MODELSCOPE_API_TOKEN: Variable[str | None] = Variable(
    "MODELSCOPE_API_TOKEN", str, None, "ModelScope access token, where --hub_token is not given."
)
HF_TOKEN: Variable[str | None] = Variable(
    "HF_TOKEN", str, None, "Hugging Face access token, where --hub_token is not given."
)
MODELSCOPE_CACHE: Variable[str | None] = Variable(
    "MODELSCOPE_CACHE", str, None, "Folder that ModelScope downloads are kept in."
)
HF_HOME: Variable[str | None] = Variable("HF_HOME", str, None, "Folder that Hugging Face downloads are kept in.")
HF_HUB_OFFLINE = Variable("HF_HUB_OFFLINE", bool, False, "Use what is downloaded already, and no network.")
FORCE_REDOWNLOAD = Variable("FORCE_REDOWNLOAD", bool, False, "Fetch data sets again.")
USE_HF_TRANSFER = Variable("USE_HF_TRANSFER", bool, False, "Download from Hugging Face with hf_transfer.")
SWIFT_CACHE: Variable[str | None] = Variable(
    "SWIFT_CACHE",
    str,
    None,
    "Folder of swift's own caches (tokenized data, environments); default ~/.cache/swift.",
)

SWIFT_ENV_DIR: Variable[str | None] = Variable(
    "SWIFT_ENV_DIR",
    str,
    None,
    "Folder of the environments that `swift env add` makes, where --env_dir is not given; default envs in SWIFT_CACHE.",
)
TORCH_INDEX: Variable[str | None] = Variable(
    "TORCH_INDEX",
    str,
    None,
    "Package index that `swift env add` takes torch from, for other builds of it (cpu, cu128).",
)

CUDA_VISIBLE_DEVICES: Variable[str | None] = Variable(
    "CUDA_VISIBLE_DEVICES", str, None, "Which GPUs are used; several in one process split one model."
)
NPROC_PER_NODE: Variable[int | None] = Variable(
    "NPROC_PER_NODE", int, None, "Start this many training processes on this machine."
)
NNODES: Variable[int | None] = Variable("NNODES", int, None, "Number of machines of a training run.")
NODE_RANK = Variable("NODE_RANK", int, 0, "Number of this machine, from 0.")
MASTER_ADDR = Variable("MASTER_ADDR", str, "127.0.0.1", "Address of the first machine.")
MASTER_PORT = Variable("MASTER_PORT", int, 29500, "Port on the first machine, where the processes meet.")
RANK = Variable("RANK", int, 0, "Number of this process in the whole run; set by the launcher.")
LOCAL_RANK = Variable("LOCAL_RANK", int, 0, "Number of this process on this machine; set by the launcher.")
WORLD_SIZE = Variable("WORLD_SIZE", int, 1, "Number of processes in the whole run; set by the launcher.")
LOCAL_WORLD_SIZE = Variable("LOCAL_WORLD_SIZE", int, 1, "Number of processes on this machine; set by the launcher.")

DATASET_MAP_NPROC: Variable[int | None] = Variable(
    "DATASET_MAP_NPROC",
    int,
    None,
    "Processes of the preprocessing, where --preprocess_num_proc is not given.",
)
DATASET_ENABLE_CACHE = Variable("DATASET_ENABLE_CACHE", bool, True, "Reuse tokenized data of an earlier run.")
SWIFT_FAST_TOKENIZER = Variable(
    "SWIFT_FAST_TOKENIZER", bool, True, "Encode large data with fastokens, where it is installed and proves equal."
)
LOG_LEVEL = Variable("LOG_LEVEL", str, "INFO", "DEBUG, INFO, WARNING or ERROR.")
SWIFT_DEBUG = Variable("SWIFT_DEBUG", bool, False, "Show the traceback of every error.")
TIMEOUT = Variable("TIMEOUT", int, 20, "Seconds to wait for a download of media, a configuration file or an API call.")

SWIFT_UI_LANG: Variable[str | None] = Variable("SWIFT_UI_LANG", str, None, "Language of web-ui: zh or en.")
WEBUI_SHARE: Variable[bool | None] = Variable("WEBUI_SHARE", bool, None, "Make a public link for web-ui.")
WEBUI_SERVER: Variable[str | None] = Variable("WEBUI_SERVER", str, None, "Address that web-ui binds to.")
WEBUI_PORT: Variable[int | None] = Variable("WEBUI_PORT", int, None, "Port that web-ui binds to.")
OMP_WAIT_POLICY: Variable[str | None] = Variable(
    "OMP_WAIT_POLICY", str, None, "Whether waiting CPU threads spin (ACTIVE) or sleep (PASSIVE, what swift sets)."
)
GOMP_SPINCOUNT: Variable[int | None] = Variable(
    "GOMP_SPINCOUNT", int, None, "How long waiting CPU threads spin before they sleep; given, swift sets nothing."
)
WANDB_PROJECT = Variable("WANDB_PROJECT", str, "swift", "Project of --report_to wandb.")
MLFLOW_EXPERIMENT_NAME = Variable("MLFLOW_EXPERIMENT_NAME", str, "swift", "Experiment of --report_to mlflow.")
SWANLAB_PROJ_NAME = Variable("SWANLAB_PROJ_NAME", str, "swift", "Project of --report_to swanlab.")
PAI_TRAINING_JOB_ID: Variable[str | None] = Variable(
    "PAI_TRAINING_JOB_ID", str, None, "Set inside a PAI job: output_dir is used without a suffix."
)
PAI_OUTPUT_TENSORBOARD: Variable[str | None] = Variable(
    "PAI_OUTPUT_TENSORBOARD", str, None, "TensorBoard folder of a PAI job."
)

VARIABLES: Mapping[str, Variable[Any]] = {
    value.name: value for value in list(globals().values()) if isinstance(value, Variable)
}


def export(name: str, value: str) -> None:
    """Set a variable for this process and the ones it starts."""
    os.environ[name] = value


def let_threads_sleep() -> None:
    """Make waiting OpenMP threads sleep, unless the user has said otherwise; to be called before torch is imported.

    Spinning threads save a few percent on an idle machine, and halve the speed of a run that shares its cores.
    """
    if not OMP_WAIT_POLICY.given and not GOMP_SPINCOUNT.given:
        export(OMP_WAIT_POLICY.name, "PASSIVE")
