"""The engine's linear layers: equal to torch's, row by row, for few numbers of rows."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from swift.llm.engine.linear import _round, linear


@pytest.mark.parametrize("rows", [0, 1, 2, 16, 17, 31, 32, 500, 513])
def test_it_is_the_product(rows: int) -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(1, rows, 24), torch.randn(40, 24), torch.randn(40)
    for one in (None, bias):
        found = linear(x, weight, one)
        assert found.shape == (1, rows, 40)
        torch.testing.assert_close(found, F.linear(x, weight, one), atol=1e-5, rtol=1e-5)
    found = linear(x[0], weight)
    assert torch.equal(found, linear(x, weight)[0])


def test_code_is_made_for_few_numbers_of_rows() -> None:
    rounded = {rows: _round(rows) for rows in range(1, 513)}
    assert len(set(rounded.values())) < 50
    assert all(rows <= more < rows + 16 for rows, more in rounded.items())
