"""What prepared samples look like as a whole: lengths, packing, duplicates, overlap, the longest rows. Knows no text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from swift.llm.dataset.cache import Store
from swift.llm.dataset.encoded import EncodedDataset
from swift.llm.dataset.ledger import SourceReport
from swift.llm.dataset.packing import PackedDataset, pack
from swift.llm.dataset.preparation import Prepared

__all__ = ["Lengths", "Statistics", "measure"]

EXAMPLES = 5
BAR = 40


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of the samples. ``bins``: (from, to, how many) with both ends counted, doubling."""

    samples: int
    tokens: int
    trained: int
    shortest: int
    median: int
    mean: float
    percentile_90: int
    percentile_99: int
    longest: int
    bins: tuple[tuple[int, int, int], ...]

    @staticmethod
    def of(data: EncodedDataset) -> Lengths:
        """Count them."""
        lengths = np.sort(data.lengths)

        def at(share: float) -> int:
            return int(lengths[min(int(share * len(lengths)), len(lengths) - 1)])

        return Lengths(
            len(lengths), data.num_tokens, data.num_trained, int(lengths[0]), at(0.5), data.num_tokens / len(lengths),
            at(0.9), at(0.99), int(lengths[-1]), tuple(_bins(lengths)),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of training and validation samples. Duplicates and overlap are samples with the same tokens, in full.

    ``duplicates`` counts training samples that an earlier row has, too; ``overlap`` validation samples that training has.
    ``packs`` and ``efficiency`` tell what packing at ``max_length`` would give, None without a limit. ``longest``,
    ``duplicate_rows`` and ``overlap_rows`` name some of the rows (file:line).
    """

    sources: tuple[SourceReport, ...]
    train: Lengths
    val: Lengths | None
    max_length: int | None
    packs: int | None
    efficiency: float | None
    duplicates: int
    duplicate_rows: tuple[str, ...]
    overlap: int
    overlap_rows: tuple[str, ...]
    longest: tuple[tuple[str, int], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        lines = []
        for title, lengths in (("train", self.train), ("validation", self.val)):
            if lengths is not None:
                lines += [
                    f"{title}: {lengths.samples:,} samples, {lengths.tokens:,} tokens, {lengths.trained:,} trained"
                    f" ({lengths.trained / lengths.tokens:.1%})",
                    f"  tokens a sample: {lengths.shortest:,} to {lengths.longest:,}, mean {lengths.mean:,.1f}, median "
                    f"{lengths.median:,}, 90% {lengths.percentile_90:,}, 99% {lengths.percentile_99:,}",
                    *_bars(lengths.bins),
                ]
        if self.efficiency is not None:
            lines.append(
                f"packing at {self.max_length:,}: {self.packs:,} packs, {self.efficiency:.2%} of their room used"
            )
        lines.append(
            f"duplicates: {self.duplicates:,} training samples that an earlier row has, too"
            + _some(self.duplicate_rows)
        )
        if self.val is not None:
            lines.append(
                f"overlap: {self.overlap:,} validation samples that are trained on, too" + _some(self.overlap_rows)
            )
        lines.append(f"turns without text: {sum(source.empty_turns for source in self.sources):,}")
        lines.append("longest rows:" + "".join(f"\n  {tokens:,} tokens  {place}" for place, tokens in self.longest))
        return lines


def measure(prepared: Prepared, *, max_length: int | None, seed: int) -> Statistics:
    """Look at all samples once; repeated draws of a row count once among duplicates."""
    train, val = _single(prepared.train), None if prepared.val is None else _single(prepared.val)
    groups = None if max_length is None else len(pack(train.lengths, max_length, seed))
    hashes = np.concatenate([_hashes(store) for store in train.stores if isinstance(store, Store)])
    twins = _repeats(train, np.unique(train.picks), hashes)
    both = np.empty(0, np.int64) if val is None else _shared(train, val, hashes)
    longest = np.argsort(-train.lengths, kind="stable")
    shown: dict[str, int] = {}
    for i in longest[: 4 * EXAMPLES].tolist():
        shown.setdefault(str(train.place(i)), int(train.lengths[i]))
    return Statistics(
        prepared.report.sources, Lengths.of(train), None if val is None else Lengths.of(val), max_length, groups,
        None if not groups or max_length is None else train.num_tokens / (groups * max_length),
        len(twins), tuple(f"{train.origin(b)} as {train.origin(a)}" for a, b in twins[:EXAMPLES].tolist()),
        len(both), tuple(str(train.origin(pick)) for pick in both[:EXAMPLES].tolist()),
        tuple(shown.items())[:EXAMPLES],
    )  # fmt: skip


def _single(data: EncodedDataset | PackedDataset) -> EncodedDataset:
    samples = data.samples if isinstance(data, PackedDataset) else data
    assert isinstance(samples, EncodedDataset)
    return samples


def _hashes(store: Store) -> npt.NDArray[np.uint64]:
    """A number for the tokens of each sample: the sum of a mix (splitmix64) of id and position.  # (N,)"""
    parts = []
    for offsets, ids, _ in store.flat():
        starts = offsets[:-1]
        position = np.arange(offsets[-1] - offsets[0]) - np.repeat(starts - offsets[0], np.diff(offsets))
        x = ids[offsets[0] : offsets[-1]].astype(np.uint64) + (position.astype(np.uint64) << np.uint64(32))
        x += np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        parts.append(np.add.reduceat(x ^ (x >> np.uint64(31)), starts - offsets[0]))
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def _repeats(
    data: EncodedDataset, picks: npt.NDArray[np.int64], hashes: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int64]:
    """(first, later) of each sample among ``picks`` that has the tokens of an earlier one.  # (D, 2)"""
    order = np.argsort(hashes[picks], kind="stable")
    same = hashes[picks[order]]
    firsts: list[tuple[int, int]] = []
    first = 0
    for i in (np.flatnonzero(same[1:] == same[:-1]) + 1).tolist():
        if same[i] != same[first]:
            first = i - 1
        one, other = int(picks[order[first]]), int(picks[order[i]])
        if np.array_equal(data.sample(one).input_ids, data.sample(other).input_ids):
            firsts.append((one, other))
    return np.array(sorted(firsts, key=lambda pair: pair[1]), np.int64).reshape(-1, 2)


def _shared(train: EncodedDataset, val: EncodedDataset, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """The validation samples whose tokens are trained on."""
    used = np.unique(train.picks)
    order = used[np.argsort(hashes[used], kind="stable")]
    picks = np.unique(val.picks)
    at = np.searchsorted(hashes[order], hashes[picks])
    found = []
    for pick, i in zip(picks.tolist(), at.tolist(), strict=True):
        if i < len(order) and hashes[order[i]] == hashes[pick]:
            twin = train.sample(int(order[i])).input_ids
            if np.array_equal(twin, train.sample(pick).input_ids):
                found.append(pick)
    return np.array(found, np.int64)


def _bins(lengths: npt.NDArray[np.int32]) -> list[tuple[int, int, int]]:
    bins: list[tuple[int, int, int]] = []
    low, high = 1, 16
    while low <= lengths[-1]:
        count = int(np.searchsorted(lengths, high, side="right") - np.searchsorted(lengths, low, side="left"))
        if bins or count:
            bins.append((low, high, count))
        low, high = high + 1, high * 2
    return bins


def _bars(bins: Sequence[tuple[int, int, int]]) -> list[str]:
    most = max(count for _, _, count in bins)
    width = len(f"{bins[-1][1]:,}")
    return [
        f"  {low:>{width},} to {high:>{width},}  {'█' * round(BAR * count / most) or ('▏' if count else '')} {count:,}"
        for low, high, count in bins
    ]


def _some(rows: Sequence[str]) -> str:
    return "".join(f"\n  {row}" for row in rows)
