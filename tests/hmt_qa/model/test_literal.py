"""The fast path gives what the paper's equations give, for every family of backbones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hmt_qa.model.hmt import HMTForCausalLM, Reading, Segments
from tests.hmt_qa.model.literal import LiteralReading, literal_loss, read_literally
from tests.hmt_qa.models import FAMILIES, VOCABULARY, tiny_hmt

pytestmark = pytest.mark.usefixtures("no_gradients")
SIZES = {
    "paper": {},
    "no sensory memory": {"sensory_length": 0},
    "one memory in the window": {"recall_window": 1},
    "three memories a segment": {"memories_per_segment": 3},
    "the whole segment summarised, all of it sensory": {"summary_length": 8, "sensory_length": 8},
}


@pytest.fixture
def no_gradients():
    with torch.no_grad():
        yield


def document(length: int, *, seed: int = 1) -> list[int]:
    return torch.randint(0, VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def padded(rows: list[list[int]], *, width: int = 0, padding: int = 5) -> Segments:
    width = max(width, *map(len, rows))
    return Segments(
        torch.tensor([row + [padding] * (width - len(row)) for row in rows]), torch.tensor([len(row) for row in rows])
    )


def read_fast(model: HMTForCausalLM, documents: list[list[int]]) -> list[tuple[Tensor, Reading, list[int]]]:
    """Summaries and readings of a batch of documents, and which of them each step was about."""
    length = model.config.segment_length
    state = model.initial_state(len(documents))
    steps = []
    for start in range(0, max(map(len, documents)), length):
        segments = padded([ids[start : start + length] for ids in documents], width=length)
        summary_BD = model.represent(segments)
        reading = model.read(segments, summary_BD, state, active_B=segments.lengths_B > 0)
        state = reading.state
        steps.append((summary_BD, reading, segments.lengths_B.tolist()))
    return steps


def assert_same_reading(model: HMTForCausalLM, steps, row: int, literal: LiteralReading) -> None:
    for number, expected in enumerate(literal.steps):
        summary_BD, reading, lengths = steps[number]
        recalled = expected.weights_mn.shape[1]
        weights_mn = reading.recall.weights_BMN[row]
        logits_Lv = model.get_output_embeddings()(reading.predicting_BWD[row, : lengths[row]])
        close(summary_BD[row], expected.summary_d)
        close(weights_mn[:, :recalled], expected.weights_mn)
        assert not weights_mn[:, recalled:].any()
        close(reading.recall.prompt_BMD[row], expected.prompt_md)
        close(reading.memory_BMD[row], expected.memory_md)
        close(logits_Lv, expected.logits_Lv)
    state = steps[-1][1].state
    assert state.bank.counts_B[row] == len(literal.memories)
    close(state.bank.rows_BMND[row, :, : len(literal.memories)], torch.stack(literal.memories, dim=1))


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5, check_dtype=False)


def exact(family: str, **sizes: int) -> HMTForCausalLM:
    """A tiny model in float64: its norms and rotations still round to float32, its products do not."""
    return tiny_hmt(family, **sizes).double()


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_quantity_of_every_step_equals_the_papers_equations(family, sizes):
    model = exact(family, **sizes)
    ids = document(8 * 5 + 3)  # six segments, more than any window here holds; the last one ragged
    literal = read_literally(model, ids)
    steps = read_fast(model, [ids])
    assert_same_reading(model, steps, 0, literal)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_state_after_reading_is_all_memories_and_the_last_k_tokens(family):
    model = exact(family)
    ids = document(8 * 4)
    state = read_fast(model, [ids])[-1][1].state
    assert state.sensory.ids_BW.tolist() == [ids[-3:]]
    assert state.sensory.lengths_B.tolist() == [3]
    assert state.bank.counts_B.tolist() == [4]


def test_the_literal_recall_is_uneven_enough_to_tell_right_from_wrong():
    weights = [step.weights_mn for step in read_literally(exact("llama"), document(8 * 6)).steps[2:]]
    assert min(float(weights_mn.max() - weights_mn.min()) for weights_mn in weights) > 0.05


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("memories", [1, 3])
def test_documents_in_a_ragged_batch_read_as_each_does_alone(family, memories):
    model = exact(family, memories_per_segment=memories)
    documents = [document(length, seed=length) for length in (8 * 4 + 3, 2, 8 * 2, 8 * 3 + 1, 5)]
    steps = read_fast(model, documents)
    for row, ids in enumerate(documents):
        assert_same_reading(model, steps, row, read_literally(model, ids))


@pytest.mark.parametrize("length", [8 * 4 + 3, 8 * 3, 8, 3])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("memories", [1, 2])
def test_logits_and_loss_of_a_document_equal_the_papers_equations(family, length, memories):
    model = exact(family, memories_per_segment=memories)
    ids = document(length)
    literal = read_literally(model, ids)
    output = model(torch.tensor([ids]), labels=torch.tensor([ids]))
    close(output.logits[0, :-1], literal.logits[1:])
    close(output.loss, literal_loss(literal, ids, ids))


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_of_a_ragged_batch_equal_the_papers_equations_row_by_row(family):
    model = exact(family)
    documents = [document(length, seed=length) for length in (8 * 3 + 2, 8, 4)]
    batch = padded(documents)
    mask_BT = torch.arange(batch.ids_BW.shape[1]) < batch.lengths_B[:, None]
    logits_BTV = model(batch.ids_BW, attention_mask=mask_BT.long()).logits
    for row, ids in enumerate(documents):
        close(logits_BTV[row, : len(ids) - 1], read_literally(model, ids).logits[1:])


def test_labels_that_are_minus_100_cost_nothing_in_either():
    model = exact("llama")
    ids = document(8 * 2 + 5)
    labels = [-100 if place % 3 == 0 else number for place, number in enumerate(ids)]
    loss = model(torch.tensor([ids]), labels=torch.tensor([labels])).loss
    close(loss, literal_loss(read_literally(model, ids), ids, labels))
