"""The trackers themselves, without a network: numbers, plan and a run that goes on arrive."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import importlib.util, json, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("tiny_run", sys.argv[1])
tiny = importlib.util.module_from_spec(spec)
sys.modules["tiny_run"] = tiny
spec.loader.exec_module(tiny)
from swift.trainers.sft import build_trainer

config = tiny.tiny_config(Path(sys.argv[2]), evaluation_strategy="no", logging_steps=1, max_steps=4, save_steps=2,
                          save_total_limit=None, report_to=(sys.argv[3],))
rows = tiny.Samples(24)
files = {"plan.json": json.dumps({"seed": 7, "model": {"path": "here"}})}
trainer = build_trainer(config, tiny.tiny_model(), rows, None, tiny.flat, extra_files=files)
trainer.train(Path(sys.argv[4]) if len(sys.argv) > 4 else None)
"""
TINY = Path(__file__).parents[2] / "tiny" / "trainers" / "tiny_run.py"


def run(folder: Path, tracker: str, *resume_from: Path, **environ: str) -> str:
    """Train in a process of its own, since trackers stay in one; return the tracker's id of the run."""
    words = [sys.executable, "-c", PROGRAM, str(TINY), str(folder), tracker, *map(str, resume_from)]
    done = subprocess.run(
        words, env={**os.environ, **environ}, cwd=folder.parent, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(json.loads((folder / "trackers.json").read_text())[tracker])


def needs(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow(tmp_path: Path) -> None:
    needs("mlflow")
    place = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'runs.db'}", "MLFLOW_EXPERIMENT_NAME": "mine"}
    first = run(tmp_path / "a", "mlflow", **place)
    assert run(tmp_path / "b", "mlflow", tmp_path / "a" / "checkpoint-2", **place) == first
    from mlflow import MlflowClient

    client = MlflowClient(place["MLFLOW_TRACKING_URI"])
    (found,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["plan.model.path"] == "here"
    steps = [one.step for one in client.get_metric_history(found.info.run_id, "train/loss")]
    assert steps == [1, 2, 3, 4, 3, 4]
    assert client.get_metric_history(found.info.run_id, "train/learning_rate")


def test_wandb(tmp_path: Path) -> None:
    needs("wandb")
    key = "0123456789abcdef" * 3
    place = {"WANDB_MODE": "offline", "WANDB_PROJECT": "mine", "WANDB_SILENT": "true", "WANDB_API_KEY": key}
    first = run(tmp_path / "a", "wandb", **place)
    assert run(tmp_path / "b", "wandb", tmp_path / "a" / "checkpoint-2", **place) == first
    for folder in ("a", "b"):
        (file,) = (tmp_path / folder / "wandb").glob(f"offline-run-*-{first}/run-{first}.wandb")
        told = file.read_bytes()
        assert all(word in told for word in (b"train/loss", b"train/learning_rate", b"mine", b'"here"'))
    assert not any(key.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_swanlab(tmp_path: Path) -> None:
    needs("swanlab")
    place = {"SWANLAB_MODE": "offline", "SWANLAB_PROJ_NAME": "mine"}
    first = run(tmp_path / "a", "swanlab", **place)
    assert run(tmp_path / "b", "swanlab", tmp_path / "a" / "checkpoint-2", **place) == first
    for folder in ("a", "b"):
        (kept,) = (tmp_path / folder / "swanlog").glob(f"run-*-{first}")
        assert any(b"train/loss" in path.read_bytes() for path in kept.rglob("*") if path.is_file())
