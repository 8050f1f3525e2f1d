"""Progress bars belong on a terminal; a log file gets lines. Holds back the bars that transformers draws by itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["foreign_bars"]


@contextmanager
def foreign_bars(*, shown: bool) -> Iterator[None]:
    """Let transformers draw its own progress bars within the block, on a terminal, only if they are wanted."""
    from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

    if (shown and sys.stderr.isatty()) or not is_progress_bar_enabled():
        yield
        return
    disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        enable_progress_bar()  # type: ignore[no-untyped-call]
