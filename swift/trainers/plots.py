"""Pictures of a run, drawn from its ``logging.jsonl``. Knows no trainer; imports matplotlib when something is drawn."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from swift.utils.files import disk_error

# name of the picture -> (key of the log, title, label of the y axis)
PICTURES: dict[str, tuple[str, str, str]] = {
    "train_loss": ("loss", "Training loss", "loss per trained token (nats)"),
    "train_token_acc": ("token_acc", "Training accuracy", "share of right predictions"),
    "eval_loss": ("eval_loss", "Evaluation loss", "loss per trained token (nats)"),
    "eval_token_acc": ("eval_token_acc", "Evaluation accuracy", "share of right predictions"),
    "learning_rate": ("learning_rate", "Learning rate", "learning rate"),
    "grad_norm": ("grad_norm", "Gradient norm before clipping", "L2 norm"),
    "memory": ("memory(GiB)", "Peak memory", "GiB"),
    "tokens_per_second": ("tokens/s", "Speed", "tokens per second, without padding"),
}
SMOOTHED = frozenset({"loss", "token_acc", "grad_norm"})


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of ``logging.jsonl``; a last line that a killed process cut short is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def series(rows: list[dict[str, Any]], key: str) -> tuple[list[int], list[float]]:
    """Steps and finite values of one quantity."""
    points = [(row["global_step"], row[key]) for row in rows if isinstance(row.get(key), int | float)]
    finite = [(step, float(value)) for step, value in points if math.isfinite(value)]
    return [step for step, _ in finite], [value for _, value in finite]


def smooth(values: list[float], weight: float = 0.9) -> list[float]:
    """Exponential mean with the start's bias taken out, as in Adam (Kingma and Ba 2015, section 3)."""
    mean, smoothed = 0.0, []
    for count, value in enumerate(values, start=1):
        mean = weight * mean + (1 - weight) * value
        smoothed.append(mean / (1 - weight**count))
    return smoothed


def draw(log_path: Path, folder: Path) -> list[Path]:
    """Draw a PNG for each quantity that the log holds, and return their paths. Raises DiskError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = read_log(log_path)
    extra = {
        key: (key, key.removeprefix("eval_"), key)
        for row in rows
        for key in row
        if key.startswith("eval_") and not key.endswith(("_runtime", "_per_second")) and key not in PICTURES
    }
    written = []
    for name, (key, title, label) in {**PICTURES, **extra}.items():
        steps, values = series(rows, key)
        if not steps:
            continue
        figure = Figure(figsize=(8, 5), dpi=100)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.12, 0.12, 0.85, 0.79))  # fixed: matplotlib's own layout doubles the time to draw
        dense = len(values) > 10 and key in SMOOTHED
        axes.plot(steps, values, color="#4c78a8", alpha=0.35 if dense else 1.0, marker="" if len(values) > 30 else "o")
        if dense:
            axes.plot(steps, smooth(values), color="#4c78a8", label="smoothed (0.9)")
            axes.legend()
        axes.set(title=title, xlabel="optimiser step", ylabel=label)
        axes.grid(alpha=0.3)
        path = folder / f"{name.replace('/', '_')}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(path)
        except OSError as error:
            raise disk_error(error, path) from error
        written.append(path)
    return written
