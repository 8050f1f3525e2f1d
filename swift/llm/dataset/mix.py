"""Which rows go where: sampling, splitting, sharding, mixing and shuffling, as index arrays. Sees no row.

The order is made of the raw stream of PCG64, which numpy guarantees never to change; its higher-level methods may.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from swift.utils.errors import DataError

__all__ = ["Draw", "Mixed", "draw", "mix", "next_turn", "permutation", "shard"]

Indices = npt.NDArray[np.int64]

MAX_REPEATS = 1000
"""How often interleaving may repeat a set before that is taken for a slip of the weights."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Row numbers (from 0) of one source: ``train`` may repeat rows, ``val`` does not; no row is in both."""

    train: Indices
    val: Indices


@dataclass(frozen=True, slots=True)
class Mixed:
    """The order of a mixture: place t takes row ``index[t]`` of source ``source[t]``; both (N,)."""

    source: Indices
    index: Indices


def permutation(n: int, seed: int, *salt: str) -> Indices:
    """Return 0..n-1 in an order that depends on ``n``, ``seed`` and ``salt`` alone, on every machine."""
    digest = hashlib.sha256("\0".join([str(seed), *salt]).encode()).digest()
    keys = np.random.PCG64(int.from_bytes(digest[:16], "little")).random_raw(n)
    return np.argsort(np.atleast_1d(keys), kind="stable").astype(np.int64)


def draw(n: int, *, count: int, ratio: float, seed: int, name: str, only_val: bool = False) -> Draw:
    """Divide ``n`` rows: the validation part first, then ``count`` minus that for training (-1: all that is left).

    The validation part is ``max(int(min(n, count) * ratio), 1)`` rows, none where ``ratio`` is 0 or there is one row only.
    A count above what there is gives whole copies and a random remainder. ``only_val``: every drawn row validates.
    Rows are given in file order; the caller shuffles.
    """
    wanted = n if count < 0 else count
    order = permutation(n, seed, "draw", name)
    if only_val:
        return Draw(np.empty(0, np.int64), _take(order, wanted))
    num_val = max(int(min(n, wanted) * ratio), 1) if ratio > 0 and n > 1 and wanted > 1 else 0
    return Draw(_take(order[num_val:], wanted - num_val), np.sort(order[:num_val]))


def _take(pool: Indices, wanted: int) -> Indices:
    """Return ``wanted`` rows of ``pool`` in file order: whole copies of it, one after the other, then a part."""
    if not len(pool) or wanted <= 0:
        return np.empty(0, np.int64)
    copies, rest = divmod(wanted, len(pool))
    parts: Sequence[Indices] = [np.sort(pool)] * copies + [np.sort(pool[:rest])]
    return np.concatenate(parts)


def shard(rows: Indices, part: tuple[int, int] | None) -> Indices:
    """Return the rows that belong to shard ``(i, n)``, i from 0: those whose number leaves i when divided by n.

    A row goes to one shard whatever the draw, with all its repeats; None keeps all.
    """
    return rows if part is None else rows[rows % part[1] == part[0]]


def next_turn(taken: Sequence[int], weights: Sequence[float]) -> int:
    """Return the source that gives the next row, where ``taken[i]`` rows of source i were given before.

    Row k of a source is due at ``(k + 1/2) / weight``; the earliest is next, the first source among equals. So any beginning
    of the mixture holds the sources in the proportion of their weights, to within a row, without a random number.
    """
    return min(range(len(taken)), key=lambda i: ((taken[i] + 0.5) / weights[i], i))


def mix(lengths: Sequence[int], weights: Sequence[float], strategy: str) -> Mixed:
    """Return the order in which sources of ``lengths`` rows are read, for their ``weights`` (positive, any sum).

    ``concat``: one after the other, whatever the weights. ``interleave_under``: by ``next_turn`` until a source that is due has
    no row left; no row comes twice. ``interleave_over``: until every row came at least once; what ends early begins again.
    Raises DataError where that would repeat a source more than MAX_REPEATS times.
    """
    if strategy == "concat":
        source = np.repeat(np.arange(len(lengths), dtype=np.int64), np.asarray(lengths, np.int64))
        return Mixed(source, np.concatenate([np.empty(0, np.int64), *(np.arange(n, dtype=np.int64) for n in lengths)]))
    used = [i for i, n in enumerate(lengths) if n]
    if not used:
        return Mixed(np.empty(0, np.int64), np.empty(0, np.int64))
    under = strategy == "interleave_under"
    if under:
        end = min((lengths[i] + 0.5) / weights[i] for i in used)
    else:
        end = max((lengths[i] - 0.5) / weights[i] for i in used)
        for i in used:
            if end * weights[i] > MAX_REPEATS * lengths[i]:
                raise DataError(
                    f"interleave_over would repeat data set {i + 1} {end * weights[i] / lengths[i]:,.0f} times, until the others "
                    "are read once. Give it a smaller weight, or take --mix_strategy interleave_under."
                )
    sources, numbers, times = [], [], []
    for i in used:
        number = np.arange(int(end * weights[i]) + 2, dtype=np.int64)
        due = (number + 0.5) / weights[i]
        count = int(np.count_nonzero(due <= end))
        sources.append(np.full(count, i, np.int64))
        numbers.append(number[:count])
        times.append(due[:count])
    order = np.lexsort((np.concatenate(sources), np.concatenate(times)))
    source, number = np.concatenate(sources)[order], np.concatenate(numbers)[order]
    length = np.asarray(lengths, np.int64)[source]
    # several may be due at the end: stop before the first row that is missing, or after the last row that was to come
    stop = np.flatnonzero(number >= length)[0] if under else np.flatnonzero(number == length - 1)[-1] + 1
    return Mixed(source[:stop], number[:stop] % length[:stop])
