"""The memory's own model with a confidence: an answer below its threshold is never shown."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hmt_qa.answering import NO_ANSWER
from hmt_qa.app import DocumentQA
from hmt_qa.confidence import BEGINNING, FILE, Confidence, Signs
from hmt_qa.engine import LocalEngine
from hmt_qa.model.odds import Overheard, odds_of
from hmt_qa.types import Mode
from hmt_qa.writers import memory
from hmt_qa.writers.memory import ANSWER_TOKENS
from tests.hmt_qa.library import open_qa

QUESTION = "Who is the captain of Corisande?"
GIVES_ALL = Confidence(weights=(-0.1, 0.2, 0.1, 0.3), bias=0.4, threshold=0.0)


@pytest.fixture
def asked(tmp_path: Path, checkpoint: Path, harbour: Path) -> Iterator:
    """A library asked by the tiny model with a confidence beside its weights."""
    opened: list[DocumentQA] = []

    def asking(confidence: Confidence) -> DocumentQA:
        folder = tmp_path / checkpoint.name
        shutil.copytree(checkpoint, folder, dirs_exist_ok=True)
        engine = LocalEngine(folder, device="cpu", dtype="float32")
        confidence.write(folder / FILE, fingerprint=engine.checkpoint.fingerprint)
        opened.append(open_qa(harbour, engine))
        return opened[-1]

    yield asking
    for qa in opened:
        qa.close()


def test_an_answer_has_its_confidence_and_is_the_one_written_without(asked, harbour, engine):
    answer = asked(GIVES_ALL).ask(QUESTION)
    assert 0 < answer.confidence < 1
    with open_qa(harbour, engine) as plain:
        without = plain.ask(QUESTION)
    assert (answer.text, without.confidence) == (without.text, None)


def test_below_the_threshold_not_a_word_of_the_answer_is_shown_but_the_nearest_places(asked):
    *pieces, answer = asked(replace(GIVES_ALL, threshold=1.0)).stream(QUESTION, top=3)
    assert pieces == [NO_ANSWER]
    assert (answer.answerable, len(answer.citations)) == (False, 3)
    assert 0 < answer.confidence < 1


def test_from_the_memory_alone_nothing_was_measured_and_nothing_is_withheld(asked):
    answer = asked(replace(GIVES_ALL, threshold=1.0)).ask(QUESTION, mode=Mode.MEMORY)
    assert answer.answerable
    assert answer.confidence is None


def test_an_answer_longer_than_its_beginning_goes_on_as_it_is_written(asked, monkeypatch):
    qa = asked(GIVES_ALL)
    whole = qa.ask(QUESTION).text
    monkeypatch.setattr(memory, "BEGINNING", 2)
    taken: list[int] = []
    generate = qa.engine.generate

    def counted(*given, **named):
        for token in generate(*given, **named):
            taken.append(token)
            yield token

    monkeypatch.setattr(qa.engine, "generate", counted)
    pieces = qa.stream(QUESTION)
    first = next(pieces)
    assert len(taken) < ANSWER_TOKENS
    assert "".join([first, *(piece for piece in pieces if isinstance(piece, str))]).strip() == whole
    assert len(taken) == ANSWER_TOKENS


def test_what_stands_behind_the_beginning_changes_no_confidence():
    beginning = (-0.5,) * BEGINNING
    signs = Signs(refusal=0.1, log_probabilities=beginning, share=0.5)
    assert replace(signs, log_probabilities=(*beginning, -9.0)).numbers == signs.numbers
    assert replace(signs, log_probabilities=(*beginning[1:], -9.0)).numbers != signs.numbers


def test_odds_are_those_that_decoding_saw(engine):
    prompt_1MD = engine.model.memory.initial_memory_MD[None]
    ids = engine.encode(QUESTION).ids
    (first,) = engine.generate(prompt_1MD, ids, max_new_tokens=1, stop_ids=(3,))
    overheard = Overheard(first)
    new = list(engine.generate(prompt_1MD, ids, max_new_tokens=5, stop_ids=(3,), listener=overheard))
    odds = odds_of(engine.model, prompt_1MD, ids, new, refusal=new[0])
    assert len(odds.log_probabilities) == len(new)
    assert overheard.odds.log_probabilities == pytest.approx(odds.log_probabilities, rel=1e-4)
    assert overheard.odds.refusal == pytest.approx(odds.refusal, rel=1e-4)
    assert odds.refusal == pytest.approx(2.718281828 ** odds.log_probabilities[0], rel=1e-4)
    for number, other in enumerate(range(5, 200, 40)):
        swapped = [*new[:-1], other] if other != new[-1] else new
        less = odds_of(engine.model, prompt_1MD, ids, swapped, refusal=None)
        assert less.log_probabilities[-1] <= odds.log_probabilities[-1] + 1e-5, number
