"""The memory bank as a value, and the search over it."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hmt_qa.model.memory import MemoryBank, MemoryParameters
from tests.hmt_qa.models import VOCABULARY, tiny_hmt

HIDDEN, WIDTH, PLACES = 6, 4, 2


@pytest.fixture(scope="module")
def parameters() -> MemoryParameters:
    torch.manual_seed(0)
    made = MemoryParameters(HIDDEN, WIDTH, PLACES)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def bank_of(counts: list[int], *, width: int | None = None, padding: float = 0.0) -> MemoryBank:
    """Random memories, of which the first `counts` are real; what pads them is `padding`."""
    generator = torch.Generator().manual_seed(3)
    rows_BMND = torch.full((len(counts), PLACES, width or max(counts), HIDDEN), padding)
    for row, count in enumerate(counts):
        rows_BMND[row, :, :count] = torch.randn(PLACES, count, HIDDEN, generator=generator)
    return MemoryBank(rows_BMND, torch.tensor(counts))


def alone(bank: MemoryBank, row: int) -> MemoryBank:
    """One document of a bank, without padding."""
    return MemoryBank.of(bank.rows_BMND[row, :, : int(bank.counts_B[row])].transpose(0, 1))


def summaries(count: int) -> Tensor:
    return torch.randn(count, HIDDEN, generator=torch.Generator().manual_seed(4))


@given(
    steps=st.integers(1, 4).flatmap(lambda size: st.lists(st.lists(st.booleans(), min_size=size, max_size=size))),
    window=st.integers(1, 5),
)
def test_a_bank_remembers_for_active_documents_and_gives_the_newest_in_order(steps, window):
    batch = len(steps[0]) if steps else 1
    expected: list[list[float]] = [[] for _ in range(batch)]
    bank = MemoryBank.empty(batch, PLACES, HIDDEN, like=torch.zeros(1))
    for number, active in enumerate(steps, start=1):
        memory_BMD = float(number) + torch.tensor([0.0, 0.5])[:, None].expand(batch, PLACES, HIDDEN)
        bank = bank.remember(memory_BMD, torch.tensor(active))
        for row, is_active in enumerate(active):
            expected[row] += [float(number)] * is_active
    assert values(bank) == expected
    assert values(bank.newest(window)) == [row[-window:] for row in expected]
    assert values(bank, place=1) == [[value + 0.5 for value in row] for row in expected]
    assert bank.newest(window).rows_BMND.shape[2] <= window


def values(bank: MemoryBank, *, place: int = 0) -> list[list[float]]:
    rows = zip(bank.rows_BMND[:, place], bank.counts_B.tolist(), strict=True)
    return [rows_ND[:count, 0].tolist() for rows_ND, count in rows]


def test_remembering_without_a_mask_is_remembering_for_all():
    bank = MemoryBank.empty(2, PLACES, HIDDEN, like=torch.zeros(1)).remember(torch.ones(2, PLACES, HIDDEN))
    assert values(bank) == [[1.0], [1.0]]


def test_remembering_leaves_the_old_bank_as_it_was():
    old = bank_of([2, 1])
    kept = old.rows_BMND.clone()
    old.remember(torch.ones(2, PLACES, HIDDEN))
    assert torch.equal(old.rows_BMND, kept)
    assert old.counts_B.tolist() == [2, 1]


def test_a_bank_of_rows_holds_them_all():
    rows_NMD = torch.randn(3, PLACES, HIDDEN)
    bank = MemoryBank.of(rows_NMD)
    assert torch.equal(bank.rows_BMND[0].transpose(0, 1), rows_NMD)
    assert bank.counts_B.tolist() == [3]


@given(padding=st.sampled_from([0.0, 1e30, float("nan"), float("inf")]), extra=st.integers(0, 5))
def test_recall_does_not_depend_on_batch_padding(parameters, padding, extra):
    counts = [3, 1, 5]
    together = parameters(summaries(3), bank_of(counts, width=5 + extra, padding=padding))
    for row, count in enumerate(counts):
        single = parameters(summaries(3)[row : row + 1], alone(bank_of(counts), row))
        torch.testing.assert_close(together.prompt_BMD[row], single.prompt_BMD[0])
        torch.testing.assert_close(together.weights_BMN[row, :, :count], single.weights_BMN[0])
        assert not together.weights_BMN[row, :, count:].any()


@given(counts=st.lists(st.integers(1, 7), min_size=1, max_size=4), scale=st.sampled_from([0.01, 1.0, 100.0]))
def test_the_prompt_lies_within_the_convex_hull_of_the_memories(parameters, counts, scale):
    bank = bank_of(counts)
    recalled = parameters(summaries(len(counts)) * scale, bank)
    assert (recalled.weights_BMN >= 0).all()
    torch.testing.assert_close(recalled.weights_BMN.sum(2), torch.ones(len(counts), PLACES))
    mixed_BMD = torch.einsum("bmn,bmnd->bmd", recalled.weights_BMN, bank.rows_BMND)
    torch.testing.assert_close(recalled.prompt_BMD, mixed_BMD)
    for row, count in enumerate(counts):
        real_MND = bank.rows_BMND[row, :, :count]
        assert (recalled.prompt_BMD[row] >= real_MND.amin(1) - 1e-5).all()
        assert (recalled.prompt_BMD[row] <= real_MND.amax(1) + 1e-5).all()


@given(counts=st.lists(st.integers(0, 7), min_size=1, max_size=4).filter(any))
def test_a_segments_weight_for_a_question_is_its_share_of_one_softmax_over_all_memories(parameters, counts):
    bank = bank_of(counts, padding=float("nan"))
    weights_BN = parameters.weigh(summaries(len(counts)), bank)
    for row, count in enumerate(counts):
        scores_NM = alone(bank, row).rows_BMND[0].transpose(0, 1) @ parameters.fold(summaries(len(counts)))[row]
        expected_N = scores_NM.flatten().softmax(0).view(count, PLACES).sum(1)
        torch.testing.assert_close(weights_BN[row, :count], expected_N)
        assert not weights_BN[row, count:].any()


def test_scores_of_the_folded_query_over_raw_memories_are_those_of_queries_and_keys(parameters):
    summary_BD, bank = summaries(1), bank_of([5])
    scores_MN = parameters.key(bank.rows_BMND[0]) @ parameters.query(summary_BD)[0] / sqrt(WIDTH)
    torch.testing.assert_close(bank.rows_BMND[0] @ parameters.fold(summary_BD)[0], scores_MN)
    torch.testing.assert_close(parameters(summary_BD, bank).weights_BMN[0], scores_MN.softmax(-1))


def test_recall_is_searched_in_float32_whatever_the_model_computes_in(parameters):
    half = MemoryParameters(HIDDEN, WIDTH, PLACES).to(torch.bfloat16)
    half.load_state_dict(parameters.state_dict())
    bank = bank_of([4])
    recalled = half(summaries(1).bfloat16(), MemoryBank(bank.rows_BMND.bfloat16(), bank.counts_B))
    assert recalled.weights_BMN.dtype == torch.float32
    assert recalled.prompt_BMD.dtype == torch.bfloat16
    torch.testing.assert_close(recalled.weights_BMN.sum(), torch.tensor(float(PLACES)))


def test_an_empty_bank_recalls_the_initial_memory(parameters):
    recalled = parameters(summaries(2), MemoryBank.empty(2, PLACES, HIDDEN, like=torch.zeros(1)))
    assert torch.equal(recalled.prompt_BMD, parameters.initial_memory_MD.expand(2, -1, -1))
    assert recalled.weights_BMN.shape == (2, PLACES, 0)


def test_a_document_without_memories_beside_one_with_some_recalls_the_initial_memory(parameters):
    recalled = parameters(summaries(2), bank_of([0, 2]))
    assert torch.equal(recalled.prompt_BMD[0], parameters.initial_memory_MD)
    assert not recalled.weights_BMN[0].any()
    assert not torch.equal(recalled.prompt_BMD[1], parameters.initial_memory_MD)


def test_memory_parameters_begin_as_likeness_of_summaries_and_memories():
    made = MemoryParameters(HIDDEN, HIDDEN, PLACES)
    made.initialise(0.02)
    torch.testing.assert_close(made.fold(summaries(2)), summaries(2) / sqrt(HIDDEN))
    assert made.summary_prompt_D.any()
    assert made.initial_memory_MD.any()


@pytest.fixture
def unrolled_loss():
    """A model after a backward pass of the third segment's loss alone; token 0 stands in the first segment only."""
    model = tiny_hmt("llama").train()
    ids_BT = torch.randint(1, VOCABULARY, (2, 24), generator=torch.Generator().manual_seed(2))
    ids_BT[:, 1] = 0
    labels_BT = ids_BT.clone()
    labels_BT[:, :16] = -100
    model(ids_BT, labels=labels_BT).loss.backward()
    return model


@pytest.mark.parametrize("name", ["summary_prompt_D", "initial_memory_MD", "query.weight", "key.weight"])
def test_gradients_of_an_unroll_reach_every_memory_parameter(unrolled_loss, name):
    gradient = unrolled_loss.memory.get_parameter(name).grad
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 1e-6


def test_the_third_segments_loss_teaches_how_the_first_was_read(unrolled_loss):
    # three sensory tokens reach back into the second segment only: what is left is the way through the memory
    assert unrolled_loss.get_input_embeddings().weight.grad[0].abs().max() > 1e-6


@settings(max_examples=20)
@given(place=st.integers(0, 4 * HIDDEN - 1))
def test_gradients_of_recall_are_those_of_finite_differences(parameters, place):
    exact = MemoryParameters(HIDDEN, WIDTH, PLACES).double()
    exact.load_state_dict(parameters.state_dict())
    bank, summary_BD = bank_of([3]), summaries(1).double().requires_grad_()
    rows_BMND = bank.rows_BMND.double()
    assert torch.autograd.gradcheck(
        lambda s, m: exact(s, MemoryBank(m, bank.counts_B)).prompt_BMD.flatten()[place % (PLACES * HIDDEN)],
        (summary_BD, rows_BMND.requires_grad_()),
        atol=1e-3,
        rtol=1e-3,
        eps=1e-3,
    )
