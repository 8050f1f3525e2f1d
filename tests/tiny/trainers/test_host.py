"""What a run asks of its process: taken back afterwards, and as exact as before."""

from __future__ import annotations

import pytest
import torch

from swift.trainers.host import prepared


def test_the_setting_of_torch_is_put_back_and_products_stay_exact() -> None:
    before = torch.backends.mkldnn.matmul.fp32_precision
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(64, 300, generator=generator), torch.rand(300, 50, generator=generator)
    exact = a.double() @ b.double()
    with prepared(torch.device("cpu")):
        found = a @ b
    assert torch.backends.mkldnn.matmul.fp32_precision == before
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=0)


def test_memory_can_be_had_during_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    with prepared(torch.device("cpu")):
        for _ in range(3):
            assert torch.ones(1 << 20).sum() == 1 << 20
    assert torch.ones(1 << 20).sum() == 1 << 20
