"""What every engine offers, and what travels in and out of it. Knows no text, no template and no tensor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from swift.llm.core import Grammar, Sampling
from swift.utils.errors import EngineError, EngineFailedError

Finish: TypeAlias = Literal["stop", "length", "abort"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an engine can do. ``context``: tokens of prompt and answer together, None where it has no bound.

    ``logprobs``: the most alternatives a token that a request may ask for, None where it gives no log-probabilities.
    ``adapters``, ``media``, ``beams``, ``grammars``, ``embeddings``, ``answers``: whether such requests are honoured; others are refused.
    ``pictures``: the most images of a prompt that it reads from their files itself (0: it does not), where ``media`` means that
    it is given the model's inputs for them.
    """

    context: int | None = None
    logprobs: int | None = None
    adapters: bool = False
    media: bool = False
    beams: bool = False
    grammars: bool = False
    embeddings: bool = False
    answers: bool = True
    pictures: int = 0


@dataclass(frozen=True, slots=True)
class Pictures:
    """A prompt's images for an engine with a processor of its own. ``files``: each as PNG, in their order.

    ``folded``: the prompt with one token of the model in the place of each image's tokens. What the engine's processor makes of
    it must be the prompt, token for token.
    """

    files: tuple[bytes, ...]
    folded: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One prompt as token ids. ``id`` is unique among the requests in flight.

    ``stop_ids`` end the answer; the one that did is the answer's last id. ``sampling.stop`` (text) is not the engine's
    business: whoever knows the text aborts the request. ``adapter`` names one of several loaded adapters, None is the
    model as it was opened. ``logprobs``: give the log-probability of each new token and of that many likeliest ones beside
    it; ``prompt_logprobs`` the same for each token of the prompt but the first. ``grammar`` bounds what may be written.
    ``media``: what the model reads beside the ids, by the names of its forward (pixels, sizes, which ids stand for them);
    ``pictures`` are the same images for engines that read them themselves.
    """

    id: str
    prompt: tuple[int, ...]
    sampling: Sampling
    stop_ids: tuple[int, ...] = ()
    adapter: str | None = None
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    grammar: Grammar | None = None
    media: Mapping[str, Any] | None = None
    pictures: Pictures | None = None


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """Natural log-probability of ``token`` under the model's own distribution (before temperature, penalties and filters).

    ``top``: the likeliest tokens with theirs, likeliest first; it holds ``token`` only if it is one of them.
    """

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """New tokens of one request. ``finish`` is set on the last step only, which may hold no token.

    ``stop``: a stop id came (it is in ``token_ids``). ``length``: the token limit or the context is used up.
    ``logprobs``: one a token of ``token_ids`` where the request asked for them. ``prompt_logprobs`` (T - 1) are said with the
    first step only, ``num_reused`` (tokens of the prompt that were found in the cache) with one step, the first or the last.
    """

    token_ids: tuple[int, ...]
    finish: Finish | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    prompt_logprobs: tuple[TokenLogprob, ...] = ()
    num_reused: int = 0


@dataclass(frozen=True, slots=True)
class EngineStats:
    """An engine at one moment. ``cache_used``: share of the key/value cache that running requests hold, 0 to 1.

    ``prompt_tokens``, ``reused_tokens`` and ``answer_tokens`` count since the engine was opened.
    """

    num_waiting: int = 0
    num_running: int = 0
    cache_used: float = 0.0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    answer_tokens: int = 0


class Constraint(Protocol):
    """What a grammar allows next in one answer; made from a ``Grammar`` by whoever knows the tokenizer."""

    def mask(self, logits: Any) -> Any:
        """``logits`` (V,) with all that may not come next set to -inf; it may write into what it is given."""

    def accept(self, token: int) -> None:
        """``token`` was chosen. Raises EngineError for one that may not come."""

    @property
    def is_done(self) -> bool:
        """Whether nothing may follow: the answer ends here with ``stop``."""


class Engine(Protocol):
    """Token ids in, token ids out. Knows no text and no template."""

    limits: Limits

    def generate(self, request: GenerateRequest) -> AsyncIterator[Step]:
        """The steps of one answer as they come. Leaving the iteration early frees the request's place at once.

        Raises EngineError for a request that cannot be honoured.
        """

    async def score(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """Natural log-probabilities of ``ids[i][1:]``, each given all before it: one list, T - 1 long, a sequence."""

    async def embed(self, ids: Sequence[Sequence[int]]) -> list[list[float]]:
        """One vector a sequence, of length 1. Raises EngineError where ``limits.embeddings`` is false."""

    async def load_adapter(self, name: str, folder: str) -> None:
        """Make the adapter in ``folder`` available to requests as ``name``. Raises EngineError where it cannot be."""

    async def unload_adapter(self, name: str) -> None:
        """Forget an adapter once the requests that use it have ended. Raises EngineError for an unknown name."""

    async def stats(self) -> EngineStats:
        """Where it stands now."""

    async def abort(self, request_id: str) -> None:
        """End a request; its iteration ends with a step whose finish is ``abort``. Unknown ids are ignored."""

    async def failure(self) -> EngineFailedError:
        """Why it can answer no more; waits until that is so without anybody having closed it, for most engines without end."""

    async def close(self) -> None:
        """End all requests with ``abort`` and free what the engine holds. May be called twice."""


def check_lengths(ids: Sequence[Sequence[int]], most: int | None, done: str) -> None:
    """Raises EngineError for a sequence without tokens, or with more than ``most`` (None: any number) that can be ``done``."""
    for sequence in ids:
        if not sequence or (most is not None and len(sequence) > most):
            bound = f"{most:,}" if most is not None else "any number"
            raise EngineError(f"a sequence of {len(sequence):,} tokens; 1 to {bound} can be {done}.")


def check_request(request: GenerateRequest, limits: Limits) -> int:
    """The number of tokens that ``request`` may have in all, prompt included.

    Raises EngineError for an empty or too long prompt, and for settings that ``limits`` or plain sense exclude.
    """
    sampling, used = request.sampling, len(request.prompt)
    wanted = sampling.max_new_tokens
    for wrong, message in (
        (not limits.answers, "this engine was started for embeddings, and answers no prompt."),
        (used == 0, "the prompt is empty: it needs at least one token."),
        (wanted is not None and wanted < 1, f"max_new_tokens is {wanted}; at least 1 is needed."),
        (request.adapter is not None and not limits.adapters, f"adapter {request.adapter!r}: none are loaded by name."),
        (sampling.num_beams > 1 and not limits.beams, f"num_beams {sampling.num_beams}: this engine has no beams."),
        (sampling.temperature < 0, f"temperature is {sampling.temperature}; it must be 0 or more."),
        (not 0 < sampling.top_p <= 1, f"top_p is {sampling.top_p}; it must be above 0 and at most 1."),
        (sampling.top_k < 0, f"top_k is {sampling.top_k}; it must be 0 (off) or more."),
        (sampling.repetition_penalty <= 0, f"repetition_penalty is {sampling.repetition_penalty}; it must be above 0."),
        (not 0 <= sampling.min_p <= 1, f"min_p is {sampling.min_p}; it must be from 0 to 1."),
        (
            max(request.logprobs or 0, request.prompt_logprobs or 0) > (limits.logprobs or 0),
            f"log-probabilities of {max(request.logprobs or 0, request.prompt_logprobs or 0)} tokens; this engine gives at most"
            f" {limits.logprobs or 0}.",
        ),
        (
            limits.logprobs is None and (request.logprobs, request.prompt_logprobs) != (None, None),
            "log-probabilities: this engine gives none.",
        ),
        (request.grammar is not None and not limits.grammars, "a grammar for the answer: this engine takes none."),
        (request.media is not None and not limits.media, "images in the prompt: this engine takes none."),
        (
            request.pictures is not None and len(request.pictures.files) > limits.pictures,
            f"images in the prompt: this engine reads at most {limits.pictures:,}.",
        ),
        (
            request.pictures is not None and request.prompt_logprobs is not None,
            "log-probabilities of a prompt with images: this engine gives none.",
        ),
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
