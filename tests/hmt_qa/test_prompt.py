"""What the model reads to answer, and which questions are refused before it reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from hmt_qa.engine import LocalEngine
from hmt_qa.errors import EmptyQuestion, QuestionTooLong
from hmt_qa.prompt import ANSWER, END, PASSAGE, QUESTION, UNANSWERABLE, PromptFormat, question_ids


@pytest.fixture(scope="module")
def marks(engine: LocalEngine) -> dict[str, int]:
    return {mark: engine.tokenizer.token_to_id(mark) for mark in (PASSAGE, QUESTION, ANSWER, UNANSWERABLE, END)}


def stranger(*extra: str) -> Tokenizer:
    """A tokenizer that knows nothing of our marks."""
    words = ["[unk]", "Passage", "Question", "Answer", ":", *extra]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[unk]"))  # noqa: S106
    tokenizer.pre_tokenizer = Whitespace()
    return tokenizer


def test_our_own_model_gets_its_trained_marks(engine, marks):
    assert PromptFormat.of(engine.tokenizer) == PromptFormat(
        passage=(marks[PASSAGE],),
        question=(marks[QUESTION],),
        answer=(marks[ANSWER],),
        stop=(marks[END], marks[QUESTION], marks[PASSAGE]),
        unanswerable=marks[UNANSWERABLE],
    )


def test_another_model_gets_the_same_layout_in_words():
    layout = PromptFormat.of(stranger("</s>"))
    assert (layout.passage, layout.question, layout.answer) == ((1, 4), (2, 4), (3, 4))
    assert layout.stop == (5,)
    assert layout.unanswerable is None


def test_every_known_end_of_another_model_stops_it_and_some_token_always_does():
    assert PromptFormat.of(stranger("<|im_end|>", "<|eot_id|>")).stop == (6, 5)
    assert PromptFormat.of(stranger()).stop == (0,)


def test_a_tokenizer_with_some_of_our_marks_only_is_a_stranger():
    assert PromptFormat.of(stranger(PASSAGE, QUESTION, END)).unanswerable is None


@given(
    passages=st.lists(st.lists(st.integers(10, 99), max_size=5), max_size=4),
    question=st.lists(st.integers(10, 99), max_size=5),
)
def test_a_prompt_is_the_question_then_marked_passages_in_order_then_the_question_and_answer_mark(passages, question):
    layout = PromptFormat(passage=(1, 2), question=(3,), answer=(4,), stop=(0,), unanswerable=None)
    read = [number for passage in passages for number in [1, 2, *passage]]
    before = [3, *question] if passages else []
    assert layout.build(passages, question) == [*before, *read, 3, *question, 4]


@pytest.mark.parametrize("question", ["", " ", "\n\t \u00a0\u2003"])
def test_a_question_of_white_space_is_refused(engine, question):
    with pytest.raises(EmptyQuestion, match=r"empty. Ask something"):
        question_ids(engine.tokenizer, question, limit=16)


def test_a_question_one_token_too_long_is_refused_and_one_that_just_fits_is_not(engine):
    ids = question_ids(engine.tokenizer, "Where did the whale go?", limit=100)
    assert question_ids(engine.tokenizer, "Where did the whale go?", limit=len(ids)) == ids
    with pytest.raises(QuestionTooLong, match=f"{len(ids)} tokens and at most {len(ids) - 1}") as caught:
        question_ids(engine.tokenizer, "Where did the whale go?", limit=len(ids) - 1)
    assert caught.value.subject == len(ids)
    assert caught.value.remedy


@given(question=st.text(st.characters(), min_size=1, max_size=30))
def test_any_string_is_a_question_or_refused_by_name(engine, question):
    try:
        ids = question_ids(engine.tokenizer, question, limit=16)
    except (EmptyQuestion, QuestionTooLong):
        return
    assert 0 < len(ids) <= 16


@pytest.mark.parametrize("question", ["\ud800", "who\udcffwhere"])
def test_half_a_surrogate_pair_in_a_question_does_no_harm(engine, question):
    assert question_ids(engine.tokenizer, question, limit=16)


def test_marks_spelt_in_a_question_stay_words(engine, marks):
    ids = question_ids(engine.tokenizer, f"{ANSWER} {UNANSWERABLE} {END}", limit=256)
    assert not set(ids) & set(marks.values())
