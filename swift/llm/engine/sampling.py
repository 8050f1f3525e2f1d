"""The next token from logits, one request's settings and random numbers at a time. Knows no model and no text.

The order is transformers': repetition penalty (CTRL, arXiv:1909.05858), temperature, top-k, top-p (arXiv:1904.09751).

Alphabet: ``B`` requests, ``V`` vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from swift.llm.core import Sampling

__all__ = ["Sampler", "choose"]


class Sampler:
    """One request's sampling: its settings, its own generator, and which tokens its text holds already."""

    def __init__(self, sampling: Sampling, tokens: Sequence[int]) -> None:
        self.sampling = sampling
        self.greedy = not sampling.do_sample or sampling.temperature == 0
        self.generator: torch.Generator | None = None
        if not self.greedy:
            # On the CPU whatever the model's device: one seed gives one sequence of draws everywhere.
            self.generator = torch.Generator("cpu")
            if sampling.seed is None:
                self.generator.seed()
            else:
                self.generator.manual_seed(sampling.seed)
        self._seen = torch.tensor(sorted(set(tokens))) if sampling.repetition_penalty != 1 else None

    @property
    def is_plain(self) -> bool:
        """Whether the next token is simply the most likely one."""
        return self.greedy and self._seen is None

    def choose(self, logits: torch.Tensor) -> int:
        """The next token for ``logits`` (V,), float32."""
        if self._seen is not None:
            self._seen = self._seen.to(logits.device)
            scores, penalty = logits[self._seen], self.sampling.repetition_penalty
            logits = logits.clone()
            logits[self._seen] = torch.where(scores < 0, scores * penalty, scores / penalty)
        token = int(logits.argmax()) if self.generator is None else self._draw(logits, self.generator)
        if self._seen is not None:
            self._seen = torch.unique(torch.cat([self._seen, self._seen.new_tensor([token])]))
        return token

    def _draw(self, logits: torch.Tensor, generator: torch.Generator) -> int:
        sampling = self.sampling
        logits = logits / sampling.temperature
        if 0 < sampling.top_k < len(logits):
            scores, ids = logits.topk(sampling.top_k)
        elif sampling.top_p < 1:
            scores, ids = logits.sort(descending=True, stable=True)
        else:
            scores, ids = logits, None
        probabilities = scores.double().softmax(-1)  # (V,) or (k,)
        cumulative = probabilities.cumsum(-1)
        if sampling.top_p < 1:  # keep the fewest whose sum reaches top_p: one more than those below it
            cumulative = cumulative[: int((cumulative < sampling.top_p).sum()) + 1]
        # One draw a token by inverting the distribution: a draw costs one number whatever the settings.
        point = torch.rand((), generator=generator, dtype=torch.float64).to(cumulative.device) * cumulative[-1]
        place = int(torch.searchsorted(cumulative, point, right=True).clamp(max=len(cumulative) - 1))
        return place if ids is None else int(ids[place])


def choose(logits: torch.Tensor, samplers: Sequence[Sampler]) -> list[int]:
    """The next token of each request for ``logits`` (B, V). The plain ones are decided in one operation."""
    logits = logits.float()
    likeliest = logits.argmax(-1).tolist()
    return [
        token if sampler.is_plain else sampler.choose(row)
        for token, sampler, row in zip(likeliest, samplers, logits, strict=True)
    ]
