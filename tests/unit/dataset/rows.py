"""An honest miniature of a template: bytes as tokens, the assistant's text trained; and short ways to write data files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from swift.llm.core import Conversation, Dropped, Encoded
from swift.llm.plan.plans import DataPlan


class ByteEncoder:
    """Each byte of role letter, text and newline is a token; rows over `limit` are dropped, or cut from the left."""

    def __init__(self, limit: int | None = None, *, cut: bool = False) -> None:
        self.limit = limit
        self.cut = cut
        self.fingerprint = f"bytes-{limit}-{cut}"
        self.rows_encoded = 0

    def encode_batch(self, conversations: Sequence[Conversation]) -> list[Encoded | Dropped]:
        self.rows_encoded += len(conversations)
        return [self.encode(conversation) for conversation in conversations]

    def encode(self, conversation: Conversation) -> Encoded | Dropped:
        ids: list[int] = []
        trained: list[bool] = []
        weights: list[float] = []
        for message in conversation.messages:
            text = f"{message.role[0]}{message.content}\n".encode()
            ids += text
            trains = message.role == "assistant" if message.train is None else message.train
            trained += [trains] * len(text)
            weights += [1.0 if message.weight is None else message.weight] * len(text)
        trained[0] = False
        length, cut = len(ids), 0
        if self.limit is not None and length > self.limit:
            if not self.cut:
                return Dropped(f"{length:,} tokens, limit {self.limit:,}", conversation.place, length)
            cut = length - self.limit
        scale = None if set(weights) == {1.0} else np.array(weights, np.float32)[cut:]
        mask = np.array(trained)[cut:]
        mask[0] = False
        return Encoded(np.array(ids, np.int32)[cut:], mask, scale, cut)


def text_of(sample: Encoded) -> str:
    return bytes(sample.input_ids.tolist()).decode()


def write_json(path: Path, rows: Any) -> Path:
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def write_jsonl(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def qa(n: int, start: int = 0) -> list[dict[str, str]]:
    return [{"query": f"question {i}", "response": f"answer {i}"} for i in range(start, start + n)]


def plan_of(*items: str | Path, cache: Path, **fields: Any) -> DataPlan:
    return DataPlan(dataset=tuple(map(str, items)), cache_dir=str(cache / "cache"), **fields)
