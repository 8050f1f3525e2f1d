"""The next tokens from logits, each request with its own settings and random numbers. Knows no model and no text.

The order: logit bias, repetition penalty (CTRL, arXiv:1909.05858; over prompt and answer), frequency and presence penalty
(OpenAI's; over the answer), grammar, as vLLM has it; then temperature, top-k, top-p (arXiv:1904.09751), min-p
(arXiv:2407.01082), as transformers has it: each filter renormalises what the one before left.

A draw inverts the distribution in the order of token ids, with one number a token from the request's own generator. So a
seed gives the same answer alone and in any batch, unless a number falls within rounding (about 1e-6) of a border between
two tokens: an order by likelihood would swap equally likely ones at every such rounding.

Alphabet: ``B`` requests, ``V`` vocabulary, ``K`` candidates.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from swift.llm.core import Sampling
from swift.llm.engine.protocol import Constraint, TokenLogprob
from swift.utils.errors import EngineError

__all__ = ["Sampler", "check_chosen", "choose", "logprobs_of"]

_CANDIDATES = 1024  # what top-p and min-p keep is nearly always among so many; where not, all are sorted
_NUMBERS = 64  # drawn at once
_COLDEST = 1e-6  # below this a temperature tells nothing from 0, and fp32 cannot divide by it


class Sampler:
    """One request's sampling: its settings, its own generator, what its text holds already, and its grammar."""

    def __init__(
        self, sampling: Sampling, prompt: Sequence[int], num_tokens: int, constraint: Constraint | None = None
    ) -> None:
        self.sampling = sampling
        self.constraint = constraint
        self.greedy = not sampling.do_sample or sampling.temperature < _COLDEST
        self._generator: torch.Generator | None = None
        self._numbers: list[float] = []
        if not self.greedy:
            # On the CPU whatever the model's device: one seed gives one sequence of numbers everywhere.
            self._generator = torch.Generator("cpu")
            if sampling.seed is None:
                self._generator.seed()
            else:
                self._generator.manual_seed(sampling.seed)
        self._seen: torch.Tensor | None = None
        self._counts: torch.Tensor | None = None
        self._bias: tuple[torch.Tensor, torch.Tensor] | None = None
        if sampling.repetition_penalty != 1:
            self._seen = torch.zeros(num_tokens, dtype=torch.bool)
            self._seen[[token for token in prompt if token < num_tokens]] = True  # others are read, and never written
        if sampling.presence_penalty or sampling.frequency_penalty:
            self._counts = torch.zeros(num_tokens)
        if sampling.logit_bias:
            ids, values = zip(*sampling.logit_bias, strict=True)
            self._bias = torch.tensor(ids), torch.tensor(values)

    @property
    def is_plain(self) -> bool:
        """Whether logits are taken as they come."""
        return self._seen is None and self._counts is None and self._bias is None and self.constraint is None

    def adjust(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (V,), fp32, with bias, penalties and grammar: a new tensor, or the same where there is none of them."""
        if self.is_plain:
            return logits
        logits = logits.clone()
        if self._bias is not None:
            ids, values = self._bias
            logits[ids.to(logits.device)] += values.to(logits)
        if self._seen is not None:
            self._seen, penalty = self._seen.to(logits.device), self.sampling.repetition_penalty
            logits = torch.where(self._seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)
        if self._counts is not None:
            self._counts = self._counts.to(logits.device)
            logits -= self.sampling.frequency_penalty * self._counts
            logits -= self.sampling.presence_penalty * (self._counts > 0)
        if self.constraint is not None:
            logits = self.constraint.mask(logits)
        return logits

    def number(self) -> float:
        """The next random number, from 0 to below 1."""
        if not self._numbers:
            self._numbers = torch.rand(_NUMBERS, generator=self._generator, dtype=torch.float64).tolist()[::-1]
        return self._numbers.pop()

    def accept(self, token: int) -> None:
        """``token`` is part of the answer now; the grammar is told by whoever knows the stop ids."""
        if self._seen is not None:
            self._seen[token] = True
        if self._counts is not None:
            self._counts[token] += 1


def choose(logits: torch.Tensor, samplers: Sequence[Sampler]) -> list[int]:
    """The next token of each request for its adjusted ``logits`` (B, V), fp32. All are decided together.

    -1 where they are no numbers, or allow nothing: that request has no next token, and is no business of the others.
    """
    best = logits.max(-1)  # NaN where any of a row is
    tokens: list[int] = torch.where(best.values.isfinite(), best.indices, -1).tolist()
    drawn = [row for row, sampler in enumerate(samplers) if not sampler.greedy and tokens[row] >= 0]
    if drawn:
        chosen = [samplers[row] for row in drawn]
        found = _draw(logits if len(drawn) == len(tokens) else logits[drawn], chosen)
        for row, token in zip(drawn, found, strict=True):
            tokens[row] = token
    for sampler, token in zip(samplers, tokens, strict=True):
        if token >= 0:
            sampler.accept(token)
    return tokens


def check_chosen(token: int) -> None:
    """Raises EngineError for the -1 of `choose`."""
    if token < 0:
        raise EngineError(
            "the logits of the next token are no finite numbers: the penalties or the bias are too strong, or the weights are"
            " broken (or overflow: load the model in bf16 or fp32)."
        )


def _draw(logits: torch.Tensor, samplers: Sequence[Sampler]) -> list[int]:
    """One draw for each row of ``logits`` (B, V)."""
    settings = [sampler.sampling for sampler in samplers]
    size, device = logits.shape[1], logits.device
    scaled = logits / torch.tensor([[s.temperature] for s in settings], device=device)
    points = torch.tensor([[sampler.number()] for sampler in samplers], dtype=torch.float64, device=device)  # (B, 1)
    tops = [s.top_k if 0 < s.top_k < size else size for s in settings]
    filtered = [top < size or s.top_p < 1 or s.min_p > 0 for top, s in zip(tops, settings, strict=True)]
    tokens = [0] * len(samplers)
    everything = [row for row, yes in enumerate(filtered) if not yes]
    if everything:
        cumulative = scaled[everything].double().softmax(-1).cumsum_(-1)
        for row, token in zip(everything, _invert(cumulative, points[everything]), strict=True):
            tokens[row] = token
    some = [row for row, yes in enumerate(filtered) if yes]
    width = min(size, max((tops[row] for row in some if tops[row] < size), default=0))
    if any(tops[row] == size for row in some):
        width = min(size, max(width, _CANDIDATES))
    while some:
        picked = [settings[row] for row in some]
        kept, ids = _filter(scaled[some], [tops[row] for row in some], picked, width)
        last = kept[:, -1] > 0  # its last candidate is kept: there may be more
        short = [width < tops[row] and bool(more) for row, more in zip(some, last.tolist(), strict=True)]
        order = ids.argsort(-1)
        cumulative = kept.gather(1, order).cumsum_(-1)
        for row, place, found, wait in zip(
            some, _invert(cumulative, points[some]), ids.gather(1, order), short, strict=True
        ):
            if not wait:
                tokens[row] = int(found[place])
        some, width = [row for row, wait in zip(some, short, strict=True) if wait], size
    return tokens


def _filter(
    scaled: torch.Tensor, tops: Sequence[int], settings: Sequence[Sampling], width: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities (B, K) of the ``width`` likeliest, 0 where a filter takes them out, and their ids (B, K)."""
    scores, ids = scaled.topk(width)  # likeliest first
    ranks = torch.arange(width, device=scaled.device)
    limits = torch.tensor(tops, device=scaled.device)[:, None]
    scores = scores.double().masked_fill_(ranks >= limits, float("-inf"))
    total = torch.where(limits[:, 0] <= width, scores.logsumexp(-1), scaled.double().logsumexp(-1))
    kept = (scores - total[:, None]).exp_()
    if any(s.top_p < 1 for s in settings):  # the fewest whose sum reaches top_p: those with less than that before them
        reach = torch.tensor([[s.top_p] for s in settings], dtype=torch.float64, device=scaled.device)
        kept = kept.masked_fill((kept.cumsum(-1) - kept >= reach) & (reach < 1), 0.0)
    if any(s.min_p > 0 for s in settings):
        least = torch.tensor([[s.min_p] for s in settings], dtype=torch.float64, device=scaled.device)
        kept = kept.masked_fill(kept < least * kept[:, :1], 0.0)
    return kept, ids


def _invert(cumulative: torch.Tensor, points: torch.Tensor) -> list[int]:
    """Where ``points`` (B, 1), from 0 to 1, fall in rising sums (B, K) of any total."""
    total = cumulative[:, -1:].contiguous()
    places = torch.searchsorted(cumulative, points * total, right=True)
    # A point rounded onto the very end falls on the last token that has any weight.
    ends = torch.searchsorted(cumulative, total)
    found: list[int] = torch.minimum(places, ends)[:, 0].tolist()
    return found


def logprobs_of(logits: torch.Tensor, tokens: Sequence[int], num_top: Sequence[int]) -> list[TokenLogprob]:
    """The raw log-probability of each row's token for ``logits`` (B, V), fp32, beside those of its likeliest ``num_top``."""
    scores = logits.log_softmax(-1)
    own = scores.gather(1, torch.tensor(tokens, device=scores.device)[:, None])[:, 0].tolist()
    if not any(num_top):
        return [TokenLogprob(token, value) for token, value in zip(tokens, own, strict=True)]
    best = scores.topk(min(max(num_top), scores.shape[1]))
    rows = zip(tokens, own, best.indices.tolist(), best.values.tolist(), num_top, strict=True)
    return [
        TokenLogprob(token, value, tuple(zip(ids[:num], values[:num], strict=True)))
        for token, value, ids, values, num in rows
    ]
