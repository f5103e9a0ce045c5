"""Answers and questions by passes of fixed shape are those of the usual ones."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import torch

from hmt_qa.model import backbone
from hmt_qa.model.hmt import Segments
from hmt_qa.model.recorded import LONGEST_PROMPT, RecordedSummary, RecordedWriter
from tests.hmt_qa.models import tiny_hmt

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
    ),
]
NEVER = (63,)


def made(family: str, device: str):
    return tiny_hmt(family, backbone={"max_position_embeddings": 4096}).double().to(device)


def usual(model, embeds_1TD, most=12, stop_ids=NEVER) -> list[int]:
    with torch.inference_mode():
        ids = backbone.generate(model.backbone, embeds_1TD, max_new_tokens=most, stop_ids=stop_ids, pad_id=0)
    return ids.tolist()


def never() -> Generator[int]:
    raise AssertionError
    yield


def write(writer: RecordedWriter, embeds_1TD, *, most=12, stop_ids=NEVER, otherwise=never):
    return writer.write(embeds_1TD, max_new_tokens=most, stop_ids=stop_ids, otherwise=otherwise)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("family", ["qwen3", "llama", "gpt_neox"])
def test_answers_are_the_greedy_ones_whatever_was_written_before(family, device):
    model = made(family, device)
    assert RecordedWriter.suits(model)
    writer = RecordedWriter(model)
    for length in (300, 5, 256, 17, 301):
        torch.manual_seed(length)
        embeds_1TD = torch.randn(1, length, 32, dtype=torch.double).to(device)
        assert list(write(writer, embeds_1TD)) == usual(model, embeds_1TD), length


def test_an_answer_ends_at_a_stop_id_which_it_yields():
    model = made("qwen3", "cpu")
    embeds_1TD = torch.randn(1, 40, 32, dtype=torch.double)
    ids = usual(model, embeds_1TD)
    stop = ids[3]
    assert list(write(RecordedWriter(model), embeds_1TD, stop_ids=(stop,))) == ids[: ids.index(stop) + 1]


def test_a_second_answer_at_the_same_time_and_a_long_prompt_are_written_the_usual_way():
    model = made("qwen3", "cpu")
    writer = RecordedWriter(model)
    embeds_1TD = torch.randn(1, 20, 32, dtype=torch.double)
    first = write(writer, embeds_1TD)
    begun = [next(first)]
    assert list(write(writer, embeds_1TD, otherwise=lambda: (n for n in (1, 2)))) == [1, 2]
    assert begun + list(first) == usual(model, embeds_1TD)
    long_1TD = torch.randn(1, LONGEST_PROMPT + 1, 32, dtype=torch.double)
    assert list(write(writer, long_1TD, otherwise=lambda: (n for n in (3,)))) == [3]


def test_an_answer_that_nobody_wants_to_the_end_lets_the_next_begin():
    model = made("qwen3", "cpu")
    writer = RecordedWriter(model)
    embeds_1TD = torch.randn(1, 20, 32, dtype=torch.double)
    given_up = write(writer, embeds_1TD)
    next(given_up)
    given_up.close()
    assert list(write(writer, embeds_1TD)) == usual(model, embeds_1TD)


def test_a_backbone_without_keys_and_values_is_not_for_it():
    assert not RecordedWriter.suits(tiny_hmt("mamba"))


@pytest.mark.parametrize("device", DEVICES)
def test_a_question_is_about_the_same(device):
    model = made("qwen3", device)
    summary = RecordedSummary(model)
    for width, length in ((64, 40), (64, 7), (128, 100)):
        ids_1W = torch.randint(0, 64, (1, width), device=device)
        question = Segments(ids_1W, torch.tensor([length], device=device))
        with torch.inference_mode():
            expected = model.represent(question, length=width)
        torch.testing.assert_close(summary(question), expected)
