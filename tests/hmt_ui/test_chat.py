"""`hmt-qa chat` by the real command line: asked, gone on with, listed, shown, deleted; piped line by line."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tests.hmt_ui.calling import Run, one_line

TEXT = "The ferry Corisande carries wool to Lerwick each Tuesday. Its captain, Tobias Wren, was born in Bergen.\n"
FIRST = "Where does the ferry Corisande go?"


@pytest.fixture(autouse=True)
def ferry(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "ferry.txt"
    path.write_text(TEXT)
    run("ingest", path)
    return path


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_a_conversation_is_begun_gone_on_with_listed_shown_and_deleted(run: Run) -> None:
    outcome = run("chat", FIRST, "--json")
    (first,) = outcome.rows
    identity = first["conversation"]
    assert f"hmt-qa chat --continue {identity}" in outcome.err
    assert list(first) == [
        "conversation", "turn", "answer", "answerable", "citations", "timings_ms", "model", "mode",
        "confidence", "verified"
    ]  # fmt: skip
    (second,) = run("chat", "And on which day?", "--continue", "last", "--json").rows
    assert (second["conversation"], first["turn"], second["turn"]) == (identity, 1, 2)
    (listed,) = run("chat", "--list", "--json").rows
    assert (listed["id"], listed["turns"], listed["title"]) == (identity, 2, FIRST)
    turns = run("chat", "--show", identity, "--json").rows
    assert [turn["question"] for turn in turns] == [FIRST, "And on which day?"]
    assert [turn["answer"] for turn in turns] == [first["answer"], second["answer"]]
    for citation in turns[0]["citations"]:
        assert citation["quote"] == TEXT[citation["char_start"] : citation["char_end"]]
    assert run("chat", "--delete", identity[:6], "--json").rows == [
        {"conversation": identity, "title": FIRST, "removed": True}
    ]
    assert run("chat", "--list", "--json").rows == []


def test_turns_are_verified_where_that_is_asked_for(run: Run) -> None:
    (turn,) = run("chat", FIRST, "--verify", "--json").rows
    assert turn["verified"] is (True if turn["answerable"] else None)  # the document has one segment
    (shown,) = run("chat", "--show", turn["conversation"], "--json").rows
    assert shown["verified"] == turn["verified"]


def test_lines_of_standard_input_are_turns_of_one_conversation(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, FIRST, "", "   ", "And its captain?")
    outcome = run("chat", "--json")
    assert outcome.code == 0
    assert [row["turn"] for row in outcome.rows] == [1, 2]
    assert len({row["conversation"] for row in outcome.rows}) == 1


def test_a_line_that_cannot_be_answered_is_named_and_the_next_goes_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, FIRST, "why " * 400, "And its captain?")
    outcome = run("chat", "--json")
    assert outcome.code == 1
    assert [row["turn"] for row in outcome.rows] == [1, 2]
    assert "at most 256" in outcome.err


def test_text_output_shows_answers_with_their_sources(run: Run) -> None:
    shown = run("chat", FIRST).out
    assert "page 1" in shown
    identity = run("chat", "--list", "--json").rows[0]["id"]
    assert f"Q1: {FIRST}" in run("chat", "--show", identity).out
    assert "1 turns  everything" in run("chat", "--list").out
    assert run("chat", "--delete", identity).out.startswith(f"removed {identity}")


@pytest.mark.parametrize(
    "arguments",
    [("Hi", "--continue", "zz"), ("Hi", "--continue", "last"), ("--show", "abcdef"), ("--delete", "abcdef")],
)
def test_a_conversation_nobody_had_is_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    outcome = run("chat", *arguments)
    assert (outcome.code, outcome.out) == (1, "")
    assert one_line(outcome.err)


def test_a_conversation_that_never_began_is_not_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("chat", "why " * 400).code == 1
    type_in(monkeypatch)
    assert run("chat").code == 0
    assert run("chat", "--list", "--json").rows == []
