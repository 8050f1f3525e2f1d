"""Data plan and encoder to training samples: read, parse, encode in bulk, cache, draw, pack. One chunk at a time.

Every row of every source ends as a sample, as a line of the row ledger, or, with ``#count``, as not drawn.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from swift.llm.core import BatchEncoder, Conversation, Dropped, Encoded, Place
from swift.llm.dataset.cache import Columns, Record, Store, address, cache_folder, open_or_build
from swift.llm.dataset.columns import RowParser
from swift.llm.dataset.encoded import EncodedDataset, samples_of_rows
from swift.llm.dataset.ledger import DataReport, LedgerLine, SourceReport, count_reasons, judge, write_ledger
from swift.llm.dataset.mix import Draw, draw, permutation
from swift.llm.dataset.packing import PackedDataset
from swift.llm.dataset.source import Chunk, Source, locate
from swift.llm.dataset.syntax import parse_items
from swift.llm.plan.plans import DataPlan
from swift.utils import environ
from swift.utils.errors import DataError

__all__ = ["Prepared", "prepare", "read_conversations", "split_blocks"]

CHUNK_ROWS = 1024


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
    parts = [_load(part, plan, encoder, progress) for part in _parts(plan)]
    stores = [part.store for part in parts]
    bases = np.cumsum([0, *map(len, stores)])
    train_picks = np.concatenate([part.train + base for part, base in zip(parts, bases, strict=False)])
    val_picks = np.concatenate([part.val + base for part, base in zip(parts, bases, strict=False)])
    if plan.shuffle:
        train_picks = train_picks[permutation(len(train_picks), plan.seed, "shuffle")]
    train = EncodedDataset(stores, train_picks)
    val = EncodedDataset(stores, val_picks) if len(val_picks) else None
    if not len(train):
        raise DataError("no training rows are left. " + " ".join(part.report.line() for part in parts))
    ledger = tuple(line for part in parts for line in part.ledger)
    first_rows = tuple(train[i] for i in range(min(3, len(train))))
    if ledger_path is not None:
        write_ledger(ledger_path, ledger)
    reports = tuple(part.report for part in parts)
    if not plan.packing:
        return Prepared(train, val, DataReport(reports, ledger, first_rows))
    packed = PackedDataset(train, plan.max_length, plan.seed)
    packed_val = None if val is None else PackedDataset(val, plan.max_length, plan.seed)
    note = (
        f"packed {packed.num_samples:,} samples into {len(packed):,} blocks of {packed.capacity:,} tokens, "
        f"{packed.efficiency:.1%} of their room used"
    )
    return Prepared(packed, packed_val, DataReport(reports, ledger, first_rows, (note,)))


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
    """One source of the plan; ``salt`` makes its draws its own: its place in the list, and no folder name."""

    source: Source
    only_val: bool
    salt: str


@dataclass(frozen=True, slots=True)
class _Loaded:
    """One source's samples and which of them train and validate (sample numbers in ``store``)."""

    store: Store
    train: npt.NDArray[np.int64]
    val: npt.NDArray[np.int64]
    ledger: tuple[LedgerLine, ...]
    report: SourceReport


def _parts(plan: DataPlan) -> list[_Part]:
    from swift.llm.catalog.registries import DATASET_MAPPING

    parts = []
    for texts, only_val in ((plan.dataset, False), (plan.val_dataset, True)):
        sources = [s for item in parse_items(texts) for s in locate(item, DATASET_MAPPING, use_hf=plan.use_hf)]
        for i, source in enumerate(sources):
            parts.append(_Part(source, only_val, f"{'val' if only_val else 'train'}{i}"))
    if not parts:
        raise DataError("no data set is given. Name one with --dataset: a registered name, a hub id or a file.")
    return parts


def _draw(part: _Part, plan: DataPlan, num_rows: int) -> Draw:
    ratio = 0.0 if plan.val_dataset else plan.test_ratio
    return draw(num_rows, count=part.source.count, ratio=ratio, seed=plan.seed, name=part.salt, only_val=part.only_val)


def _load(part: _Part, plan: DataPlan, encoder: BatchEncoder, progress: bool) -> _Loaded:
    source = part.source
    row = source.row
    drawn_by = (
        None if source.count < 0 else [source.count, plan.test_ratio, bool(plan.val_dataset), plan.seed, part.salt]
    )
    key = address(
        files=source.fingerprint(),
        row=[dict(row.columns), dict(row.conversations), row.format, row.fill_names],
        names=[plan.names, plan.authors] if row.fill_names else None,
        encoder=encoder.fingerprint,
        max_length=plan.max_length,
        split_long=plan.split_long,
        drawn=drawn_by,
    )

    def build(add: Callable[[Columns], None]) -> Record:
        wanted = None
        if source.count >= 0:
            both = _draw(part, plan, source.num_rows())
            wanted = np.union1d(both.train, both.val)
        return _encode_source(part, plan, encoder, wanted, add, progress)

    store, record = open_or_build(cache_folder(plan.cache_dir), key, build, reuse=environ.DATASET_ENABLE_CACHE.read())
    both = _draw(part, plan, record.num_rows)
    drawn = len(np.union1d(both.train, both.val))
    val_rows = set(both.val.tolist())
    ledger = tuple(
        LedgerLine(str(source.files[int(line.source)]), line.line, line.row, line.action, line.reason, line.tokens,
                   "val" if line.row in val_rows else "train")
        for line in record.ledger
    )  # fmt: skip
    judge(
        source.label, drawn, ledger, strict=plan.strict, check_strategy=plan.check_strategy,
        max_lost_ratio=plan.max_lost_ratio, max_length=plan.max_length,
    )  # fmt: skip
    train, val = samples_of_rows(store, both.train), samples_of_rows(store, both.val)
    lost = count_reasons(ledger)
    used = np.concatenate([train, val])
    cut = sum(line.action == "cut" for line in ledger)
    report = SourceReport(
        label=source.label, read=record.num_rows, drawn=drawn, kept=drawn - sum(lost.values()), lost=lost, cut=cut,
        cut_tokens=int(store.cut_tokens.sum(dtype=np.int64)), split_rows=record.split_rows,
        train_samples=len(train), val_samples=len(val), tokens=int(store.lengths[used].sum(dtype=np.int64)),
        trained=int(store.num_trained[used].sum(dtype=np.int64)),
    )  # fmt: skip
    return _Loaded(store, train, val, ledger, report)


# --- rows to samples ---


@dataclass(frozen=True, slots=True)
class _Encoded:
    """One chunk after encoding: ``columns`` None where no row became a sample; ``ledger`` names files by their number."""

    columns: Columns | None
    ledger: list[LedgerLine]
    num_rows: int
    split_rows: int
    done: int


@dataclass(frozen=True, slots=True)
class _ChunkEncoder:
    """Chunk in, samples out; shares nothing, so it runs in threads and in processes alike."""

    source: Source
    parser: RowParser
    encoder: BatchEncoder
    block: int | None

    def __call__(self, chunk: Chunk, wanted: npt.NDArray[np.int64] | None) -> _Encoded:
        chosen = range(len(chunk.rows)) if wanted is None else (wanted - chunk.first).tolist()
        file = str(chunk.file)
        path = str(self.source.files[chunk.file])
        ledger: list[LedgerLine] = []

        def lose(i: int, dropped: Dropped) -> None:
            ledger.append(LedgerLine(file, chunk.lines[i], chunk.first + i, "lost", dropped.reason, dropped.tokens))

        numbers, conversations = [], []
        for i in chosen:
            parsed = self.parser.parse(chunk.rows[i], Place(path, chunk.lines[i]))
            if isinstance(parsed, Conversation) and parsed.media:
                kinds = ", ".join(sorted({media.kind for media in parsed.media}))
                parsed = Dropped(f"has {kinds}, and only text is trained on")
            if isinstance(parsed, Dropped):
                lose(i, parsed)
            else:
                numbers.append(i)
                conversations.append(parsed)
        rows: list[int] = []
        samples: list[Encoded] = []
        split_rows = 0
        for i, result in zip(numbers, self.encoder.encode_batch(conversations) if conversations else [], strict=True):
            if isinstance(result, Dropped):
                lose(i, result)
                continue
            blocks = [result] if self.block is None else split_blocks(result, self.block)
            split_rows += len(blocks) > 1
            rows.extend([chunk.first + i] * len(blocks))
            samples.extend(blocks)
            if result.cut_tokens:
                before = len(result) + result.cut_tokens
                reason = f"{before:,} tokens, cut to {len(result):,}"
                ledger.append(LedgerLine(file, chunk.lines[i], chunk.first + i, "cut", reason, before))
        ledger.sort(key=lambda line: line.row)
        return _Encoded(Columns.of(rows, samples) if samples else None, ledger, len(chunk.rows), split_rows, chunk.done)


def split_blocks(sample: Encoded, block: int) -> list[Encoded]:
    """Cut a sample into blocks of at most ``block`` tokens, so that each trained token is trained in exactly one block.

    The first token of a sample has nothing to be predicted from. So each further block begins with the last token of the
    block before it, as context without loss; a text of T tokens gives ``ceil((T - 1) / (block - 1))`` blocks.
    """
    if len(sample) <= block:
        return [sample]
    blocks = []
    for start in range(0, len(sample) - 1, max(block - 1, 1)):
        end = min(start + block, len(sample))
        trained = sample.trained[start:end].copy()
        trained[0] = False
        scale = None if sample.loss_scale is None else sample.loss_scale[start:end]
        blocks.append(Encoded(sample.input_ids[start:end], trained, scale))
    return blocks


def _encode_source(
    part: _Part, plan: DataPlan, encoder: BatchEncoder, wanted: npt.NDArray[np.int64] | None,
    add: Callable[[Columns], None], progress: bool,
) -> Record:  # fmt: skip
    """Encode the ``wanted`` rows (None: all) of one source, writing each chunk as it is done."""
    from tqdm import tqdm

    source = part.source
    parser = RowParser(source.row, plan.names, plan.authors)
    block = plan.max_length if plan.split_long else None
    work = _ChunkEncoder(source, parser, encoder, block)
    ledger: list[LedgerLine] = []
    num_rows = split_rows = 0
    # None: drawn on a terminal only
    disable = None if progress else True
    bar = tqdm(total=source.num_bytes, unit="B", unit_scale=True, desc=source.label, disable=disable)
    with bar, _no_cycles_to_collect():
        for result in _in_order(work, _selected(source, wanted), plan.num_proc):
            if not num_rows:
                _check_first(source, parser, result)
            num_rows += result.num_rows
            split_rows += result.split_rows
            if result.columns is not None:
                add(result.columns)
            ledger.extend(result.ledger)
            if plan.strict or plan.check_strategy == "error":
                _judge_early(source, plan, result.ledger)
            bar.update(max(result.done - bar.n, 0))
            bar.set_postfix(rows=num_rows, refresh=False)
        bar.update(max(source.num_bytes - bar.n, 0))  # readers count characters; bytes are more
    return Record(num_rows, split_rows, tuple(ledger))


@contextmanager
def _no_cycles_to_collect() -> Iterator[None]:
    """Keep Python's cycle collector still: rows and samples hold no cycles, and looking for some cost a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _selected(
    source: Source, wanted: npt.NDArray[np.int64] | None
) -> Iterator[tuple[Chunk, npt.NDArray[np.int64] | None]]:
    for chunk in source.chunks(CHUNK_ROWS):
        if wanted is None:
            yield chunk, None
        else:
            low, high = np.searchsorted(wanted, [chunk.first, chunk.first + len(chunk.rows)])
            yield chunk, wanted[low:high]


def _check_first(source: Source, parser: RowParser, result: _Encoded) -> None:
    """Stop at once if all rows of the first chunk fail in one way before they are tokens: that is the file, not a row."""
    reasons = {line.reason for line in result.ledger if line.action == "lost"}
    if result.columns is not None or len(reasons) != 1 or any(line.tokens for line in result.ledger):
        return
    reason = reasons.pop()
    rows = "its only row is" if result.num_rows == 1 else f"the first {len(result.ledger):,} rows are all"
    first = result.ledger[0]
    advice = parser.advice(reason)
    raise DataError(
        f"{source.label}: {reason}; {rows} lost this way, from {source.files[int(first.source)]}:{first.line} on."
        + (f"\n{advice}" if advice else "")
    )


def _judge_early(source: Source, plan: DataPlan, lines: list[LedgerLine]) -> None:
    """Under the strict settings do not tokenise the rest of a source that has failed already."""
    named = [
        LedgerLine(str(source.files[int(line.source)]), line.line, line.row, line.action, line.reason, line.tokens)
        for line in lines
    ]
    judge(
        source.label, 0, named, strict=plan.strict, check_strategy="error" if plan.check_strategy == "error" else "none",
        max_lost_ratio=1.0, max_length=plan.max_length,
    )  # fmt: skip


def _in_order(work: _ChunkEncoder, chunks: Iterable[tuple[Any, Any]], num_proc: int) -> Iterator[_Encoded]:
    """Encode chunks beside the reader, results in order, a few chunks in flight.

    Two threads are enough: while one is in the tokenizer (which frees the interpreter and uses all cores by itself) the
    other parses. ``num_proc`` above 1 takes processes, for machines on which the parsing is what is slow.
    """
    pending: deque[Future[_Encoded]] = deque()
    executor, width = _executor(work, num_proc)
    try:
        call = _call_in_process if num_proc > 1 and isinstance(executor, ProcessPoolExecutor) else work
        for chunk, wanted in chunks:
            pending.append(executor.submit(call, chunk, wanted))
            if len(pending) > width:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _executor(work: _ChunkEncoder, num_proc: int) -> tuple[Executor, int]:
    import multiprocessing

    if num_proc > 1 and "fork" in multiprocessing.get_all_start_methods():
        # The tokenizer's threads do not survive a fork: each process encodes on one core.
        environ.export("TOKENIZERS_PARALLELISM", "false")
        context = multiprocessing.get_context("fork")
        return ProcessPoolExecutor(num_proc, mp_context=context, initializer=_adopt, initargs=(work,)), num_proc + 2
    return ThreadPoolExecutor(2, thread_name_prefix="encode"), 3


_adopted: list[_ChunkEncoder] = []  # in a worker process: its chunk encoder, inherited through the fork, never pickled


def _adopt(work: _ChunkEncoder) -> None:
    _adopted[:] = [work]


def _call_in_process(chunk: Chunk, wanted: npt.NDArray[np.int64] | None) -> _Encoded:
    return _adopted[0](chunk, wanted)
