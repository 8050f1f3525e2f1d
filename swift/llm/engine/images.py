"""Prompts with images in the cache of a flat batch: read whole by the model's own forward, answered among all others.

What a family does while it reads an image (two-way attention, positions in three directions, features added in deep layers)
is transformers' own; behind the prompt it is text like any other, but for where its positions go on. Whether that is true of
a model is tried with the first such prompt. Knows no queue.

Alphabet: ``T`` tokens of the prompt, ``V`` vocabulary, ``Hk`` heads of keys and values, ``D`` head width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import DynamicCache

from swift.llm.engine.alone import first_logits, on_device
from swift.llm.engine.flat import FlatModel
from swift.llm.engine.protocol import GenerateRequest
from swift.llm.engine.schedule import Running, Sight
from swift.utils.errors import EngineError
from swift.utils.log import logger

__all__ = ["Images"]


class Images:
    """``flat`` is ``model`` for flat batches."""

    def __init__(self, model: Any, flat: FlatModel) -> None:
        self._model, self._flat = model, flat
        self._is_fit: bool | None = None  # None until a prompt was tried

    def sight(self, request: GenerateRequest, adapter: int | None) -> Sight | None:
        """What the request's media mean for the cache; None where it is to be answered alone.

        The first one is read in both ways before it is answered: three times in all, and everybody waits meanwhile.
        """
        assert request.media is not None, "only requests with images are looked at"
        if self._is_fit is False:
            return None
        try:
            end = self._end(request.prompt)
            sight = Sight(_digest(request.media, len(request.prompt), end), end, request.media)
            if self._is_fit is None:
                reason = self._try(request, adapter, end)
                self._is_fit = reason is None
                if reason is not None:
                    logger.info("requests with images are answered one at a time: %s", reason)
        except Exception as error:  # it is this request that cannot be read, or not now: answered alone, it is told why
            logger.debug("an image request could not be tried: %s", error)
            return None
        return sight if self._is_fit else None

    def read(self, item: Running, num_wanted: int) -> torch.Tensor:
        """Read the prompt into the request's place in the cache, and let its media go. Returns logits (num_wanted, V)."""
        held, sight = item.held, item.sight
        assert held is not None, "a request in a step has a place in the cache"
        assert sight is not None, "only requests with images are read here"
        assert sight.media is not None, "images are read once"
        with self._undisturbed(), self._flat.own_attention(item.adapter):
            logits, layers, held.offset = self._forward(item.request.prompt, sight.media, num_wanted)
        self._flat.put(held.block.start, layers)
        sight.media = None
        return logits

    def _forward(
        self, prompt: Sequence[int], media: Mapping[str, Any], num_wanted: int
    ) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]], int]:
        """The model's own forward: its last logits, keys and values by layer (Hk, T, D), and the offset of what follows."""
        causal, cache = self._flat.causal, DynamicCache()
        ids = torch.tensor([prompt], device=self._flat.device)
        output = causal(
            input_ids=ids, attention_mask=torch.ones_like(ids), past_key_values=cache, use_cache=True,
            logits_to_keep=num_wanted, **on_device(causal, media),
        )  # fmt: skip
        kept: list[Any] = cache.layers  # each with keys and values (1, Hk, T, D); of another kind: AttributeError
        layers = [(layer.keys[0], layer.values[0]) for layer in kept]
        deltas = getattr(causal.base_model, "rope_deltas", None)
        return output.logits[0, -num_wanted:], layers, int(deltas.flatten()[0]) if deltas is not None else 0

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Models keep the offset of the prompt they read last: that of one that is answered alone meanwhile stays."""
        base = self._flat.causal.base_model
        has_offset = hasattr(base, "rope_deltas")
        before = getattr(base, "rope_deltas", None)
        if has_offset:
            base.rope_deltas = None
        try:
            yield
        finally:
            if has_offset:
                base.rope_deltas = before

    def _end(self, prompt: Sequence[int]) -> int:
        """How many tokens there are up to the last that stands for an image; all where the config does not say which do."""
        config = self._flat.causal.config
        token = getattr(config, "image_token_id", None)
        token = getattr(config, "image_token_index", None) if token is None else token
        return next((place + 1 for place in range(len(prompt) - 1, -1, -1) if prompt[place] == token), len(prompt))

    def _try(self, request: GenerateRequest, adapter: int | None, end: int) -> str | None:
        """Why what is behind the images cannot be read in flat batches, or None: the second new token's logits tell."""
        flat, prompt, length = self._flat, request.prompt, len(request.prompt)
        assert request.media is not None
        if flat.long_positions is not None:
            return "its rope scaling differs by length"
        with self._undisturbed(), flat.own_attention(adapter):
            token, expected = first_logits(self._model, prompt, request.media)
            try:
                _, layers, offset = self._forward(prompt, request.media, 1)
                if len(layers) != flat.num_layers:
                    return f"its cache has {len(layers)} layers, and the model {flat.num_layers}"
                with flat.cached_attention(), flat.pool_aside(length + 1):
                    flat.put(0, layers)
                    found = flat.read_on((*prompt[end:], token), end, length, offset, adapter)
            except torch.OutOfMemoryError:
                raise
            except (EngineError, TypeError, ValueError, AttributeError, KeyError, IndexError, RuntimeError) as error:
                return f"{type(flat.causal).__name__} does not take it ({error})"
        difference = flat.difference(found, expected)
        if difference is None:
            return None
        return f"cached attention behind images differs from the model's own by {difference:.2g}"


def _digest(media: Mapping[str, Any], length: int, end: int) -> str:
    """A name for what the model reads beside ``length`` ids; of what goes by token (1, T), only the first ``end``."""
    found = hashlib.sha256()
    for name, value in sorted(media.items()):
        found.update(f"{name}:".encode())
        goes_by_token = isinstance(value, torch.Tensor) and not value.is_floating_point() and value.shape == (1, length)
        _add(found, value[:, :end] if goes_by_token else value)
    return found.hexdigest()


def _add(found: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        found.update(f"{value.dtype}{tuple(value.shape)}".encode())
        found.update(value.detach().cpu().flatten().view(torch.uint8).numpy())
    elif isinstance(value, list | tuple):
        found.update(f"[{len(value)}".encode())
        for one in value:
            _add(found, one)
    else:
        raise EngineError(f"{type(value).__name__} among the media: tensors and lists of them are known.")
