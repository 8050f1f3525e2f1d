"""Where a batch is edited: the tokens at both ends of each prompt, found in every form that a batch comes in.

Flat training batches (``cu_seqlens``), the engine's steps (``cached``), padded rows, single rows, generation with a cache.
Alphabet: ``B`` rows, ``T`` tokens of a row, ``N`` samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from swift.tuners.reft.config import Positions

__all__ = ["Piece", "edited", "pieces", "prompt_lengths"]

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Piece:
    """``count`` tokens of one sample, at ``offset`` in the flattened (B·T) batch, after ``past`` earlier ones of the sample.

    ``prompt`` is how many tokens the sample's prompt has.
    """

    offset: int
    past: int
    count: int
    prompt: int


def edited(positions: Positions, found: Iterator[Piece]) -> tuple[list[int], list[int]]:
    """Places in the flattened batch: the first tokens of each prompt, and its last ones. No token is in both."""
    first: list[int] = []
    last: list[int] = []
    for piece in found:
        begin = piece.offset - piece.past
        end = piece.past + piece.count
        if positions.every:
            first += range(begin + piece.past, begin + end)
            continue
        head = min(positions.first, piece.prompt)
        tail = max(head, piece.prompt - positions.last)
        first += range(begin + piece.past, begin + min(head, end))
        last += range(begin + max(tail, piece.past), begin + min(piece.prompt, end))
    return first, last


def pieces(given: Mapping[str, Any]) -> Iterator[Piece]:
    """The samples of a forward, from its arguments; where nothing says how long a prompt is, the whole sample is one."""
    if given.get("cached") is not None:
        yield from _of_engine(given["cached"])
        return
    tokens = given["input_ids"] if given.get("input_ids") is not None else given["inputs_embeds"]
    rows, length = tokens.shape[0], tokens.shape[1]
    cache = given.get("past_key_values")
    past = int(cache.get_seq_length()) if cache is not None else 0
    if past:  # generation: the prompt was read before
        yield from (Piece(row * length, past, length, past) for row in range(rows))
        return
    starts, lengths = _samples(given, rows, length)
    prompts = _prompts(given, starts, lengths)
    yield from (Piece(start, 0, count, prompt) for start, count, prompt in zip(starts, lengths, prompts, strict=True))


def prompt_lengths(batch: Mapping[str, Any]) -> torch.Tensor:
    """The tokens before the first trained one of each sample: (N,) for a training batch, from its ``labels``."""
    labels = batch["labels"]
    starts, lengths = _samples(batch, *labels.shape)
    return torch.tensor(_untrained(labels, starts, lengths), device=labels.device)


def _of_engine(step: Any) -> Iterator[Piece]:
    offset = 0
    for chunk in step.chunks:
        prompt = chunk.prompt if chunk.prompt is not None else chunk.past + chunk.count
        yield Piece(offset, chunk.past, chunk.count, prompt)
        offset += chunk.count


def _samples(given: Mapping[str, Any], rows: int, length: int) -> tuple[list[int], list[int]]:
    """Where samples begin in the flattened batch, and how many tokens they have."""
    bounds, mask, position_ids = (given.get(name) for name in ("cu_seqlens", "attention_mask", "position_ids"))
    if bounds is None and mask is None and rows == 1 and position_ids is not None and position_ids.shape == (1, length):
        begins = (position_ids[0].diff() != 1).nonzero()[:, 0] + 1
        bounds = torch.cat([begins.new_zeros(1), begins, begins.new_tensor([length])])
    if bounds is not None:
        pairs = list(pairwise(bounds.tolist()))
        return [start for start, _ in pairs], [end - start for start, end in pairs]
    if isinstance(mask, torch.Tensor) and mask.ndim == 2:
        lengths = mask.sum(1).tolist()
        begins = mask.argmax(1).tolist()  # the first token that is no padding
        return [row * length + begin for row, begin in enumerate(begins)], lengths
    return [row * length for row in range(rows)], [length] * rows


def _prompts(given: Mapping[str, Any], starts: list[int], lengths: list[int]) -> list[int]:
    if given.get("prompt_lengths") is not None:
        told: list[int] = given["prompt_lengths"].tolist()
        return told
    if given.get("labels") is not None:
        return _untrained(given["labels"], starts, lengths)
    return lengths


def _untrained(labels: torch.Tensor, starts: list[int], lengths: list[int]) -> list[int]:
    """How many labels of each sample come before the first that is trained; all of them where none is."""
    trained = (labels != IGNORED).reshape(-1).cpu()
    trained[starts] = False  # nothing predicts a sample's first token
    found = []
    for start, count in zip(starts, lengths, strict=True):
        hits = trained[start : start + count].nonzero()
        found.append(int(hits[0]) if len(hits) else count)
    return found
