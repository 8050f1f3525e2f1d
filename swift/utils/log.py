"""One logger, `swift`. It speaks on the first rank only (warnings on all), and never configures the root
logger.
"""

from __future__ import annotations

import logging
import sys

from swift.utils import environ

__all__ = ["logger", "set_level"]

logger = logging.getLogger("swift")


class _RankFilter(logging.Filter):
    """Let one process speak; the others add their warnings and errors only."""

    def filter(self, record: logging.LogRecord) -> bool:
        return environ.RANK.read() <= 0 or record.levelno >= logging.WARNING


class _RankFormatter(logging.Formatter):
    """Mark what another process than the first says with its rank."""

    def format(self, record: logging.LogRecord) -> str:
        rank = environ.RANK.read()
        return super().format(record) if rank <= 0 else f"[rank {rank}] {super().format(record)}"


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what `sys.stderr` is now: a progress bar or a test may have replaced it since the import."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self):  # type: ignore[no-untyped-def]
        """The current standard error."""
        return sys.stderr


def set_level(level: str | int) -> None:
    """Set the level by name ("INFO", "debug") or number. Raises ValueError for a name that logging does not
    know.
    """
    logger.setLevel(level.upper() if isinstance(level, str) else level)


def _set_up() -> None:
    if logger.handlers:
        return
    handler = _StderrHandler()
    handler.setFormatter(_RankFormatter("[%(levelname)s:swift] %(message)s"))
    handler.addFilter(_RankFilter())
    logger.addHandler(handler)
    logger.propagate = False  # the root belongs to the application
    level = environ.LOG_LEVEL.read()
    try:
        set_level(level)
    except ValueError:
        set_level("INFO")
        logger.warning("LOG_LEVEL=%s is not a level (DEBUG, INFO, WARNING, ERROR); INFO is used", level)


_set_up()
# It warns at every layer of every step of the dtype of its inputs, and where peft imports it of kernels that it does not need.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
