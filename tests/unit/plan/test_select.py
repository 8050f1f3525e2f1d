"""Rows by size and by the other filters."""

from __future__ import annotations

import pytest

from swift.llm.catalog.registries import MODEL_MAPPING
from swift.llm.catalog.rows import ModelRow
from swift.llm.plan.select import ModelFilter, parse_sizes, size_of
from swift.utils.errors import ArgumentError


@pytest.mark.parametrize(
    ("model_type", "billions"),
    [
        ("qwen2_5-0_5b-instruct", 0.5), ("qwen3-30b-a3b", 30), ("mixtral-moe-7b-instruct", 56), ("gemma3-270m", 0.27),
        ("qwen2_5-7b-instruct-1m", 7), ("baichuan2-7b-chat-int4", 7), ("gemma3n-e2b-it", 2), ("phi2-3b", 3),
        ("llama4-scout-17b-16e", 17), ("mistral-small-2506", 24), ("minicpm-moe-8x2b", 16), ("deepseek-v3", 671), ("deepseek-v4-pro", None), ("phi4-mini-instruct", 3.8),
        ("qwen3_8-2_4t-a95b", 2400), ("yi-6b-chat-int8", 6), ("mamba-1.4b", 1.4),
    ],
)  # fmt: skip
def test_the_size_of_a_row(model_type: str, billions: float | None) -> None:
    size = size_of(MODEL_MAPPING[model_type])
    assert size is None if billions is None else size == pytest.approx(billions * 1e9)


def test_most_rows_have_a_size() -> None:
    unknown = [row.model_type for row in MODEL_MAPPING.values() if size_of(row) is None]
    assert len(unknown) < 0.05 * len(MODEL_MAPPING)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("7b", (7.0,), (6.9, 8.0)), ("<=8b", (8.0, 0.5), (8.1,)), (">30b", (32.0,), (30.0,)), ("<1B", (0.5,), (1.0,)),
        ("1b..8b", (1.0, 8.0), (0.9, 9.0)), (">= 500m", (0.5,), (0.4,)), ("0.5b", (0.5,), (0.6,)),
    ],
)  # fmt: skip
def test_asked_sizes(text: str, inside: tuple[float, ...], outside: tuple[float, ...]) -> None:
    fits = parse_sizes(text)
    assert all(fits(one * 1e9) for one in inside)
    assert not any(fits(one * 1e9) for one in outside)


@pytest.mark.parametrize("text", ["", "big", "7", "<>7b", "1b..", "1.2.3b", "8b..1x"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ArgumentError, match=r"is not a size. Write 7b"):
        parse_sizes(text)


def found(**asked: str) -> list[ModelRow]:
    return ModelFilter(**asked).apply(MODEL_MAPPING.values(), MODEL_MAPPING.values())


def test_filters_narrow_together() -> None:
    rows = found(family="QWEN2_5", size="7b", quant="gptq4")
    assert [row.model_type for row in rows] == ["qwen2_5-7b-instruct-gptq-int4"]
    assert {row.task for row in found(task="reranker")} == {"reranker"}
    assert all("audio" in row.modality for row in found(modality="audio"))
    assert {row.modality for row in found(modality="text")} == {("text",)}
    assert all(row.quant is None and "moe" in row.tags for row in found(quant="none", tag="moe"))
    assert {row.quant[1] for row in found(quant="4bit") if row.quant} == {4}
    assert found(size="1b..1b", family="grok") == []


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"family": "qwen2-5"}, "--family: unknown family 'qwen2-5'; did you mean 'qwen2_5'"),
        ({"tag": "resoning"}, "did you mean 'reasoning'"),
        ({"task": "chat"}, "unknown task 'chat'; known: "),
        ({"modality": "smell"}, "known: audio, image, text, video"),
        ({"quant": "gtpq"}, "did you mean 'gptq"),
    ],
)
def test_a_value_that_no_row_has_is_told(asked: dict[str, str], told: str) -> None:
    with pytest.raises(ArgumentError) as error:
        found(**asked)
    assert told in str(error.value)
