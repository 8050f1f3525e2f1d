"""Which rows go where: sampling, splitting and shuffling by a seed, as index arrays. Sees no row.

The order is made of the raw stream of PCG64, which numpy guarantees never to change; its higher-level methods may.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Draw", "draw", "permutation"]

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Draw:
    """Row numbers (from 0) of one source: ``train`` may repeat rows, ``val`` does not; no row is in both."""

    train: Indices
    val: Indices


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
