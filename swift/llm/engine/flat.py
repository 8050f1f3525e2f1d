"""A transformers model that reads flat batches against one pool: layers and attention switched, checked once, and put back.

Knows no sampling and no queue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from swift.kernels.cached import CachedStep, Chunk, Pool, register
from swift.llm.engine.adapters import Layers
from swift.llm.engine.schedule import Running
from swift.utils.errors import EngineError
from swift.utils.log import logger

__all__ = ["FlatModel"]

# Layers of other kinds (recurrent, chunked, linear attention) keep state that these caches do not hold.
_KNOWN_LAYERS = {"full_attention", "sliding_attention"}
_PROBE = 7  # tokens: enough for a prompt in two pieces and one more token


class FlatModel:
    """The causal language model inside ``model``; an adapter that it was opened with stays active.

    ``long_positions``: the length from which on rope scaling uses other frequencies (longrope); values from before it are
    of no use after it. None for all other models. ``bytes_per_token``: what the cache takes. ``layers``: its linear layers
    and their adapters. ``can_reuse``: whether a token's keys and values depend on nothing but the tokens before it.
    ``causal``: the model itself.
    """

    def __init__(self, model: Any) -> None:
        self.causal = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._config = self.causal.config.get_text_config()
        self._own = self.causal.config._attn_implementation
        if self._own == "sdpa" and getattr(self._config, "attn_logit_softcapping", None) is not None:
            self._own = "eager"  # transformers' sdpa leaves Gemma 2's cap out (seen in 5.17), which gives other answers
        self.device: torch.device = self.causal.get_input_embeddings().weight.device
        rope = getattr(self._config, "rope_parameters", None) or {}
        is_long = rope.get("rope_type") == "longrope"
        self.long_positions: int | None = int(rope["original_max_position_embeddings"]) if is_long else None
        # Methods of ours that act at the ends of the prompt make values depend on where it ends.
        self.can_reuse = not any(type(m).__module__.startswith("swift.tuners.reft") for m in self.causal.modules())
        self.num_layers: int = self._config.num_hidden_layers
        self.bytes_per_token = 0
        self._pool = Pool(4 * _PROBE)
        self.layers = Layers(self.causal, getattr(model, "peft_config", {}).values())

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
            flat.close()
        logger.info("requests are answered one at a time: %s", reason)
        return None

    def make_room(self, num_tokens: int) -> None:
        """Begin with an empty pool of so many tokens."""
        self._pool = Pool(num_tokens)

    def copy(self, source: int, target: int, count: int) -> None:
        """Copy cached tokens from one place of the pool to another."""
        self._pool.copy(source, target, count)

    def lift(self, start: int, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """A copy of cached tokens outside of the pool, in the CPU's memory."""
        return self._pool.lift(start, count)

    def put(self, start: int, layers: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Copy keys and values (Hk, T, D) of each layer to ``start`` of the pool, without reading anything."""
        self._pool.put(start, layers)

    @contextmanager
    def pool_aside(self, num_tokens: int) -> Iterator[None]:
        """Another pool for a while."""
        before, self._pool = self._pool, Pool(num_tokens)
        try:
            yield
        finally:
            self._pool = before

    def engage(self) -> None:
        """Switch the model's attention to the cached one."""
        self.causal.set_attn_implementation(register())

    def restore(self) -> None:
        """Give the model its own attention back."""
        self.causal.set_attn_implementation(self._own)

    def close(self) -> None:
        """Leave the model as it was."""
        self.restore()
        self.layers.put_back()
        self._pool = Pool(0)

    @contextmanager
    def own_attention(self, adapter: int | None = None) -> Iterator[None]:
        """The model's own attention for a while, all of it with one adapter; within another such block it changes nothing."""
        with self._put_back():
            self.restore()
            self.layers.serving.parts, self.layers.serving.everywhere = {}, adapter
            yield

    @contextmanager
    def cached_attention(self) -> Iterator[None]:
        """The cached attention for a while, inside a block of the model's own: a batch may be read there."""
        with self._put_back():
            self.engage()
            yield

    @contextmanager
    def _put_back(self) -> Iterator[None]:
        before, serving = self.causal.config._attn_implementation, self.layers.serving
        outer = serving.parts, serving.everywhere
        try:
            yield
        finally:
            self.causal.set_attn_implementation(before)
            serving.parts, serving.everywhere = outer

    def is_long(self, length: int) -> bool:
        """Whether a request of ``length`` tokens needs the frequencies of long texts."""
        return self.long_positions is not None and length > self.long_positions

    def groups(self, step: Sequence[tuple[Running, int]]) -> list[list[tuple[Running, int]]]:
        """The step as batches that one forward can read: long and short requests need different rope frequencies.

        Those of one adapter stand together, so that it acts on one range of tokens.
        """
        ordered = sorted(step, key=lambda pair: -1 if pair[0].adapter is None else pair[0].adapter)
        short = [pair for pair in ordered if not self.is_long(len(pair[0].tokens))]
        long = [pair for pair in ordered if self.is_long(len(pair[0].tokens))]
        return [group for group in (short, long) if group]

    def read(self, group: Sequence[tuple[Running, int]], wanted: Sequence[int]) -> torch.Tensor:
        """Let each request read its next ``count`` tokens. Returns logits (sum of ``wanted``, V), at the last tokens of each."""
        ids, chunks, offsets = [], [], []
        for item, count in group:
            held = item.held
            assert held is not None, "a request in a step has a place in the cache"
            ids.append(item.tokens[held.count : held.count + count])
            chunks.append(Chunk(held.block.start, held.block.size, held.count, count, len(item.request.prompt)))
            offsets.append(held.offset)
        return self._forward(ids, chunks, wanted, [item.adapter for item, _ in group], offsets)

    def read_on(self, ids: Sequence[int], past: int, prompt: int, offset: int, adapter: int | None) -> torch.Tensor:
        """Read ``ids`` after the first ``past`` tokens of a pool that holds one text. Returns logits (V) at the last."""
        chunk = Chunk(0, self._pool.num_tokens, past, len(ids), prompt)
        return self._forward([ids], [chunk], [1], [adapter], [offset])[0]

    def difference(self, found: torch.Tensor, expected: torch.Tensor) -> float | None:
        """How far logits are from the model's own, relative to those; None within what rounding does."""
        difference = float((found.float() - expected.float()).norm() / expected.float().norm().clamp(min=1e-12))
        bound = 1e-3 if expected.dtype == self.causal.dtype == torch.float32 else 0.1
        return None if difference < bound else difference  # a NaN is no agreement either

    def _forward(
        self,
        ids: Sequence[Sequence[int]],
        chunks: Sequence[Chunk],
        wanted: Sequence[int],
        adapters: Sequence[int | None],
        offsets: Sequence[int],
    ) -> torch.Tensor:
        positions = [
            place + offset
            for chunk, offset in zip(chunks, offsets, strict=True)
            for place in range(chunk.past, chunk.past + chunk.count)
        ]
        ends = 0
        rows: list[int] = []
        for chunk, num in zip(chunks, wanted, strict=True):
            ends += chunk.count
            rows.extend(range(ends - num, ends))
        self._divide(adapters, [chunk.count for chunk in chunks], wanted)
        output = self.causal(
            input_ids=torch.tensor([[token for part in ids for token in part]], device=self.device),  # (1, T)
            position_ids=torch.tensor([positions], device=self.device),
            use_cache=False,  # transformers' own cache; ours travels in `cached`
            # on the CPU: the last layer may be on another device than the first. Nothing wanted: one row for form's sake
            logits_to_keep=torch.tensor(rows or [0]),
            cached=CachedStep(chunks, self._pool),
        )
        logits: torch.Tensor = output.logits
        return logits[0, : len(rows)]

    def _divide(self, adapters: Sequence[int | None], counts: Sequence[int], wanted: Sequence[int]) -> None:
        """Tell the layers whose rows are whose: among all tokens, and among those that go through the head."""
        serving = self.layers.serving
        serving.parts, serving.everywhere = {}, adapters[0] if adapters else None
        if len(set(adapters)) < 2:
            return
        divided = {}
        for lengths in (wanted, counts):
            parts: list[tuple[int | None, slice]] = []
            end = 0
            for adapter, length in zip(adapters, lengths, strict=True):
                if parts and parts[-1][0] == adapter:
                    parts[-1] = (adapter, slice(parts[-1][1].start, end + length))
                else:
                    parts.append((adapter, slice(end, end + length)))
                end += length
            divided[max(end, 1)] = parts
        serving.parts = divided

    def _probe(self) -> str | None:
        """Read a short prompt in both ways; why they differ, or None. It costs two forwards of a few tokens.

        Some families take the interface and drop its arguments on the way, or add terms of their own: only trying tells.
        """
        size, nobody = self._config.vocab_size, ([None, None], [0, 0])
        prompt = [(index * 7919 + 11) % size for index in range(_PROBE)]
        with torch.no_grad():
            self.restore()
            expected = self.causal(
                input_ids=torch.tensor([prompt], device=self.device), use_cache=False
            ).logits[0, -1]  # fmt: skip
            self.engage()
            first, second = (0, _PROBE), (_PROBE, _PROBE)
            try:
                begin = [Chunk(*first, 0, 4, _PROBE), Chunk(*second, 0, 2, 4)]
                self._forward([prompt[:4], prompt[:2]], begin, [1, 1], *nobody)
                rest = [Chunk(*second, 2, 2, 4), Chunk(*first, 4, _PROBE - 5, _PROBE)]
                self._forward([prompt[2:4], prompt[4:-1]], rest, [0, 0], *nobody)
                last = [Chunk(*second, 4, 1, 4), Chunk(*first, _PROBE - 1, 1, _PROBE)]
                found = self._forward([prompt[4:5], prompt[-1:]], last, [1, 1], *nobody)
            except (EngineError, TypeError, AttributeError, KeyError, RuntimeError) as error:
                return f"{type(self.causal).__name__} does not take cached attention ({error})"
        if self._pool.num_layers != self.num_layers:
            return f"{self._pool.num_layers} of {self.num_layers} layers go through transformers' interface"
        self.bytes_per_token = self._pool.bytes_per_token
        difference = self.difference(found[1], expected)
        return None if difference is None else f"cached attention differs from the model's own by {difference:.2g}"


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
