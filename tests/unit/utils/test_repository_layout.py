from __future__ import annotations

import pytest

from swift.utils.errors import DataError
from swift.utils.repository_layout import choose_files

PARQUET = ["default/train-0.parquet", "default/test-0.parquet", "fr/train-0.parquet", "fr/train-1.parquet", "README.md"]


@pytest.mark.parametrize(
    ("names", "subsets", "split", "chosen"),
    [
        (PARQUET, (), ("train",), ["default/train-0.parquet"]),
        (PARQUET, ("default",), ("test",), ["default/test-0.parquet"]),
        (PARQUET, ("fr",), ("train",), ["fr/train-0.parquet", "fr/train-1.parquet"]),
        (PARQUET, ("fr", "default"), ("train",), ["fr/train-0.parquet", "fr/train-1.parquet", "default/train-0.parquet"]),
        (["a.jsonl", "b.jsonl"], (), ("train",), ["a.jsonl", "b.jsonl"]),
        (["a.jsonl", "b.jsonl"], ("b",), ("train",), ["b.jsonl"]),
        (["faq_train.csv.gz", "faq_dev.csv.gz", "chat.train.csv"], ("faq",), ("train",), ["faq_train.csv.gz"]),
        (["rows.jsonl", "valid.jsonl"], (), ("train",), ["rows.jsonl"]),
        (["rows.jsonl", "valid.jsonl"], (), ("validation",), ["valid.jsonl"]),
        (["train.jsonl", "notes.jsonl"], (), ("train",), ["train.jsonl"]),
        (["data/train_sft-0.parquet", "data/train_gen-0.parquet"], (), ("train_sft",), ["data/train_sft-0.parquet"]),
        (["train/0.json", "test/0.json", "constraints.json"], (), ("train",), ["train/0.json"]),
        (["test/train.csv", "other/train.csv"], ("test",), ("train",), ["test/train.csv"]),
        (["x.csv", "x.parquet", "x.jsonl.gz"], (), ("train",), ["x.parquet"]),
        (["LICENSE.txt", "rows.jsonl"], (), ("train",), ["rows.jsonl"]),
        (["poems.txt", ".hidden.txt", ".cache/x.txt"], (), ("train",), ["poems.txt"]),
    ],
)  # fmt: skip
def test_names_decide_where_no_card_does(
    names: list[str], subsets: tuple[str, ...], split: tuple[str, ...], chosen: list[str]
) -> None:
    assert list(choose_files("a/b", names, "", subsets, split)) == chosen


CARD = """---
license: mit
configs:
- config_name: small
  data_files:
  - split: train
    path: ["data/s-*.jsonl", "more"]
  - split: test
    path: data/t.jsonl
- config_name: large
  default: true
  data_files: "**/l*.jsonl"
- config_name: folder
  data_dir: data
---
Prose.
"""
FILES = ["data/s-1.jsonl", "data/s-2.jsonl", "data/t.jsonl", "more/x.jsonl", "l1.jsonl", "deep/er/l2.jsonl"]


@pytest.mark.parametrize(
    ("subsets", "split", "chosen"),
    [
        (("small",), ("train",), ["data/s-1.jsonl", "data/s-2.jsonl", "more/x.jsonl"]),
        (("small",), ("test",), ["data/t.jsonl"]),
        ((), ("train",), ["deep/er/l2.jsonl", "l1.jsonl"]),
        (("large", "default"), ("train",), ["deep/er/l2.jsonl", "l1.jsonl"]),
        (("folder",), ("train",), ["data/s-1.jsonl", "data/s-2.jsonl", "data/t.jsonl"]),
    ],
)
def test_the_card_decides(subsets: tuple[str, ...], split: tuple[str, ...], chosen: list[str]) -> None:
    assert list(choose_files("a/b", FILES, CARD, subsets, split)) == chosen


@pytest.mark.parametrize(
    ("names", "card", "subsets", "split", "said"),
    [
        (FILES, CARD, ("tiny",), ("train",), r"a/b: has no subset 'tiny'; it has default, small, folder, large\."),
        (FILES, CARD, ("small",), ("dev",), r"a/b: subset small has no split dev; it has train, test\."),
        (["y.jsonl"], CARD, (), ("train",), r"the card says that split train of subset default is \*\*/l\*\.jsonl"),
        (PARQUET, "", ("de",), ("train",), r"has no subset 'de'; it has default, fr\."),
        (["faq_train.csv", "chat_train.csv"], "", ("de",), ("train",), r"it has chat, faq\."),
        (PARQUET, "", ("fr",), ("test",), r"subset fr has no split test; it has train\."),
        (["README.md", "x.py"], "", (), ("train",), r"holds no data files"),
        (["x.jsonl"], "---\nconfigs: [7]\n---", ("z",), ("train",), r"has no subset 'z'; it has x\."),
    ],
)  # fmt: skip
def test_what_there_is_is_listed(
    names: list[str], card: str, subsets: tuple[str, ...], split: tuple[str, ...], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        choose_files("a/b", names, card, subsets, split)
