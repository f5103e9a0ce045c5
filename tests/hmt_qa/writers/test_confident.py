"""The memory's own model with a confidence: an answer below its threshold is never shown."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hmt_qa.answering import NO_ANSWER
from hmt_qa.app import DocumentQA
from hmt_qa.confidence import FILE, Confidence
from hmt_qa.engine import LocalEngine
from hmt_qa.types import Mode
from hmt_qa.writers import close_reading
from hmt_qa.writers.memory import ANSWER_TOKENS
from tests.hmt_qa.library import open_qa

QUESTION = "Who is the captain of Corisande?"
GIVES_ALL = Confidence(weights=(-0.1, -0.1, 0.02, 0.01, 0.03), bias=0.4, threshold=0.0)


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


def test_an_answer_has_its_confidence_where_that_was_measured_of_the_model(asked, harbour, engine):
    assert 0 < asked(GIVES_ALL).ask(QUESTION).confidence < 1
    with open_qa(harbour, engine) as plain:
        assert plain.ask(QUESTION).confidence is None


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
    monkeypatch.setattr(close_reading, "BEGINNING", 2)
    qa = asked(GIVES_ALL)
    whole = qa.ask(QUESTION).text
    taken: list[int] = []
    generate = qa.engine.generate

    def counted(*given, **named):
        for token in generate(*given, **named):
            taken.append(token)
            yield token

    monkeypatch.setattr(qa.engine, "generate", counted)
    pieces = qa.stream(QUESTION)
    first = next(pieces)
    assert len(taken) < ANSWER_TOKENS - 2
    assert "".join([first, *(piece for piece in pieces if isinstance(piece, str))]).strip() == whole
    assert len(taken) == ANSWER_TOKENS - 2
