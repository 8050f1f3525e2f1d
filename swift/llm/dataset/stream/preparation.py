"""Data plan and encoder to a stream that is ready to train on, with what validates."""

from __future__ import annotations

from dataclasses import dataclass, replace

from swift.llm.catalog.registries import DATASET_MAPPING
from swift.llm.core import BatchEncoder, Encoded
from swift.llm.dataset.columns import RowParser
from swift.llm.dataset.encoded import EncodedDataset
from swift.llm.dataset.ledger import DataReport, SourceReport
from swift.llm.dataset.locate import locate
from swift.llm.dataset.packing import PackedDataset
from swift.llm.dataset.preparation import prepare
from swift.llm.dataset.stream.blocks import BlockEncoder
from swift.llm.dataset.stream.mixture import Mixture
from swift.llm.dataset.stream.rows import HeldSamples, StreamedRows
from swift.llm.dataset.syntax import parse_items
from swift.llm.plan.plans import DataPlan

__all__ = ["PreparedStream", "prepare_stream"]

SHOWN = 3


@dataclass(frozen=True, slots=True)
class PreparedStream:
    """What training reads of a stream. ``val`` is None where nothing validates."""

    train: StreamedRows
    val: EncodedDataset | PackedDataset | HeldSamples | None
    report: DataReport


def prepare_stream(plan: DataPlan, encoder: BatchEncoder, *, batch_size: int, progress: bool = True) -> PreparedStream:
    """Open the sources, encode what validates and the first block.

    Raises DataError for data that cannot be read, or of which nothing can be used.
    """
    items = [locate(item, DATASET_MAPPING, use_hf=plan.use_hf) for item in parse_items(plan.dataset)]
    sources = [source for item in items for source in item]
    shares = plan.weights or (1.0,) * len(items)
    # a hub id may stand for several sets, which share its weight
    weights = [share / len(item) for share, item in zip(shares, items, strict=True) for _ in item]
    parsers = [RowParser(source.row, plan.names, plan.authors) for source in sources]
    encode = BlockEncoder(sources, parsers, encoder, plan)
    mixture = Mixture(sources, strategy=plan.mix_strategy, weights=weights)
    rows = StreamedRows(mixture, encode, batch_size=batch_size, num_val=plan.stream_val)
    val: EncodedDataset | PackedDataset | HeldSamples | None = rows.val
    reports: tuple[SourceReport, ...] = ()
    if plan.val_dataset:
        # what validates is read once and kept: a data set like any other
        alone = replace(plan, dataset=plan.val_dataset, val_dataset=(), test_ratio=0.0, shuffle=False, streaming=False,
                        mix_strategy=None, weights=())  # fmt: skip
        prepared = prepare(alone, encoder, progress=progress)
        val, reports = prepared.train, prepared.report.sources
    first = [
        unit if isinstance(unit, Encoded) else unit[0]
        for unit in (rows.first[i] for i in range(min(SHOWN, len(rows.first))))
    ]
    notes = (f"reading {', '.join(source.label for source in sources)} as a stream",)
    return PreparedStream(rows, val, DataReport(reports, (), tuple(first), notes))
