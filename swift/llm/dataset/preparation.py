"""Data plan and encoder to training samples: read, parse, encode in bulk, cache, draw, pack. One chunk at a time.

Every row of every source ends as a sample, as a line of the row ledger, or, with ``#count``, as not drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from swift.llm.core import BatchEncoder, Conversation, Dropped, Place
from swift.llm.dataset.cache import Built, Parts, Samples, Worker, address, cache_folder, open_or_build
from swift.llm.dataset.columns import RowParser, reading
from swift.llm.dataset.encoded import EncodedDataset, samples_of_rows
from swift.llm.dataset.encoding import CHUNK_ROWS, encode_source, split_blocks
from swift.llm.dataset.lazy import open_lazy
from swift.llm.dataset.ledger import DataReport, LedgerLine, SourceReport, count_reasons, judge, write_ledger
from swift.llm.dataset.locate import locate
from swift.llm.dataset.mix import Draw, draw, mix, permutation, shard
from swift.llm.dataset.packing import PackedDataset
from swift.llm.dataset.source import Source
from swift.llm.dataset.syntax import parse_items
from swift.llm.plan.plans import DataPlan
from swift.llm.tokenizer.bulk import InexactError
from swift.utils import environ
from swift.utils.errors import DataError
from swift.utils.log import logger

__all__ = ["Prepared", "build_parts", "prepare", "read_conversations", "split_blocks"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What training reads. ``val`` is None where nothing validates."""

    train: EncodedDataset | PackedDataset
    val: EncodedDataset | PackedDataset | None
    report: DataReport


def prepare(
    plan: DataPlan, encoder: BatchEncoder, *, ledger_path: Path | None = None, progress: bool = True
) -> Prepared:
    """Make, or find in the cache, the samples of a plan; write the row ledger if a path is given.

    Raises DataError for data that cannot be read or lost too much, DiskError where the cache cannot be written.
    """
    wanted = _parts(plan)
    built = [_build(part, plan, encoder, progress) for part in wanted]
    parts = [_load(part, plan, one) for part, one in zip(wanted, built, strict=True)]
    stores = [part.store for part in parts]
    bases = np.cumsum([0, *map(len, stores)])
    train_picks, mixture = _mixed(plan, wanted, parts, bases)
    val_picks = np.concatenate([part.val + base for part, base in zip(parts, bases, strict=False)])
    if plan.shuffle:
        train_picks = train_picks[permutation(len(train_picks), plan.seed, "shuffle")]
    files = [part.files for part in parts]
    train = EncodedDataset(stores, train_picks, files)
    val = EncodedDataset(stores, val_picks, files) if len(val_picks) else None
    if not len(train):
        raise DataError("no training rows are left. " + " ".join(part.report.line() for part in parts))
    ledger = tuple(line for part in parts for line in part.ledger)
    first_rows = tuple(train[i] for i in range(min(3, len(train))))
    if ledger_path is not None:
        write_ledger(ledger_path, ledger)
    reports = tuple(part.report for part in parts)
    if plan.lazy:
        mixture = (*mixture, "rows are encoded when they are used: tokens, and rows without any, are counted then")
    elif all(one.found for one in built):
        mixture = (*mixture, f"prepared before: read from {cache_folder(plan.cache_dir)}, nothing is tokenised anew")
    if not plan.packing:
        return Prepared(train, val, DataReport(reports, ledger, first_rows, mixture))
    packed = PackedDataset(train, plan.max_length, plan.seed)
    packed_val = None if val is None else PackedDataset(val, plan.max_length, plan.seed)
    note = (
        f"packed {packed.num_samples:,} samples into {len(packed):,} blocks of {packed.capacity:,} tokens, "
        f"{packed.efficiency:.1%} of their room used"
    )
    return Prepared(packed, packed_val, DataReport(reports, ledger, first_rows, (*mixture, note)))


def build_parts(
    plan: DataPlan, encoder: BatchEncoder, worker: Worker, *, progress: bool = True
) -> list[tuple[str, Built]]:
    """Do one worker's share of the work of ``prepare``; returns each source's label and what is there of it now.

    The workers share nothing but the cache folder: whoever finds all parts there, finds them joined.
    """
    return [(part.source.label, _build(part, plan, encoder, progress, worker)) for part in _parts(plan)]


def read_conversations(plan: DataPlan, which: Literal["train", "val"] = "val") -> Iterator[Conversation | Dropped]:
    """Give the rows that ``prepare`` would train or validate on, in file order, as conversations; answers are kept.

    A row without an answer is a conversation here, since answers are what inference makes.
    """
    for part in _parts(plan):
        if part.only_val and which == "train":
            continue
        parser = RowParser(part.source.row, plan.names, plan.authors, need_answer=False)
        drawn = _draw(part, plan, part.source.num_rows())
        times = np.bincount(drawn.train if which == "train" else drawn.val)
        for chunk in part.source.chunks(CHUNK_ROWS):
            for i, (line, values) in enumerate(zip(chunk.lines, chunk.rows, strict=True), chunk.first):
                if i < len(times) and times[i]:
                    parsed = parser.parse(values, Place(str(part.source.files[chunk.file]), line))
                    for _ in range(int(times[i])):
                        yield parsed


# --- one source ---


@dataclass(frozen=True, slots=True)
class _Part:
    """One source of the plan; ``salt`` makes its draws its own: its place in the list, and no folder name.
    ``item``: which of ``--dataset`` or ``--val_dataset`` it belongs to; ``parser`` reads its rows to train on.
    """

    source: Source
    only_val: bool
    salt: str
    item: int
    parser: RowParser


@dataclass(frozen=True, slots=True)
class _Loaded:
    """One source's samples and which of them train and validate (sample numbers in ``store``)."""

    store: Samples
    train: npt.NDArray[np.int64]
    val: npt.NDArray[np.int64]
    ledger: tuple[LedgerLine, ...]
    report: SourceReport
    files: tuple[Path, ...]


def _parts(plan: DataPlan) -> list[_Part]:
    from swift.llm.catalog.registries import DATASET_MAPPING

    parts = []
    for texts, only_val in ((plan.dataset, False), (plan.val_dataset, True)):
        sources = [
            (number, source)
            for number, item in enumerate(parse_items(texts))
            for source in locate(item, DATASET_MAPPING, use_hf=plan.use_hf)
        ]
        for i, (number, source) in enumerate(sources):
            parser = RowParser(source.row, plan.names, plan.authors)
            parts.append(_Part(source, only_val, f"{'val' if only_val else 'train'}{i}", number, parser))
    if not parts:
        raise DataError("no data set is given. Name one with --dataset: a registered name, a hub id or a file.")
    return parts


def _draw(part: _Part, plan: DataPlan, num_rows: int) -> Draw:
    ratio = 0.0 if plan.val_dataset else plan.test_ratio
    count, only_val = part.source.count, part.only_val
    both = draw(num_rows, count=count, ratio=ratio, seed=plan.seed, name=part.salt, only_val=only_val)
    return Draw(shard(both.train, plan.shard), shard(both.val, plan.shard))


def _mixed(
    plan: DataPlan, wanted: list[_Part], parts: list[_Loaded], bases: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return the training samples of all parts (numbers over all stores) in the order of the mixture, and a note on it."""
    lengths = [len(part.train) for part in parts]
    sizes = Counter[int]()  # samples of each item: a hub id may stand for several sets, which share its weight
    for one, length in zip(wanted, lengths, strict=True):
        sizes[one.item] += 0 if one.only_val else length
    shares = plan.weights or (1.0,) * len(plan.dataset)
    weights = [
        shares[one.item] * length / sizes[one.item] if length else 1.0
        for one, length in zip(wanted, lengths, strict=True)
    ]
    mixed = mix(lengths, weights, plan.mix_strategy or "concat")
    picks = np.empty(len(mixed.source), np.int64)
    for number, (part, base) in enumerate(zip(parts, bases, strict=False)):
        mine = mixed.source == number
        picks[mine] = part.train[mixed.index[mine]] + base
    if plan.mix_strategy in (None, "concat"):
        return picks, ()
    taken = np.bincount(mixed.source, minlength=len(parts))
    told = []
    for part, one, length, times in zip(parts, wanted, lengths, taken, strict=True):
        if not one.only_val:
            repeats = f" ({times / length:.1f} times each)" if length and times > length else ""
            told.append(f"{part.report.label} {times:,} of {length:,} samples{repeats}")
    return picks, (f"mixed by {plan.mix_strategy}: {', '.join(told)}",)


def _build(part: _Part, plan: DataPlan, encoder: BatchEncoder, progress: bool, worker: Worker | None = None) -> Built:
    """One source's samples as far as this worker (None: the only one) makes or finds them."""
    source = part.source
    row = source.row
    drawn_by = None
    if source.count >= 0:
        drawn_by = [source.count, plan.test_ratio, bool(plan.val_dataset), plan.seed, part.salt]
    key = address(
        files=source.fingerprint(),
        row=reading(row),
        names=[plan.names, plan.authors] if row.fill_names else None,
        encoder=encoder.fingerprint,
        max_length=plan.max_length,
        split_long=plan.split_long,
        drawn=drawn_by,
        shard=plan.shard,
    )
    folder, reuse = cache_folder(plan.cache_dir), environ.DATASET_ENABLE_CACHE.read()
    if plan.lazy:
        return open_lazy(folder, key, source, part.parser, encoder, plan)

    def build(parts: Parts) -> tuple[int, int]:
        wanted = None
        if source.count >= 0 or plan.shard is not None:
            both = _draw(part, plan, source.num_rows())
            wanted = np.union1d(both.train, both.val)
        return encode_source(source, part.parser, plan, encoder, wanted, parts, progress)

    try:
        built = open_or_build(folder, key, build, worker=worker, reuse=reuse)
    except InexactError as error:
        logger.warning("%s It is made anew without it.", error)
        environ.export(environ.SWIFT_FAST_TOKENIZER.name, "false")
        built = open_or_build(folder, key, build, worker=worker, reuse=False)
    return built


def _load(part: _Part, plan: DataPlan, built: Built) -> _Loaded:
    """What of one source's samples trains and validates, and what was lost."""
    source, store, record = part.source, built.store, built.record
    if store is None or record is None:
        raise ValueError("only a worker among several may leave parts out")
    both = _draw(part, plan, record.num_rows)
    drawn = len(np.union1d(both.train, both.val))
    is_val = np.isin([line.row for line in record.ledger], both.val).tolist()
    ledger = tuple(
        LedgerLine(str(source.files[int(line.source)]), line.line, line.row, line.action, line.reason, line.tokens,
                   "val" if val else "train")
        for line, val in zip(record.ledger, is_val, strict=True)
    )  # fmt: skip
    judge(
        source.label, drawn, ledger, strict=plan.strict, check_strategy=plan.check_strategy,
        max_lost_ratio=plan.max_lost_ratio, max_length=plan.max_length, advise=part.parser.advice,
    )  # fmt: skip
    train, val = samples_of_rows(store, both.train), samples_of_rows(store, both.val)
    lost = count_reasons(ledger)
    used = np.concatenate([train, val])
    cut = sum(line.action == "cut" for line in ledger)
    report = SourceReport(
        label=source.label, read=record.num_rows, drawn=drawn, kept=drawn - sum(lost.values()), lost=lost, cut=cut,
        cut_tokens=int(store.cut_tokens.sum(dtype=np.int64)), split_rows=record.split_rows,
        train_samples=len(train), val_samples=len(val), tokens=int(store.lengths[used].sum(dtype=np.int64)),
        trained=int(store.num_trained[used].sum(dtype=np.int64)), empty_turns=record.empty_turns,
    )  # fmt: skip
    return _Loaded(store, train, val, ledger, report, source.files)
