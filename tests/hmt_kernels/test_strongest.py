"""The strongest rows of each memory.

Shapes: B memories · N rows, padded · K rows wanted.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hmt_kernels.dispatch import strongest


@given(
    weights=st.lists(st.sampled_from([0.0, 0.125, 0.25, 0.5]), min_size=1, max_size=30),
    counted=st.integers(0, 30),
    top=st.integers(1, 40),
)
def test_they_are_the_largest_of_the_valid_rows_the_earlier_of_equals_first(
    weights: list[float], counted: int, top: int
) -> None:
    count = min(counted, len(weights))
    weights_BK, rows_BK = strongest(torch.tensor([weights]), torch.tensor([count]), top)
    expected = sorted(range(count), key=lambda row: (-weights[row], row))[:top]
    missing = top - len(expected)
    assert rows_BK[0].tolist() == expected + [-1] * missing
    assert weights_BK[0].tolist() == [weights[row] for row in expected] + [0.0] * missing


@pytest.mark.parametrize(("counts", "top"), [([3, 3], 2), ([3], 0)])
def test_what_does_not_fit_together_is_refused(counts: list[int], top: int) -> None:
    with pytest.raises(ValueError, match="a number from 1"):
        strongest(torch.ones(1, 3), torch.tensor(counts), top)
