"""Rows of one source to samples, chunk after chunk, in bulk; every row ends as samples or as a line of the ledger."""

from __future__ import annotations

import gc
import multiprocessing
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt

from swift.llm.core import BatchEncoder, Conversation, Dropped, Encoded, Place
from swift.llm.dataset.cache import PART, Columns, Parts, Record
from swift.llm.dataset.columns import RowParser
from swift.llm.dataset.ledger import LedgerLine, judge
from swift.llm.dataset.source import Chunk, Source
from swift.llm.plan.plans import DataPlan
from swift.utils import environ
from swift.utils.errors import DataError

__all__ = [
    "CHUNK_ROWS",
    "Fate",
    "check_first",
    "encode_rows",
    "encode_source",
    "explain_lost",
    "parsed_text",
    "split_blocks",
]

CHUNK_ROWS = 1024

Wanted = npt.NDArray[np.int64] | None
"""Which rows of a chunk are encoded, by their numbers in the source; None: all."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    """One chunk after encoding: ``columns`` None where no row became a sample; ``ledger`` names files by their number."""

    columns: Columns | None
    ledger: list[LedgerLine]
    num_rows: int
    split_rows: int
    empty_turns: int


@dataclass(slots=True)
class _Open:
    """The part that is being written: what its record will say."""

    number: int
    num_rows: int = 0
    split_rows: int = 0
    empty_turns: int = 0
    ledger: list[LedgerLine] = field(default_factory=list)

    def take(self, result: _Encoded) -> None:
        """Count one more chunk."""
        self.num_rows += result.num_rows
        self.split_rows += result.split_rows
        self.empty_turns += result.empty_turns
        self.ledger += result.ledger

    def record(self) -> Record:
        """What it says now."""
        return Record(self.num_rows, self.split_rows, self.empty_turns, tuple(self.ledger))


def encode_source(
    source: Source, parser: RowParser, plan: DataPlan, encoder: BatchEncoder, wanted: Wanted, parts: Parts, progress: bool
) -> tuple[int, int]:  # fmt: skip
    """Encode the ``wanted`` rows of one source into the parts that are asked for; returns (rows read, number of parts).

    Raises DataError where the first rows show that the file is not what it should be, or where the plan is strict.
    """
    from tqdm import tqdm

    work = _ChunkEncoder(source, parser, encoder, plan.max_length if plan.split_long else None)
    reading = _Reading(source, wanted, parts)
    # None: drawn on a terminal only
    bar = tqdm(total=source.num_bytes, unit="B", unit_scale=True, desc=source.label, disable=None if progress else True)
    opened: _Open | None = None
    with bar, _no_cycles_to_collect():
        for number, chunk, result in _in_order(work, reading, plan.num_proc):
            part = number // PART
            if number == 0:
                check_first(source, parser, chunk, result.ledger, kept=result.columns is not None)
            if opened is not None and opened.number != part:
                parts.close(opened.number, opened.record())
                opened = None
            opened = opened or _Open(part)
            opened.take(result)
            if result.columns is not None:
                parts.add(part, result.columns)
            if plan.strict or plan.check_strategy == "error":
                _judge_early(source, plan, result.ledger)
            bar.update(max(chunk.done - bar.n, 0))
            bar.set_postfix(rows=chunk.first + result.num_rows, refresh=False)
        if opened is not None:
            parts.close(opened.number, opened.record())
        bar.update(max(source.num_bytes - bar.n, 0))  # readers count characters; bytes are more
    return reading.num_rows, -(-reading.num_chunks // PART)


class _Reading:
    """Chunks with their numbers, of the parts that are wanted; counts all of them."""

    def __init__(self, source: Source, wanted: Wanted, parts: Parts) -> None:
        self._source = source
        self._wanted = wanted
        self._parts = parts
        self.num_rows = 0
        self.num_chunks = 0

    def __iter__(self) -> Iterator[tuple[int, Chunk, Wanted]]:
        for number, chunk in enumerate(self._source.chunks(CHUNK_ROWS)):
            self.num_chunks = number + 1
            self.num_rows = chunk.first + len(chunk.rows)
            if not self._parts.wants(number // PART):
                continue
            if self._wanted is None:
                yield number, chunk, None
            else:
                low, high = np.searchsorted(self._wanted, [chunk.first, self.num_rows])
                yield number, chunk, self._wanted[low:high]


@dataclass(slots=True)
class Fate:
    """What became of one row: its samples, and where it was lost or cut, why, and how many tokens it had before.

    ``was_split``: it was longer than a block; ``empty_turns`` counts messages without content.
    """

    samples: list[Encoded] = field(default_factory=list)
    action: Literal["lost", "cut"] | None = None
    reason: str = ""
    tokens: int = 0
    was_split: bool = False
    empty_turns: int = 0

    def line(self, source: str, line: int, row: int) -> LedgerLine:
        """The ledger's line of a row that was lost or cut."""
        assert self.action is not None
        return LedgerLine(source, line, row, self.action, self.reason, self.tokens)


def encode_rows(
    rows: Iterable[tuple[RowParser, Any, Place]], encoder: BatchEncoder, block: int | None
) -> list[Fate]:  # fmt: skip
    """What becomes of each row, in order: parsed on its own, encoded together; what is longer than ``block`` is split."""
    fates: list[Fate] = []
    conversations: list[Conversation] = []
    encoded: list[Fate] = []
    for parser, values, place in rows:
        parsed = parsed_text(parser, values, place)
        if isinstance(parsed, Dropped):
            fates.append(Fate(action="lost", reason=parsed.reason, tokens=parsed.tokens))
            continue
        fates.append(Fate(empty_turns=_empty_turns(parsed)))
        encoded.append(fates[-1])
        conversations.append(parsed)
    results = encoder.encode_batch(conversations) if conversations else []
    for fate, result in zip(encoded, results, strict=True):
        if isinstance(result, Dropped):
            fate.action, fate.reason, fate.tokens = "lost", result.reason, result.tokens
            continue
        fate.samples = [result]
        if block is not None and len(result) > block:
            fate.was_split = True
            # a block of nothing but a long question teaches nothing
            fate.samples = [part for part in split_blocks(result, block) if part.trained.any()]
        if result.cut_tokens:
            fate.action, fate.tokens = "cut", len(result) + result.cut_tokens
            fate.reason = f"{fate.tokens:,} tokens, cut to {len(result):,}"
    return fates


def _empty_turns(conversation: Conversation) -> int:
    count = 0
    for message in conversation.messages:
        content = message.content
        count += (not content or content.isspace()) and not message.tool_calls
    return count


def parsed_text(parser: RowParser, values: Any, place: Place) -> Conversation | Dropped:
    """One row as a conversation that can be trained on as text, or why not."""
    parsed = parser.parse(values, place)
    if isinstance(parsed, Conversation) and parsed.media:
        kinds = ", ".join(sorted({media.kind for media in parsed.media}))
        return Dropped(f"has {kinds}, and only text is trained on", place)
    return parsed


@dataclass(frozen=True, slots=True)
class _ChunkEncoder:
    """Chunk in, samples out; shares nothing, so it runs in threads and in processes alike."""

    source: Source
    parser: RowParser
    encoder: BatchEncoder
    block: int | None

    def __call__(self, chunk: Chunk, wanted: Wanted) -> _Encoded:
        chosen = range(len(chunk.rows)) if wanted is None else (wanted - chunk.first).tolist()
        path = str(self.source.files[chunk.file])
        given = [(self.parser, chunk.rows[i], Place(path, chunk.lines[i])) for i in chosen]
        fates = encode_rows(given, self.encoder, self.block)
        rows: list[int] = []
        lines: list[int] = []
        samples: list[Encoded] = []
        ledger: list[LedgerLine] = []
        split_rows = empty_turns = 0
        for i, fate in zip(chosen, fates, strict=True):
            rows += [chunk.first + i] * len(fate.samples)
            lines += [chunk.lines[i]] * len(fate.samples)
            samples += fate.samples
            split_rows += fate.was_split
            empty_turns += fate.empty_turns
            if fate.action is not None:
                ledger.append(fate.line(str(chunk.file), chunk.lines[i], chunk.first + i))
        columns = Columns.of(rows, lines, chunk.file, samples) if samples else None
        return _Encoded(columns, ledger, len(chunk.rows), split_rows, empty_turns)


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


def check_first(
    source: Source, parser: RowParser, chunk: Chunk, ledger: Sequence[LedgerLine], *, kept: bool
) -> None:  # fmt: skip
    """Stop at once if all rows of the first chunk are lost before they are tokens: that is the file, not a row."""
    lost = [line for line in ledger if line.action == "lost"]
    if kept or not lost or any(line.tokens for line in lost):
        return
    explain_lost(
        source, parser, [(line.reason, Place(str(source.files[int(line.source)]), line.line), chunk.rows[line.row - chunk.first])
                         for line in lost],
    )  # fmt: skip


def explain_lost(source: Source, parser: RowParser, lost: Sequence[tuple[str, Place, Any]]) -> NoReturn:
    """Raise DataError with the most frequent reason, its first row, and what to do; ``lost`` holds reason, place and values."""
    reason, count = Counter(why for why, _, _ in lost).most_common(1)[0]
    rows = "its only row is" if len(lost) == 1 else f"the first {len(lost):,} rows are all"
    if count < len(lost):
        rows = f"{count:,} of the first {len(lost):,} rows, and the others for other reasons, are"
    place, values = next((place, values) for why, place, values in lost if why == reason)
    advice = parser.advice(reason, values)
    raise DataError(
        f"{source.label}: {reason}; {rows} lost this way, from {place} on." + (f"\n{advice}" if advice else "")
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


def _in_order(
    work: _ChunkEncoder, chunks: Iterable[tuple[int, Chunk, Wanted]], num_proc: int
) -> Iterator[tuple[int, Chunk, _Encoded]]:
    """Encode chunks beside the reader, results in order, a few chunks in flight.

    Two threads are enough: while one is in the tokenizer (which frees the interpreter and uses all cores by itself) the
    other parses. ``num_proc`` above 1 takes processes, for machines on which the parsing is what is slow.
    """
    pending: deque[tuple[int, Chunk, Future[_Encoded]]] = deque()
    executor, width = _executor(work, num_proc)
    try:
        call = _call_in_process if isinstance(executor, ProcessPoolExecutor) else work
        for number, chunk, wanted in chunks:
            pending.append((number, chunk, executor.submit(call, chunk, wanted)))
            if len(pending) > width:
                number, chunk, future = pending.popleft()
                yield number, chunk, future.result()
        while pending:
            number, chunk, future = pending.popleft()
            yield number, chunk, future.result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _executor(work: _ChunkEncoder, num_proc: int) -> tuple[Executor, int]:
    if num_proc > 1 and "fork" in multiprocessing.get_all_start_methods():
        # The tokenizer's threads do not survive a fork: each process encodes on one core.
        environ.export("TOKENIZERS_PARALLELISM", "false")
        environ.export("RAYON_NUM_THREADS", "1")
        context = multiprocessing.get_context("fork")
        return ProcessPoolExecutor(num_proc, mp_context=context, initializer=_adopt, initargs=(work,)), num_proc + 2
    return ThreadPoolExecutor(2, thread_name_prefix="encode"), 3


_adopted: list[_ChunkEncoder] = []  # in a worker process: its chunk encoder, inherited through the fork, never pickled


def _adopt(work: _ChunkEncoder) -> None:
    _adopted[:] = [work]


def _call_in_process(chunk: Chunk, wanted: Wanted) -> _Encoded:
    return _adopted[0](chunk, wanted)
