"""Stretches propose an answer, the passages together decide: with the model that ships, where that matters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hmt_qa.engine import LocalEngine
from hmt_qa.prompt import PromptFormat
from hmt_qa.stretches import Source
from hmt_qa.writers import close_reading
from hmt_qa.writers.close_reading import CloseReader, Posed

TOWER = "The tower of Skerry Point was built in 1889 by Agnes Farrow, who had the stone brought from Norway by ship. "
MILL = (
    "The mill at Dunmore was built in 1902 by Robert Hale. It ground oats and barley until the river changed its bed. "
)
HARBOUR = "The harbour has room for forty boats, and its wall was made higher after the storm of the winter of 1931. "


def posed(engine: LocalEngine, question: str, texts: list[str], shares: list[float]) -> Posed:
    starts = [sum(map(len, texts[:number])) for number in range(len(texts))]
    sources = [
        Source(document="d", start=start, text=text, token_ids=engine.encode(text).ids, share=share)
        for start, text, share in zip(starts, texts, shares, strict=True)
    ]
    memory_MD = engine.model.memory.initial_memory_MD
    return Posed(question_ids=engine.encode(question).ids, prompt_MD=memory_MD, sources=sources)


def reader(engine: LocalEngine) -> CloseReader:
    form = PromptFormat.of(engine.tokenizer)
    assert form.unanswerable is not None
    return CloseReader(engine, form, refusal=form.unanswerable)


def said(engine: LocalEngine, reading: close_reading.Reading | None) -> str:
    assert reading is not None
    return str(engine.tokenizer.decode(reading.ids, skip_special_tokens=True)).strip()


@pytest.mark.parametrize(
    ("question", "answer"),
    [("Who built the tower of Skerry Point?", "Agnes Farrow"), ("Who built the mill at Dunmore?", "Robert Hale")],
)
def test_the_stretch_that_the_question_speaks_of_answers(embedded, question, answer):
    texts = [text * 2 + "\n" for text in (HARBOUR, MILL, TOWER)]
    (reading,) = reader(embedded).read([posed(embedded, question, texts, [0.4, 0.3, 0.3])])
    assert said(embedded, reading) == answer


def test_a_question_that_nothing_answers_has_worse_signs_in_every_way_of_refusing(embedded):
    texts = [HARBOUR * 2 + "\n", TOWER * 2 + "\n"]
    asked = [
        posed(embedded, question, texts, [0.5, 0.5])
        for question in ("Who built the tower of Skerry Point?", "Which prize did the chemist win in Stockholm?")
    ]
    answered, strange = (reading.signs for reading in reader(embedded).read(asked) if reading is not None)
    assert all(one < other for one, other in zip(answered.refusals, strange.refusals, strict=True))


def test_questions_read_in_common_passes_have_the_answers_each_has_alone(embedded):
    texts = [text * 2 + "\n" for text in (HARBOUR, MILL, TOWER)]
    asked = [
        posed(embedded, question, texts, [0.4, 0.3, 0.3])
        for question in ("Who built the mill at Dunmore?", "How many boats are there room for?")
    ]
    for one, together in zip(asked, reader(embedded).read(asked), strict=True):
        (alone,) = reader(embedded).read([one])
        assert alone is not None
        assert together is not None
        assert together.ids == alone.ids
        assert together.signs.numbers == pytest.approx(alone.signs.numbers, rel=1e-3)


def test_passages_without_a_word_are_read_together_only(engine):
    blank = replace(posed(engine, "Who?", [TOWER], [1.0]), sources=[])
    space = Source(document="d", start=0, text=" \n", token_ids=[200, 201], share=0.5)
    (reading,) = reader(engine).read([replace(blank, sources=[space])])
    assert reading is not None
    assert reading.signs.share == 0.5


def test_where_only_silence_is_offered_there_is_no_reading(engine):
    asked = posed(engine, "Who built the mill?", [MILL], [1.0])
    (reading,) = reader(engine).read([asked])
    assert reading is not None
    form = PromptFormat.of(engine.tokenizer)
    silent = CloseReader(engine, replace(form, stop=(reading.ids[0],)), refusal=form.unanswerable or 0)
    assert silent.read([asked]) == [None]
