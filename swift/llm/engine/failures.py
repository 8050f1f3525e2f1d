"""What torch says when it fails, as our errors with advice."""

from __future__ import annotations

import torch

from swift.utils.errors import EngineError, EngineFailedError
from swift.utils.log import logger

__all__ = ["readable"]


def readable(error: Exception) -> EngineError:
    """``error`` itself where it is ours, else an EngineFailedError with advice where there is some; it is in the log then, too."""
    if isinstance(error, EngineError):
        return error
    advice = ""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error):
        advice = " Lower --max_batch_size or --max_new_tokens, or load the model in bf16."
    found = EngineFailedError(f"generation failed: {type(error).__name__}: {error}.{advice}")
    found.__cause__ = error
    logger.error("%s", found)  # clients of a server are not told
    logger.debug("where it failed", exc_info=error)
    return found
