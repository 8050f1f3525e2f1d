"""Is a process that owes answers still at work? Two signs of one that hangs, both of which slow work cannot give.

It answers no HTTP at all: its interface is stopped or locked up, whatever its model does. Or it answers, brings no token, its own
numbers (its cache, above all) stand still, and none of its processes runs whenever it can, takes a page or reads the disk: a long
prompt on a slow machine does so all the while, one on a GPU fills the cache step by step. A loop that goes round for nothing looks like work, and is left to time-outs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from swift.environments.spawn import Work

__all__ = ["PATIENCE", "Patience", "Pulse", "hang"]

IDLE_SHARE = 0.05
"""Of the time in which it is not kept from a core, the share that a process may run for nothing but being there (vLLM's workers
look for work 40 times a second: 0.014 to 0.023)."""
IDLE_S = 0.05


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: between two looks; without a token until the engine is looked at closer; of a sign until it is believed."""

    look_s: float = 2.0
    quiet_s: float = 10.0
    hang_s: float = 60.0


PATIENCE = Patience()


@dataclass(slots=True)
class Pulse:
    """What an engine owes (answers that were asked for and have not ended) and how often something came of any of them."""

    owed: int = 0
    heard: int = 0


async def hang(
    title: str,
    pulse: Pulse,
    health: Callable[[], Awaitable[tuple[str | None, object]]],
    work: Callable[[], Work | None],
    patience: Patience = PATIENCE,
) -> str | None:
    """Watch until nothing is owed (None) or the engine hangs (a sentence about it).

    ``health`` returns when the engine has answered anything: a sentence where it says that it is lost, and its numbers, which
    move while it works. ``work``: what its processes have used up to now; None where that cannot be known.
    """
    quiet_s = mute_s = still_s = 0.0
    heard = pulse.heard
    before: Work | None = None
    numbers: object = None
    question: asyncio.Future[tuple[str | None, object]] | None = None
    try:
        while pulse.owed > 0:
            began = time.monotonic()
            await asyncio.sleep(patience.look_s)
            # Time in which this program itself was stopped, or too busy to listen, proves nothing about the engine.
            passed = min(time.monotonic() - began, 2 * patience.look_s)
            if pulse.heard != heard:
                heard, before, quiet_s, mute_s, still_s = pulse.heard, None, 0.0, 0.0, 0.0
                continue
            quiet_s += passed
            if quiet_s < patience.quiet_s:
                continue
            now = await asyncio.to_thread(work)  # it reads hundreds of small files
            still_s += passed
            if now is None or before is None or now.is_more_than(before, still_s, IDLE_SHARE, IDLE_S):
                before, still_s = now, 0.0
            mute_s += passed
            if question is None:
                question = asyncio.ensure_future(health())
            elif question.done():
                (lost, now_numbers), question, mute_s = question.result(), None, 0.0
                if lost is not None:
                    return lost
                if now_numbers != numbers:
                    numbers, still_s = now_numbers, 0.0
            owes = f"{title} hangs: {pulse.owed} answers are under way, no token came for {quiet_s:.0f} s"
            if mute_s >= patience.hang_s:
                return f"{owes}, and it does not answer /health either"
            if still_s >= patience.hang_s:
                return f"{owes}, and its processes do nothing at all"
        return None
    finally:
        if question is not None:
            question.cancel()
