from __future__ import annotations

import numpy as np
import pytest
import torch

from swift.llm.core import Encoded
from swift.llm.dataset import Collator

PAD = 99


def sample(*ids: int, trained: int, scale: float | None = None) -> Encoded:
    """The last `trained` tokens carry loss."""
    mask = np.arange(len(ids)) >= len(ids) - trained
    weights = None if scale is None else np.where(mask, scale, 1.0).astype(np.float32)
    return Encoded(np.array(ids, np.int32), mask, weights)


A, B, C = sample(1, 2, 3, trained=2), sample(4, 5, trained=2), sample(6, trained=1)


def test_flat_batch() -> None:
    batch = Collator(padding_free=True, pad_token_id=PAD)([A, B, C])
    assert batch["input_ids"].tolist() == [[1, 2, 3, 4, 5, 6]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0]]
    assert batch["labels"].tolist() == [[-100, 2, 3, -100, 5, -100]]
    assert batch["cu_seqlens"].tolist() == [0, 3, 5, 6]
    assert batch["max_seqlen"] == 3
    assert set(batch) == {"input_ids", "position_ids", "labels", "cu_seqlens", "max_seqlen"}
    kinds = {name: value.dtype for name, value in batch.items() if name != "max_seqlen"}
    assert kinds == {
        "input_ids": torch.int64, "position_ids": torch.int64, "labels": torch.int64, "cu_seqlens": torch.int32,
    }  # fmt: skip


def test_packs_are_the_flat_batch_of_their_samples() -> None:
    collate = Collator(padding_free=True, pad_token_id=PAD)
    packed, flat = collate([[A, B], [C]]), collate([A, B, C])
    assert packed.keys() == flat.keys()
    for name in ("input_ids", "position_ids", "labels", "cu_seqlens"):
        assert torch.equal(packed[name], flat[name])


def test_rounding_a_flat_batch_adds_a_sample_of_padding() -> None:
    batch = Collator(padding_free=True, pad_token_id=PAD, pad_to=4)([A, B])
    assert batch["input_ids"].tolist() == [[1, 2, 3, 4, 5, PAD, PAD, PAD]]
    assert batch["labels"].tolist() == [[-100, 2, 3, -100, 5, -100, -100, -100]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0, 1, 2]]
    assert batch["cu_seqlens"].tolist() == [0, 3, 5, 8]
    exact = Collator(padding_free=True, pad_token_id=PAD, pad_to=5)([A, B])
    assert exact["cu_seqlens"].tolist() == [0, 3, 5]


def test_padded_batch() -> None:
    batch = Collator(padding_free=False, pad_token_id=PAD)([A, B, C])
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 5, PAD], [6, PAD, PAD]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 2, 3], [-100, 5, -100], [-100, -100, -100]]
    assert set(batch) == {"input_ids", "attention_mask", "labels"}
    wide = Collator(padding_free=False, pad_token_id=PAD, pad_to=8)([A])
    assert wide["input_ids"].shape == (1, 8)


@pytest.mark.parametrize("flat", [True, False])
def test_weights_are_there_if_one_sample_has_some(flat: bool) -> None:
    batch = Collator(padding_free=flat, pad_token_id=PAD)([A, sample(4, 5, trained=1, scale=0.5)])
    assert batch["loss_scale"].dtype == torch.float32
    assert batch["loss_scale"].tolist() == ([[1, 1, 1, 1, 0.5]] if flat else [[1, 1, 1], [1, 0.5, 1]])


def test_flat_and_padded_train_the_same_tokens() -> None:
    rng = np.random.default_rng(0)
    samples = []
    for length in rng.integers(1, 30, size=20):
        samples.append(Encoded(rng.integers(0, 90, length).astype(np.int32), rng.random(length) < 0.5))
    flat = Collator(padding_free=True, pad_token_id=PAD)(samples)["labels"]
    padded = Collator(padding_free=False, pad_token_id=PAD)(samples)["labels"]
    assert flat[flat >= 0].tolist() == padded[padded >= 0].tolist()


def test_packs_are_never_padded() -> None:
    with pytest.raises(ValueError, match="packs cannot be padded"):
        Collator(padding_free=False, pad_token_id=PAD)([[A, B]])
    with pytest.raises(ValueError, match="at least one sample"):
        Collator(padding_free=True, pad_token_id=PAD)([])


def test_a_batch_owns_its_memory() -> None:
    """Rows come from a read-only map; a trainer may write into its batch."""
    frozen = Encoded(np.array([1, 2], np.int32), np.array([False, True]))
    frozen.input_ids.flags.writeable = False
    batch = Collator(padding_free=True, pad_token_id=PAD)([frozen])
    batch["input_ids"][0, 0] = 7
    assert frozen.input_ids.tolist() == [1, 2]
