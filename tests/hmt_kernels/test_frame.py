"""The augmented segment is prompt, sensory tokens, tokens and prompt without a gap.

Shapes: B documents · K sensory tokens · L tokens · M prompts · V vocabulary · D hidden size.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hmt_kernels.dispatch import frame


@given(
    lengths=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=4),
    memories=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_every_row_is_its_parts_joined_and_zeros_behind(
    lengths: list[tuple[int, int]], memories: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    table_VD = torch.randn(11, 4, generator=generator)
    prompt_BMD = torch.randn(len(lengths), memories, 4, generator=generator)
    sensory_BK = torch.randint(0, 11, (len(lengths), 3), generator=generator)
    ids_BL = torch.randint(0, 11, (len(lengths), 5), generator=generator)
    frame_BTD = frame(
        table_VD,
        prompt_BMD,
        sensory_BK=sensory_BK,
        sensory_lengths_B=torch.tensor([before for before, _ in lengths]),
        ids_BL=ids_BL,
        lengths_B=torch.tensor([length for _, length in lengths]),
    )
    assert frame_BTD.shape == (len(lengths), 2 * memories + 8, 4)
    for row, (before, length) in enumerate(lengths):
        tokens_TD = table_VD[torch.cat([sensory_BK[row, :before], ids_BL[row, :length]])]
        whole_TD = torch.cat([prompt_BMD[row], tokens_TD, prompt_BMD[row]])
        assert torch.equal(frame_BTD[row, : len(whole_TD)], whole_TD)
        assert not frame_BTD[row, len(whole_TD) :].any()


def test_the_gradient_reaches_the_prompt_twice_and_each_token_read() -> None:
    table_VD = torch.zeros(5, 2, requires_grad=True)
    prompt_BMD = torch.zeros(1, 1, 2, requires_grad=True)
    ids = {"sensory_BK": torch.tensor([[4, 3]]), "ids_BL": torch.tensor([[1, 1, 2]])}
    lengths = {"sensory_lengths_B": torch.tensor([1]), "lengths_B": torch.tensor([2])}
    frame(table_VD, prompt_BMD, **ids, **lengths).sum().backward()
    assert prompt_BMD.grad is not None
    assert table_VD.grad is not None
    assert prompt_BMD.grad.flatten().tolist() == [2.0, 2.0]
    assert table_VD.grad[:, 0].tolist() == [0.0, 2.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("lengths_B", torch.ones(3, dtype=torch.long), r"lengths \(B,\)"),
        ("ids_BL", torch.ones(1, 5, dtype=torch.long), r"\(1, 5\)"),
        ("sensory_BK", torch.ones(2, 3), "integers"),
    ],
)
def test_arguments_that_do_not_fit_together_are_refused(name: str, wrong: torch.Tensor, message: str) -> None:
    whole = torch.ones(2, dtype=torch.long)
    rows = {
        "sensory_BK": whole.new_ones(2, 3),
        "sensory_lengths_B": whole,
        "ids_BL": whole.new_ones(2, 5),
        "lengths_B": whole,
    }
    with pytest.raises(ValueError, match=message):
        frame(torch.ones(7, 4), torch.ones(2, 1, 4), **(rows | {name: wrong}))
