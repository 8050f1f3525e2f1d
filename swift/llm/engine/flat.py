"""A transformers model that reads flat batches against caches: attention switched, checked once, and put back.

Knows no sampling and no queue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from swift.kernels.cached import CachedStep, Chunk, RequestCache, register
from swift.llm.engine.schedule import Running
from swift.utils.errors import EngineError
from swift.utils.log import logger

__all__ = ["FlatModel"]

# Layers of other kinds (recurrent, chunked, linear attention) keep state that these caches do not hold.
_KNOWN_LAYERS = {"full_attention", "sliding_attention"}
_PROBE = 7  # tokens: enough for a prompt in two pieces and one more token


class FlatModel:
    """The causal language model inside ``model``; an adapter that peft put into its layers stays active.

    ``long_positions``: the length from which on rope scaling uses other frequencies (longrope); a cache from before it is
    of no use after it. None for all other models.
    """

    def __init__(self, model: Any) -> None:
        self._causal = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._config = self._causal.config.get_text_config()
        self._own = self._causal.config._attn_implementation
        if self._own == "sdpa" and getattr(self._config, "attn_logit_softcapping", None) is not None:
            self._own = "eager"  # transformers' sdpa leaves Gemma 2's cap out (seen in 5.17), which gives other answers
        self.device: torch.device = self._causal.get_input_embeddings().weight.device
        rope = getattr(self._config, "rope_parameters", None) or {}
        is_long = rope.get("rope_type") == "longrope"
        self.long_positions: int | None = int(rope["original_max_position_embeddings"]) if is_long else None

    @classmethod
    def of(cls, model: Any) -> FlatModel | None:
        """``model`` ready for flat batches, or None (with the reason in the log) where it cannot take them."""
        reason = _unfit(model)
        if reason is None:
            flat = cls(model)
            reason = flat._probe()
            if reason is None:
                flat.engage()
                return flat
            flat.restore()
        logger.info("requests are answered one at a time: %s", reason)
        return None

    def engage(self) -> None:
        """Switch the model's attention to the cached one."""
        self._causal.set_attn_implementation(register())

    def restore(self) -> None:
        """Give the model its own attention back."""
        self._causal.set_attn_implementation(self._own)

    @contextmanager
    def own_attention(self) -> Iterator[None]:
        """The model's own attention for a while; within another such block it changes nothing."""
        before = self._causal.config._attn_implementation
        self.restore()
        try:
            yield
        finally:
            self._causal.set_attn_implementation(before)

    def changes_positions(self, cached: int, length: int) -> bool:
        """Whether a request of ``length`` tokens outgrew the frequencies that its cache was made with."""
        return self.long_positions is not None and 0 < cached <= self.long_positions < length

    def groups(self, step: Sequence[tuple[Running, int]]) -> list[list[tuple[Running, int]]]:
        """The step as batches that one forward can read: long and short requests need different rope frequencies."""
        if self.long_positions is None:
            return [list(step)] if step else []
        short = [pair for pair in step if len(pair[0].tokens) <= self.long_positions]
        long = [pair for pair in step if len(pair[0].tokens) > self.long_positions]
        return [group for group in (short, long) if group]

    def read(self, group: Sequence[tuple[Running, int]]) -> torch.Tensor:
        """Let each request read its next ``count`` tokens. Returns logits (B, V), at the last of them each."""
        for item, _ in group:
            item.cache = item.cache or RequestCache()
        ids = [item.tokens[item.cached : item.cached + count] for item, count in group]
        chunks = [Chunk(item.cache, item.cached, count, len(item.request.prompt)) for item, count in group]
        return self._forward(ids, chunks)

    def _forward(self, ids: Sequence[Sequence[int]], chunks: list[Chunk]) -> torch.Tensor:
        positions = [place for chunk in chunks for place in range(chunk.past, chunk.past + chunk.count)]
        ends, last = 0, []
        for chunk in chunks:
            ends += chunk.count
            last.append(ends - 1)
        output = self._causal(
            input_ids=torch.tensor([[token for part in ids for token in part]], device=self.device),  # (1, T)
            position_ids=torch.tensor([positions], device=self.device),
            use_cache=False,  # transformers' own cache; ours travels in `cached`
            logits_to_keep=torch.tensor(last),  # on the CPU: the last layer may be on another device than the first
            cached=CachedStep(chunks),
        )
        logits: torch.Tensor = output.logits
        return logits[0]

    def _probe(self) -> str | None:
        """Read a short prompt in both ways; why they differ, or None. It costs two forwards of a few tokens.

        Some families take the interface and drop its arguments on the way, or add terms of their own: only trying tells.
        """
        size = self._config.vocab_size
        prompt = [(index * 7919 + 11) % size for index in range(_PROBE)]
        with torch.no_grad():
            self.restore()
            expected = self._causal(
                input_ids=torch.tensor([prompt], device=self.device), use_cache=False
            ).logits[0, -1].float()  # fmt: skip
            self.engage()
            cache, other = RequestCache(), RequestCache()
            try:
                self._forward([prompt[:4], prompt[:2]], [Chunk(cache, 0, 4, _PROBE), Chunk(other, 0, 2, 4)])
                rest = [Chunk(other, 2, 2, 4), Chunk(cache, 4, _PROBE - 4, _PROBE)]
                found = self._forward([prompt[2:4], prompt[4:]], rest)
            except (EngineError, TypeError, AttributeError, KeyError, RuntimeError) as error:
                return f"{type(self._causal).__name__} does not take cached attention ({error})"
        if cache.num_layers != self._config.num_hidden_layers:
            return f"{cache.num_layers} of {self._config.num_hidden_layers} layers go through transformers' interface"
        difference = float((found[1].float() - expected).norm() / expected.norm().clamp(min=1e-12))
        bound = 1e-3 if expected.dtype == self._causal.dtype == torch.float32 else 0.1
        if not difference < bound:  # a NaN is no agreement either
            return f"cached attention differs from the model's own by {difference:.2g}"
        return None


def _unfit(model: Any) -> str | None:
    """What the config says against flat batches, or None."""
    peft_config = getattr(model, "active_peft_config", None)
    if peft_config is not None and peft_config.is_prompt_learning:
        return "the adapter writes virtual tokens before the prompt"
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    name, config = type(causal).__name__, causal.config.get_text_config()
    if not getattr(causal, "_supports_attention_backend", False):
        return f"{name} does not use transformers' attention interface"
    if getattr(causal, "_is_stateful", False) or causal.config.is_encoder_decoder:
        return f"{name} keeps more state than keys and values"
    kinds = set(getattr(config, "layer_types", None) or ()) - _KNOWN_LAYERS
    if kinds:
        return f"{name} has layers of kind {', '.join(sorted(kinds))}"
    rope = getattr(config, "rope_parameters", None) or {}
    by_layer = [value for value in rope.values() if isinstance(value, dict)] or [rope]
    if any("dynamic" in str(value.get("rope_type")) for value in by_layer):
        return "its rope scaling depends on the length of the whole batch (dynamic)"
    if isinstance(next(iter(rope.values()), None), dict) and any(v.get("rope_type") == "longrope" for v in by_layer):
        return "its rope scaling differs by layer and by length"
    return None
