"""An answer's marks, ranks and verdict, on the terminal and on the page."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hmt_qa.types import Answer, Citation, Mode, Timings
from hmt_ui import printing
from hmt_ui.web import answer_views
from hmt_ui.web.asking import Turn
from hmt_ui.web.checking import judged

FIRST = Citation(
    document="d", title="Harbour", page=5, page_label="iv", char_start=0, char_end=9, quote="Wren <b>sailed</b>.",
    weight=0.25, answer_start=0, answer_end=12, memory_rank=1, keyword_rank=3, segment=2,
)  # fmt: skip
SECOND = replace(FIRST, page=7, page_label="7", answer_start=13, answer_end=25, keyword_rank=0)
OTHER = replace(FIRST, page=9, answer_start=0, answer_end=0)
ANSWER = Answer(
    text="Wren <sails. Agnes waits & so on",
    answerable=True,
    citations=(FIRST, SECOND, OTHER),
    timings_ms=Timings(resume=1.0, recall=2.0, first_token=3.0, total=4.0),
    model="m",
    mode=Mode.EVIDENCE,
    confidence=0.8123456,
    verified=True,
)


def test_the_number_of_its_place_stands_behind_each_sentence():
    assert printing.marked(ANSWER) == "Wren <sails. [1] Agnes waits  [2]& so on"
    assert printing.marked(replace(ANSWER, citations=(OTHER,))) == ANSWER.text


def test_the_terminal_shows_marks_ranks_verdict_and_confidence(capsys):
    printing.answered(iter(["Wren <sails. ", "Agnes waits & so on", ANSWER]), as_json=False)
    shown = capsys.readouterr().out
    assert shown.startswith("Wren <sails. [1]")
    assert "(weight 0.2500, memory #1, keyword #3)" in shown
    assert "keyword #-" in shown
    assert "verified: without the places cited the answer changes" in shown
    assert "confidence 0.81" in shown


@pytest.mark.parametrize(("verified", "word"), [(False, "not verified:"), (None, "")])
def test_a_verdict_is_told_only_where_there_is_one(capsys, verified, word):
    printing.answered(iter([replace(ANSWER, verified=verified)]), as_json=False)
    shown = capsys.readouterr().out
    assert ("verified" in shown) is bool(word)
    assert word in shown


def test_without_an_answer_the_places_are_called_the_nearest(capsys):
    printing.answered(iter([replace(ANSWER, text="No.", answerable=False, citations=(OTHER,))]), as_json=False)
    assert "The nearest places:" in capsys.readouterr().out


def test_json_has_the_spans_and_ranks_beside_the_contracts_keys(capsys):
    printing.answered(iter(["Wren", ANSWER]), as_json=True)
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["answer"] == ANSWER.text
    assert (row["confidence"], row["verified"]) == (0.8123, True)
    first = row["citations"][0]
    assert (first["answer_start"], first["answer_end"], first["memory_rank"], first["keyword_rank"]) == (0, 12, 1, 3)


def test_a_terminal_shows_what_is_written_until_the_marks_are_known(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    said = printing.answered(iter(["Wren <sails. ", ANSWER]), as_json=False)
    assert said is ANSWER
    assert "Wren <sails. [1] Agnes" in capsys.readouterr().out


def test_the_page_shows_marks_and_ranks_and_escapes_what_is_not_ours():
    shown = answer_views.question(Turn(question="Who?", text=ANSWER.text, answer=ANSWER))
    assert 'Wren &lt;sails.<sup class="hmt-mark">1</sup> Agnes waits <sup class="hmt-mark">2</sup>&amp; so on' in shown
    sources = answer_views.sources(ANSWER)
    assert "memory #1 · keywords #3" in sources
    assert "<b>" not in sources


@pytest.mark.parametrize(
    ("confidence", "answerable", "said"),
    [
        (0.812, True, "Confidence 81%: likely right."),
        (0.5, True, "Confidence 50%: may be right, look at the source."),
        (0.0, True, "Confidence 0%: uncertain, look at the source."),
        (0.1, False, "Confidence 10%: too low to say the best answer found."),
    ],
)
def test_the_page_tells_the_confidence_in_words_and_as_a_number(confidence, answerable, said):
    shown = answer_views.sources(replace(ANSWER, confidence=confidence, answerable=answerable))
    assert f">{said}</p>" in shown
    assert "Confidence" not in answer_views.sources(replace(ANSWER, confidence=None))


@pytest.mark.parametrize(("verified", "said"), [(True, "the answer changes"), (False, "stays the same"), (None, "")])
def test_the_verdict_stands_beside_the_citations_that_support_the_answer(verified, said):
    shown = answer_views.sources(replace(ANSWER, verified=verified))
    assert shown.count("hmt-checked") == (2 if said else 0)
    assert said in shown


def test_only_the_same_answer_asked_again_is_a_verdict_on_the_one_shown():
    shown = replace(ANSWER, verified=None)
    assert judged(shown, replace(ANSWER, verified=False)).verified is False
    assert judged(shown, replace(ANSWER, text="Another.", verified=True)).verified is None
    assert judged(shown, replace(ANSWER, answerable=False, verified=None)).verified is None
