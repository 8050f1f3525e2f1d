"""Requests that are answered together, one step after the other: read pending tokens, choose the next ones, send them out.

Belongs to the engine's thread; knows nothing of threads, and of adapters only their numbers.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import torch

from swift.llm.engine.blocks import Blocks
from swift.llm.engine.cache import Cache
from swift.llm.engine.failures import readable
from swift.llm.engine.flat import FlatModel
from swift.llm.engine.images import Images
from swift.llm.engine.inflight import InFlight
from swift.llm.engine.memory import cache_tokens
from swift.llm.engine.protocol import Constraint, Limits, Step, TokenLogprob
from swift.llm.engine.sampling import check_chosen, choose, logprobs_of
from swift.llm.engine.schedule import PlaceError, Running, Schedule

__all__ = ["Batch"]


class Batch:
    """A model that reads flat batches, its cache, and who takes part in its steps. ``limits``: what it can do of those given.

    ``flat`` is ``model`` for flat batches. ``max_cached_tokens``: None takes what the machine can spare.
    """

    def __init__(
        self,
        model: Any,
        flat: FlatModel,
        in_flight: InFlight,
        limits: Limits,
        max_batch: int,
        max_step_tokens: int,
        max_cached_tokens: int | None,
    ) -> None:
        num_tokens = max_cached_tokens or cache_tokens(flat.bytes_per_token, limits.context, max_batch, flat.device)
        blocks = Blocks(num_tokens, limits.context or num_tokens)
        flat.make_room(blocks.num_places)
        self.flat, self._in_flight = flat, in_flight
        self._images = Images(model, flat)
        self.cache = Cache(blocks, flat.copy)
        self.cache_bytes = blocks.num_places * flat.bytes_per_token
        self.limits = replace(
            limits,
            context=min(limits.context or blocks.largest, blocks.largest),
            adapters=flat.layers.refusal is None,
        )
        self.schedule = Schedule(
            self.cache,
            max_batch,
            max_step_tokens,
            whole_prompts=flat.long_positions is not None,
            key_of=self._key_of,
            store=flat,
        )
        self._in_step: list[Running] = []

    def takes(self, item: Running) -> bool:
        """Whether it can be answered in steps; the images of one that can are in its ``sight`` from now on."""
        request = item.request
        if request.sampling.num_beams > 1:
            return False
        if request.media is None:
            return True
        item.sight = self._images.sight(request, item.adapter)
        if item.sight is not None:
            item.request = replace(request, media=None)
        return item.sight is not None

    def step(self) -> None:
        """One turn. Where it fails (out of memory, for one), whoever was in it is told, and all others go on."""
        self._in_step = []
        try:
            step = self.schedule.next_step()
            self._in_step = [item for item, _ in step]
            for group in self.flat.groups([pair for pair in step if not pair[0].is_unseen]):
                self._in_step = [item for item, _ in group]
                wanted = [_num_wanted(item, count) for item, count in group]
                self._take(group, wanted, self.flat.read(group, wanted).float())
            for item, count in step:
                if item.is_unseen:
                    self._in_step = [item]
                    num = _num_wanted(item, count)
                    self._take([(item, count)], [num], self._images.read(item, num).float())
        except PlaceError as error:
            self._in_flight.drop(error.item, error.error)
        except Exception as error:
            failed = readable(error)
            for item in self._in_step:
                if item in self.schedule.running:
                    self._in_flight.drop(item, failed)

    def close(self) -> None:
        """Leave the model as it was."""
        self.flat.close()

    def _key_of(self, item: Running) -> Hashable | None:
        """What cached values depend on beside the tokens; None where they depend on more than can be told."""
        if not self.flat.can_reuse:
            return None
        return item.adapter, self.flat.is_long(len(item.tokens)), item.sight.name if item.sight is not None else None

    def _take(self, group: Sequence[tuple[Running, int]], wanted: Sequence[int], logits: torch.Tensor) -> None:
        """What follows from having read a group: ``logits`` (sum of ``wanted``, V)."""
        rows, done, start = [], [], 0
        for (item, num_read), num in zip(group, wanted, strict=True):
            assert item.held is not None
            item.held.count += num_read
            if item.wants_prompt and num:
                _take_prompt_logprobs(item, logits[start : start + num])
            start += num
            if item.pending:
                continue
            if len(item.tokens) >= item.limit:  # only its prompt was to be read
                self._in_flight.send(item, Step((), "length"))
                continue
            done.append(item)
            rows.append(start - 1)
        if done:
            self._choose(done, logits if len(rows) == len(logits) else logits[rows])

    def _choose(self, items: list[Running], raw: torch.Tensor) -> None:
        """The next token of each request from ``raw`` logits (B, V); one whose grammar fails leaves alone."""
        logits = raw
        if not all(item.sampler.is_plain for item in items):
            adjusted, left = [], []
            for row, item in enumerate(items):
                try:
                    adjusted.append(item.sampler.adjust(raw[row]))
                    left.append(row)
                except Exception as error:
                    self._in_flight.drop(item, error)
            if not left:
                return
            items, raw, logits = [items[row] for row in left], raw[left], torch.stack(adjusted)
        tokens = choose(logits, [item.sampler for item in items])
        asked = [row for row, item in enumerate(items) if item.request.logprobs is not None and tokens[row] >= 0]
        found: dict[int, TokenLogprob] = {}
        if asked:
            nums = [items[row].request.logprobs or 0 for row in asked]
            found = dict(zip(asked, logprobs_of(raw[asked], [tokens[row] for row in asked], nums), strict=True))
        for row, (item, token) in enumerate(zip(items, tokens, strict=True)):
            try:
                check_chosen(token)
                self._in_flight.send(item, _answered(item, token, found.get(row)))
            except Exception as error:
                self._in_flight.drop(item, error)


def _num_wanted(item: Running, num_read: int) -> int:
    """At how many of the last tokens it reads now its logits are needed."""
    end = item.cached + num_read
    last = int(end == len(item.tokens))
    if not item.wants_prompt:
        return last
    return max(end - max(item.cached, len(item.prompt_logprobs)), last)


def _take_prompt_logprobs(item: Running, logits: torch.Tensor) -> None:
    prompt, found = item.request.prompt, item.prompt_logprobs
    tokens = prompt[len(found) + 1 : len(found) + 1 + len(logits)]
    num_top = item.request.prompt_logprobs or 0
    found += logprobs_of(logits[: len(tokens)], tokens, [num_top] * len(tokens))


def _answered(item: Running, token: int, logprob: TokenLogprob | None) -> Step:
    """The step that a chosen token makes; the token is the request's from now on."""
    item.tokens.append(token)
    logprobs = (logprob,) if logprob is not None else ()
    constraint: Constraint | None = item.sampler.constraint
    if token in item.request.stop_ids:
        return Step((token,), "stop", logprobs)
    if constraint is not None:
        constraint.accept(token)
        if constraint.is_done:
            return Step((token,), "stop", logprobs)
    return Step((token,), "length" if len(item.tokens) >= item.limit else None, logprobs)
