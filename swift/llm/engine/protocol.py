"""What every engine offers, and what travels in and out of it. Knows no text, no template and no tensor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from swift.llm.core import Sampling
from swift.utils.errors import EngineError

Finish: TypeAlias = Literal["stop", "length", "abort"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an engine can do. ``context``: tokens of prompt and answer together, None where it has no bound.

    ``logprobs``, ``adapters``, ``media``, ``beams``: whether such requests are honoured; others are refused.
    """

    context: int | None = None
    logprobs: bool = False
    adapters: bool = False
    media: bool = False
    beams: bool = False


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One prompt as token ids. ``id`` is unique among the requests in flight.

    ``stop_ids`` end the answer; the one that did is the answer's last id. ``sampling.stop`` (text) is not the engine's
    business: whoever knows the text aborts the request. ``adapter`` names one of several loaded adapters.
    """

    id: str
    prompt: tuple[int, ...]
    sampling: Sampling
    stop_ids: tuple[int, ...] = ()
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """New tokens of one request. ``finish`` is set on the last step only, which may hold no token.

    ``stop``: a stop id came (it is in ``token_ids``). ``length``: the token limit or the context is used up.
    """

    token_ids: tuple[int, ...]
    finish: Finish | None = None


class Engine(Protocol):
    """Token ids in, token ids out. Knows no text and no template."""

    limits: Limits

    def generate(self, request: GenerateRequest) -> AsyncIterator[Step]:
        """The steps of one answer as they come. Leaving the iteration early frees the request's place at once.

        Raises EngineError for a request that cannot be honoured.
        """

    async def score(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """Natural log-probabilities of ``ids[i][1:]``, each given all before it: one list, T - 1 long, a sequence."""

    async def abort(self, request_id: str) -> None:
        """End a request; its iteration ends with a step whose finish is ``abort``. Unknown ids are ignored."""

    async def close(self) -> None:
        """End all requests with ``abort`` and free what the engine holds. May be called twice."""


def check_request(request: GenerateRequest, limits: Limits) -> int:
    """The number of tokens that ``request`` may have in all, prompt included.

    Raises EngineError for an empty or too long prompt, and for settings that ``limits`` or plain sense exclude.
    """
    sampling, used = request.sampling, len(request.prompt)
    wanted = sampling.max_new_tokens
    for wrong, message in (
        (used == 0, "the prompt is empty: it needs at least one token."),
        (wanted is not None and wanted < 1, f"max_new_tokens is {wanted}; at least 1 is needed."),
        (request.adapter is not None and not limits.adapters, f"adapter {request.adapter!r}: none are loaded by name."),
        (sampling.num_beams > 1 and not limits.beams, f"num_beams {sampling.num_beams}: this engine has no beams."),
        (sampling.temperature < 0, f"temperature is {sampling.temperature}; it must be 0 or more."),
        (not 0 < sampling.top_p <= 1, f"top_p is {sampling.top_p}; it must be above 0 and at most 1."),
        (sampling.top_k < 0, f"top_k is {sampling.top_k}; it must be 0 (off) or more."),
        (sampling.repetition_penalty <= 0, f"repetition_penalty is {sampling.repetition_penalty}; it must be above 0."),
    ):
        if wrong:
            raise EngineError(message)
    if limits.context is None:
        if wanted is None:
            raise EngineError("max_new_tokens is needed: the engine has no context length to stop at.")
        return used + wanted
    if used >= limits.context:
        raise EngineError(
            f"the prompt has {used:,} tokens, the model's context holds {limits.context:,} with the answer."
            " Shorten the prompt or clear the history."
        )
    return limits.context if wanted is None else min(limits.context, used + wanted)
