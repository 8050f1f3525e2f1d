# ruff: noqa: D102 - the events are those of transformers, and documented there
"""Weights & Biases, MLflow and SwanLab: numbers, plan and arguments of a run, told to whichever ``--report_to`` names.

Where and as whom is said to each of them in its own environment variables (WANDB_MODE, WANDB_PROJECT, MLFLOW_TRACKING_URI,
MLFLOW_EXPERIMENT_NAME, SWANLAB_MODE, SWANLAB_PROJ_NAME, …), which they read themselves. The name of a run is that of its folder, or
``--hf_args '{"run_name": …}'``. A run that goes on from a checkpoint goes on in the same run of the tracker: its id lies in the
run folder. Other trackers are driven by transformers.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from swift.utils.environ import MLFLOW_EXPERIMENT_NAME, SWANLAB_PROJ_NAME, WANDB_PROJECT
from swift.utils.errors import ArgumentError, DataError
from swift.utils.files import read_json, write_json_atomic
from swift.utils.log import logger

__all__ = ["IDS_FILE", "TRACKERS", "Tracker", "Tracking"]

IDS_FILE = "trackers.json"
"""The run's id at each tracker, in the run folder."""


class Tracker(Protocol):
    """One tracker, for one run."""

    def start(self, name: str, folder: Path, config: Mapping[str, Any], run_id: str | None) -> str:
        """Begin a run of that name, or go on with ``run_id``; return its id. ``folder`` is for files of the tracker's own."""

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        """Tell numbers of a step."""

    def finish(self, *, failed: bool) -> None:
        """Send the rest and end the run."""


class Wandb:
    """Weights & Biases."""

    def start(self, name: str, folder: Path, config: Mapping[str, Any], run_id: str | None) -> str:
        import wandb

        self._run = wandb.init(
            project=WANDB_PROJECT.read(), name=name, dir=str(folder), config=dict(config), id=run_id, resume="allow",
            allow_val_change=True,
        )  # fmt: skip
        # its own count of logs cannot go back, and a killed run is taken up at an earlier step
        self._run.define_metric("train/global_step")
        self._run.define_metric("*", step_metric="train/global_step", step_sync=True)
        return str(self._run.id)

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        self._run.log({**numbers, "train/global_step": step})

    def finish(self, *, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


class Mlflow:
    """MLflow. Its parameters are short texts, so plan and arguments are files of the run as well."""

    def start(self, name: str, folder: Path, config: Mapping[str, Any], run_id: str | None) -> str:
        import mlflow

        self._mlflow = mlflow
        mlflow.set_experiment(MLFLOW_EXPERIMENT_NAME.read())
        run = mlflow.start_run(run_id=run_id) if run_id else mlflow.start_run(run_name=name)
        if not run_id:  # a parameter is written once
            longest = mlflow.utils.validation.MAX_PARAM_VAL_LENGTH
            flat = {_allowed(key): str(value) for key, value in _flat(config) if len(str(value)) <= longest}
            pairs, most = list(flat.items()), mlflow.utils.validation.MAX_PARAMS_TAGS_PER_BATCH
            for start in range(0, len(pairs), most):
                mlflow.log_params(dict(pairs[start : start + most]))
            for key, value in config.items():
                mlflow.log_dict(value, f"{key}.json")
        return str(run.info.run_id)

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        self._mlflow.log_metrics({_allowed(key): value for key, value in numbers.items()}, step=step)

    def finish(self, *, failed: bool) -> None:
        self._mlflow.end_run("FAILED" if failed else "FINISHED")


class Swanlab:
    """SwanLab."""

    def start(self, name: str, folder: Path, config: Mapping[str, Any], run_id: str | None) -> str:
        import swanlab

        self._swanlab = swanlab
        run = swanlab.init(
            project=SWANLAB_PROJ_NAME.read(), name=name, config=json.loads(json.dumps(config)), id=run_id,
            resume="allow" if run_id else None, log_dir=str(folder / "swanlog"),
        )  # fmt: skip
        return str(run.id)

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        self._swanlab.log(dict(numbers), step=step)

    def finish(self, *, failed: bool) -> None:
        self._swanlab.finish(state="crashed" if failed else "success")


TRACKERS: Mapping[str, Callable[[], Tracker]] = {"wandb": Wandb, "mlflow": Mlflow, "swanlab": Swanlab}
"""The trackers that are driven here, by their names in ``--report_to``."""


class Tracking(TrainerCallback):
    """Tells one tracker what is logged, from the first process only.

    A tracker that cannot be reached when training begins stops the run, with what to do; one that fails later is said once and left
    alone, for a run of hours is worth more than its picture. ``config`` are the texts of JSON files by name: plan and arguments.
    """

    def __init__(self, name: str, folder: Path, config: Mapping[str, str | bytes]) -> None:
        self.name = name
        self.folder = folder
        self.config = config
        self.earlier: Path | None = None
        """The run folder of the checkpoint that the run goes on from."""
        self._tracker: Tracker | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        title = args.run_name or "-".join(self.folder.resolve().parts[-2:])
        config = {
            Path(name).stem: json.loads(content) for name, content in self.config.items() if name.endswith(".json")
        }
        tracker = TRACKERS[self.name]()
        try:
            run_id = tracker.start(title, self.folder, config, self._earlier_id())
        except Exception as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ArgumentError(
                f"--report_to {self.name}: cannot begin a run there: {first} Log in, or keep the run on this machine with"
                f" {OFFLINE[self.name]}, or leave it out."
            ) from error
        self._tracker = tracker
        ids = read_json(self.folder / IDS_FILE) if (self.folder / IDS_FILE).is_file() else {}
        write_json_atomic(self.folder / IDS_FILE, {**ids, self.name: run_id})

    def _earlier_id(self) -> str | None:
        file = self.earlier / IDS_FILE if self.earlier is not None else None
        if file is None or not file.is_file():
            return None
        try:
            return str(read_json(file)[self.name])
        except (DataError, KeyError):
            return None  # another tracker's run, or a cut file: begin a new run

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._tracker is None:
            return
        numbers = {
            (f"eval/{key.removeprefix('eval_')}" if key.startswith("eval_") else f"train/{key}"): value
            for key, value in kwargs["logs"].items()
            if isinstance(value, int | float)
        }
        try:
            self._tracker.log(numbers, state.global_step)
        except Exception as error:
            self._leave(error)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._tracker is None:
            return
        try:
            self._tracker.finish(failed=sys.exc_info()[0] is not None)
        except Exception as error:
            self._leave(error)
        self._tracker = None

    def _leave(self, error: Exception) -> None:
        logger.warning("--report_to %s: stopped working (%s); training goes on without it", self.name, error)
        self._tracker = None


OFFLINE = {
    "wandb": "WANDB_MODE=offline", "mlflow": "MLFLOW_TRACKING_URI=sqlite:///mlflow.db", "swanlab": "SWANLAB_MODE=offline",
}  # fmt: skip


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """``{"plan": {"seed": 1}}`` as ``[("plan.seed", 1)]``."""
    pairs: list[tuple[str, Any]] = []
    for key, value in config.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(f"{prefix}{key}", value)]
    return pairs


def _allowed(name: str) -> str:
    """A name with the signs that MLflow takes."""
    return re.sub(r"[^0-9A-Za-z_\-. :/]", "_", name)
