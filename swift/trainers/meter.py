"""What a run has seen so far, and how fast, as its log tells it: tokens, right predictions, time.

Knows no trainer and no file; a run that goes on from a checkpoint counts on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from swift.trainers.metrics import duration, peak_memory_gib
from swift.trainers.state import LoopState

__all__ = ["Meter"]


class Meter:
    """Counts of this rank, added up over all ranks by ``add_up`` (None: there is one) when somebody asks for them.

    ``logged_step``: the step of the last training numbers.
    """

    def __init__(self, device: torch.device, add_up: Callable[[torch.Tensor], torch.Tensor] | None = None) -> None:
        self._device, self._add_up = device, add_up
        self.begin(None, is_main=True)

    def begin(self, earlier: LoopState | None, *, is_main: bool) -> None:
        """Count from nothing, or from where ``earlier`` stands; its counts are sums over ranks, so the main one takes them."""
        taken = earlier if is_main else None
        self._correct = torch.zeros((), dtype=torch.int64, device=self._device)
        if taken is not None:
            self._correct += taken.correct
        self._counted: torch.Tensor | int = taken.counted if taken is not None else 0
        self._tokens = taken.tokens_seen if taken is not None else 0
        self._first_step = self.logged_step = earlier.global_step if earlier is not None else 0
        self._logged_tokens = earlier.tokens_seen if earlier is not None else 0
        self._seconds_before = earlier.elapsed_s if earlier is not None else 0.0
        self._began = self._logged_at = time.monotonic()

    def add_tokens(self, count: int) -> None:
        """Tokens that were read."""
        self._tokens += count

    def add_predictions(self, correct: torch.Tensor, counted: torch.Tensor | int) -> None:
        """How many were right, of how many; nothing waits for the device."""
        self._correct += correct
        self._counted = self._counted + counted

    def totals(self) -> tuple[int, int, int]:
        """Right predictions, predictions looked at (both since the last log) and tokens seen, over all ranks."""
        tokens = torch.tensor(self._tokens, device=self._device)
        counts = torch.stack([self._correct, torch.as_tensor(self._counted, device=self._device), tokens])
        if self._add_up is not None:
            counts = self._add_up(counts)
        correct, counted, tokens_seen = counts.tolist()
        return correct, counted, tokens_seen

    @property
    def elapsed_s(self) -> float:
        """Seconds of training, those before a checkpoint included."""
        return time.monotonic() - self._began + self._seconds_before

    def training_numbers(self, step: int, *, with_tokens: bool) -> dict[str, Any]:
        """Accuracy, memory and speed since the last time; ``with_tokens``: how many tokens there were, too."""
        correct, counted, tokens_seen = self.totals()
        now = time.monotonic()
        seconds = max(now - self._logged_at, 1e-9)
        found: dict[str, Any] = {"token_acc": correct / counted} if counted else {}
        found |= {
            "memory(GiB)": round(peak_memory_gib(self._device), 3),
            "train_speed(iter/s)": round((step - self.logged_step) / seconds, 6),
            "tokens/s": round((tokens_seen - self._logged_tokens) / seconds, 2),
        }
        if with_tokens:
            found["num_input_tokens_seen"] = tokens_seen
        self._correct.zero_()
        self._counted = 0
        self._logged_at, self._logged_tokens, self.logged_step = now, tokens_seen, step
        return found

    def progress(self, step: int, max_steps: int) -> dict[str, Any]:
        """How far the run is, and how long it will still take at the speed since it began."""
        seconds, done = time.monotonic() - self._began, step - self._first_step
        remaining = seconds / done * (max_steps - step) if done else 0.0
        return {
            "global_step": step,
            "global_step/max_steps": f"{step}/{max_steps}",
            "percentage": f"{100 * step / max(max_steps, 1):.2f}%",
            "elapsed_time": duration(self.elapsed_s),
            "remaining_time": duration(remaining),
        }
