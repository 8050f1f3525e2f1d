"""How likely a model finds the labels: perplexity, and how often its likeliest token is the label's.

Measured on the tokens that training would learn from, each given the prompt and the label before it.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from swift.llm.core import Conversation, Encoded, Message, Sampling
from swift.llm.engine.protocol import Engine, GenerateRequest
from swift.llm.template import Template
from swift.utils.errors import DataError, EngineError

__all__ = ["Likelihood", "label_tokens", "measure"]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Sums over all labels. ``num_right`` is None where the engine does not tell its likeliest tokens.

    ``num_skipped`` labels could not be measured: with their prompt they are longer than the context, or do not fit the template,
    or their images cannot be read.
    """

    num_labels: int
    num_skipped: int
    num_tokens: int
    logprob: float
    num_right: int | None

    def scores(self) -> dict[str, float]:
        """``perplexity`` a token, and ``token_accuracy`` in percent; empty where there was no token."""
        if self.num_tokens == 0:
            return {}
        scores = {"perplexity": math.exp(-self.logprob / self.num_tokens)}
        if self.num_right is not None:
            scores["token_accuracy"] = 100 * self.num_right / self.num_tokens
        return scores


def label_tokens(
    template: Template, conversation: Conversation, label: str
) -> tuple[tuple[int, ...], list[int]] | None:
    """The ids of a question with its label (T,), and at which of them the label's tokens are; None where it does not fit."""
    whole = replace(conversation, messages=(*conversation.messages, Message("assistant", label)))
    try:
        start = len(template.encode_prompt(conversation))
        sample = template.encode(whole)
    except DataError:
        return None
    if not isinstance(sample, Encoded) or sample.cut_tokens:
        return None
    places = [place for place in range(max(start, 1), len(sample)) if sample.trained[place]]
    return (tuple(int(id_) for id_ in sample.input_ids), places) if places else None


class Prepared(Protocol):
    """A prompt with what the model reads beside its ids (T,)."""

    @property
    def ids(self) -> tuple[int, ...]: ...
    @property
    def media(self) -> Mapping[str, Any] | None: ...


Prepare = Callable[[Conversation, tuple[int, ...]], Prepared]
"""A conversation with images, and ids that follow it, as the engine is to read them (`ChatService.prepare`)."""


async def measure(
    engine: Engine,
    template: Template,
    pairs: Iterable[tuple[Conversation, str]],
    prepare: Prepare,
    *,
    adapter: str | None = None,
    max_batch: int = 16,
) -> Likelihood:
    """Measure questions with their labels, ``max_batch`` at a time.

    Raises EngineError where the engine gives no log-probabilities of given text.
    """
    free = asyncio.Semaphore(max_batch)

    async def one(conversation: Conversation, label: str) -> tuple[float, int, int | None] | None:
        async with free:
            found: tuple[tuple[int, ...], list[int], Mapping[str, Any] | None] | None
            if conversation.media:
                found = await asyncio.to_thread(_behind_images, template, conversation, label, prepare)
            else:
                told = label_tokens(template, conversation, label)
                found = None if told is None else (*told, None)
            if found is None or (engine.limits.context is not None and len(found[0]) >= engine.limits.context):
                return None
            return await _of(engine, *found, adapter)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(*pair)) for pair in pairs]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    results = [task.result() for task in tasks]
    measured = [result for result in results if result is not None]
    right = [count for _, _, count in measured if count is not None]
    return Likelihood(
        num_labels=len(measured),
        num_skipped=len(results) - len(measured),
        num_tokens=sum(size for _, size, _ in measured),
        logprob=sum(total for total, _, _ in measured),
        num_right=sum(right) if len(right) == len(measured) else None,
    )


def _behind_images(
    template: Template, conversation: Conversation, label: str, prepare: Prepare
) -> tuple[tuple[int, ...], list[int], Mapping[str, Any] | None] | None:
    """As `label_tokens`, with what the images are to the model.

    A sample begins with its prompt, so what follows a prompt is the same whatever the images in it are: it is that of the
    question with words in their place.
    """
    messages = conversation.messages
    for media in conversation.media:
        messages = tuple(replace(one, content=one.content.replace(media.written, "image")) for one in messages)
    in_words = replace(conversation, messages=messages, media=())
    found = label_tokens(template, in_words, label)
    if found is None:
        return None
    ids, places = found
    start = len(template.encode_prompt(in_words))
    try:
        whole = prepare(conversation, ids[start:])
    except DataError:
        return None
    shift = len(whole.ids) - len(ids)
    return whole.ids, [place + shift for place in places], whole.media


async def _of(
    engine: Engine, ids: tuple[int, ...], places: list[int], media: Mapping[str, Any] | None, adapter: str | None
) -> tuple[float, int, int | None]:
    """Log-probability of the tokens at some places, their number, and how many of them are the likeliest."""
    if not engine.limits.logprobs:
        if adapter is not None or media is not None:
            raise EngineError("this engine gives no log-probabilities of text under an adapter or behind images.")
        [scores] = await engine.score([ids])
        return sum(scores[place - 1] for place in places), len(places), None
    request = GenerateRequest(
        uuid.uuid4().hex, ids, Sampling(max_new_tokens=1), adapter=adapter, prompt_logprobs=1, media=media
    )
    async for step in engine.generate(request):
        if step.prompt_logprobs:
            told = [step.prompt_logprobs[place - 1] for place in places]
            return sum(one.logprob for one in told), len(told), sum(one.top[0][0] == one.token for one in told)
    raise EngineError("the engine gave no log-probabilities of the prompt.")
