"""From data sets to batches: read, parse, encode, cache, mix, pack, collate. Names are loaded when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swift.llm.dataset.collate import Collator
    from swift.llm.dataset.encoded import EncodedDataset
    from swift.llm.dataset.ledger import DataReport, LedgerLine, SourceReport
    from swift.llm.dataset.packing import PackedDataset, pack
    from swift.llm.dataset.preparation import Prepared, prepare, read_conversations
    from swift.llm.dataset.syntax import DatasetItem, parse_item, parse_items

__all__ = [
    "Collator",
    "DataReport",
    "DatasetItem",
    "EncodedDataset",
    "LedgerLine",
    "PackedDataset",
    "Prepared",
    "SourceReport",
    "pack",
    "parse_item",
    "parse_items",
    "prepare",
    "read_conversations",
]

_MODULES = {
    "Collator": "collate",
    "DataReport": "ledger",
    "DatasetItem": "syntax",
    "EncodedDataset": "encoded",
    "LedgerLine": "ledger",
    "PackedDataset": "packing",
    "Prepared": "preparation",
    "SourceReport": "ledger",
    "pack": "packing",
    "parse_item": "syntax",
    "parse_items": "syntax",
    "prepare": "preparation",
    "read_conversations": "preparation",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
