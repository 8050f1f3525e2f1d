"""A polite stop: the first SIGINT or SIGTERM is remembered, the second one ends the process at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether someone asked the run to stop. Used as a context, it listens; the old listeners come back after."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        self.signal = None
        if threading.current_thread() is threading.main_thread():  # Python gives signals to no other thread
            self._before = {number: signal.signal(number, self._remember) for number in SIGNALS}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, listener in self._before.items():
            signal.signal(number, listener)
        self._before = {}

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        for listened in SIGNALS:
            signal.signal(listened, signal.SIG_DFL)
        # os.write: Python's own streams may be in the middle of a write that this handler has interrupted
        message = f"\n{self.signal.name}: finishing this step and saving a checkpoint; once more stops at once\n"
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, message.encode())

    @property
    def exit_code(self) -> int:
        """What a shell reports for a process that this signal ended: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + (self.signal or 0)
