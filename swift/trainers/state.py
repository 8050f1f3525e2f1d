"""What a checkpoint must hold beside transformers' own files, so that a resumed run is the run that never stopped."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from swift.trainers.sampler import Order, Rows, Stream, fingerprint
from swift.utils.errors import CheckpointError
from swift.utils.files import write_json_atomic

STATE_FILE = "loop_state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopState:
    """The loop's counters between two logs, its best checkpoint and how far the log file had come.

    ``loss_since_log`` is the sum of step losses since the last log, ``loss_total`` of all before it; ``correct`` of
    ``counted`` predictions were right since then. ``log_bytes`` is the size of ``logging.jsonl``; ``elapsed_s`` the seconds
    trained so far. ``data`` fingerprints rows and order; ``step_size`` is samples per optimiser
    step; ``high_losses`` the watchdog's count; ``optimizer`` what the saved state belongs to; ``stream`` the place of the next batch where the data is a stream (``num_samples`` is then 0).
    """

    global_step: int
    loss_since_log: float
    loss_total: float
    last_logged_step: int
    correct: int
    counted: int
    tokens_seen: int
    log_bytes: int
    elapsed_s: float
    best_step: int | None
    best_metric: float | None
    patience_used: int
    data: str
    step_size: int
    num_samples: int
    has_optimizer: bool
    stream: dict[str, Any] | None = None
    high_losses: int = 0
    optimizer: str = ""

    def write(self, folder: Path) -> None:
        """Write it into a checkpoint that is being made."""
        write_json_atomic(folder / STATE_FILE, {"version": 1, **asdict(self)})

    @classmethod
    def read(cls, folder: Path) -> LoopState:
        """Read it. Raises CheckpointError where the folder is not a checkpoint of this trainer."""
        try:
            values = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
            return cls(
                **{field.name: values[field.name] for field in fields(cls) if field.default is MISSING},
                stream=values.get("stream"),
                high_losses=values.get("high_losses", 0),
                optimizer=values.get("optimizer", ""),
            )
        except FileNotFoundError:
            raise CheckpointError(
                f"{folder}: has no {STATE_FILE}, so it cannot be continued. "
                "To start a new run from its weights: --resume_only_model true."
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{folder}/{STATE_FILE}: damaged, or of another version ({error})") from None

    def check_optimizer(self, checkpoint: Path, optimizer: str) -> None:
        """Raise CheckpointError where the saved state is another optimizer's ("": an older checkpoint does not say)."""
        if self.optimizer and self.optimizer != optimizer:
            raise CheckpointError(
                f"{checkpoint}: was trained with {self.optimizer}, now there is {optimizer}: its state would mean nothing. Use the"
                " same --optim and settings, or --resume_only_model true to begin anew from its weights."
            )

    def check(self, checkpoint: Path, rows: Rows | Stream | None, order: Order) -> None:
        """Raise CheckpointError where a run over ``rows`` (None: whatever they are) cannot go on exactly from here."""
        if not self.has_optimizer:
            raise CheckpointError(
                f"{checkpoint}: was saved with --save_only_model true, so it cannot be continued. "
                "To start a new run from its weights: --resume_only_model true."
            )
        if rows is None or (self.data == fingerprint(rows, order) and self.step_size == order.step_size):
            return
        stays = "Use the same data, seed and batch sizes; or --ignore_data_skip true to begin the data anew, or --resume_only_model true."
        if isinstance(rows, Stream) and self.step_size == order.step_size:
            raise CheckpointError(
                f"{checkpoint}: cannot be continued exactly: the stream is another one. Its files, their order, the template, "
                f"--dataset_seed, the buffer or this program's version differ. {stays}"
            )
        before = f"{self.num_samples:,} rows, " if self.num_samples else ""
        now = "" if isinstance(rows, Stream) else f"{len(rows):,} rows, "
        raise CheckpointError(
            f"{checkpoint}: cannot be continued exactly: it was trained on {before}{self.step_size} a step; now there are "
            f"{now}{order.step_size} a step, or their lengths, --dataset_seed or their order differ. {stays}"
        )
