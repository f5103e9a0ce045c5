from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.prompt import PromptFormat
from hmt_qa.training import jsonl
from hmt_qa.training.changing import changed
from hmt_qa.training.data import Ids, TokenStore, generator, open_tokenizer, text_store
from hmt_qa.training.documents import Ask, AskedWindows, LongTexts, MadeWindows, Window
from hmt_qa.training.losses import IGNORED, contrast_loss, token_loss
from hmt_qa.training.marks import Marks
from hmt_qa.training.mixing import Asked, grouped, rows_tensors
from hmt_qa.training.questions import UNKNOWN, QuestionSets
from hmt_qa.training.reading import BLANK, COUNTS, MEMORY_ANSWER, Reading, Row, holds
from hmt_qa.training.recipes import memory
from hmt_qa.training.recurring import recurring
from hmt_qa.training.substituting import Substitutes, replaced
from hmt_qa.training.unroll import token_labels

SIZE = 16
TOKENIZER = open_tokenizer(EMBEDDED_MODEL)
FORM = PromptFormat.of(TOKENIZER)


@pytest.fixture(scope="module")
def sets(data: Path, work: Path) -> QuestionSets:
    return QuestionSets.open(data, work, TOKENIZER)


@pytest.fixture(scope="module")
def texts(data: Path, work: Path) -> TokenStore:
    return text_store(jsonl.find(data, "shard_*.jsonl.zst"), work, TOKENIZER)


def test_stored_documents_are_the_texts(data: Path, texts: TokenStore) -> None:
    (path,) = jsonl.find(data, "shard_*.jsonl.zst")
    for number, line in enumerate(jsonl.lines(path)):
        assert TOKENIZER.decode(texts.document(number).tolist(), skip_special_tokens=False) == line["text"]


def test_windows_depend_on_seed_step_and_row_alone(sets: QuestionSets) -> None:
    windows = AskedWindows(sets, {"squad_v1_train": 1.0}, [303])
    one, two = (windows.draw(generator(0, 5, 2), 8, SIZE, 8) for _ in range(2))
    other = windows.draw(generator(0, 6, 2), 8, SIZE, 8)
    assert np.array_equal(one.tokens_T, two.tokens_T)
    assert one.asks == two.asks
    assert not np.array_equal(one.tokens_T, other.tokens_T)


def test_evidence_holds_the_answer(sets: QuestionSets) -> None:
    windows = AskedWindows(sets, {"squad_v1_train": 1.0, "cuad": 0.5}, [303])
    quoted = 0
    for step in range(60):
        window = windows.draw(generator(1, step), 8, SIZE, 8)
        assert len(window.tokens_T) <= 8 * SIZE
        for ask in window.asks:
            first, last = ask.quote
            if first != UNKNOWN:
                quoted += 1
                said = TOKENIZER.decode(window.tokens_T[first : last + 1].tolist()).strip()
                answer = TOKENIZER.decode(sets.answer_ids(ask.question).tolist()).strip()
                assert answer in said
                assert set(range(first // SIZE, last // SIZE + 1)) == set(ask.gold)
                assert set(ask.gold) <= set(ask.places(SIZE))
            assert all(0 <= number * SIZE < len(window.tokens_T) for number in ask.places(SIZE))
    assert quoted > 100


@pytest.fixture(scope="module")
def reading(sets: QuestionSets) -> Reading:
    blank = TOKENIZER.encode(BLANK, add_special_tokens=False).ids
    return Reading(sets, FORM, SIZE, Substitutes.of(sets, Marks.of(TOKENIZER)), blank)


def test_only_answer_tokens_are_taught_and_refused_rows_lack_the_answer(sets: QuestionSets, reading: Reading) -> None:
    windows = AskedWindows(sets, {"squad_v1_train": 1.0, "cuad": 0.5}, [303])
    refused = copied = substituted = 0
    for step in range(60):
        rng = generator(2, step)
        window = windows.draw(rng, 8, SIZE, 8)
        for ask in window.asks:
            if not (ask.gold or sets.unanswerable_Q[ask.question]):
                continue
            row = reading.row(window, ask, rng)
            assert row.ids[row.answer_from - 1] == FORM.answer[0]
            rows = rows_tensors([Asked(0, row, remembered=True)])
            taught = rows.labels_RA[0][rows.labels_RA[0] != IGNORED]
            assert taught.tolist() == row.ids[row.answer_from :]
            assert rows.ids_RW[0][rows.places_RA[0][: len(taught)]].tolist() == taught.tolist()
            passages = passages_of(row.ids)
            assert len(passages) <= len(COUNTS)
            needle = (
                window.tokens_T[ask.quote[0] : ask.quote[1] + 1] if ask.quote[0] != UNKNOWN else np.zeros(0, np.uint16)
            )
            if row.refused:
                refused += 1
                assert taught.tolist() == [FORM.unanswerable, FORM.stop[0]]
                assert not any(holds(passage, needle) for passage in passages)
            elif len(ask.gold) == 1 and len(needle):
                copied += 1
                said = taught[:-1].numpy().astype(np.uint16)
                assert any(holds(passage, said) for passage in passages)
                if not np.array_equal(said, needle):
                    substituted += 1
                    assert not any(holds(passage, needle) for passage in passages) or holds(said, needle)
    assert refused > 20
    assert 0.2 * copied < substituted < 0.7 * copied


def test_a_substitute_is_of_the_same_kind_and_another(sets: QuestionSets) -> None:
    marks = Marks.of(TOKENIZER)
    substitutes = Substitutes.of(sets, marks)
    drawn = 0
    for number in range(len(sets.context_Q)):
        first, last = sets.answer_span_Q2[number].tolist()
        quote_T = sets.context(int(sets.context_Q[number]))[first : last + 1]
        if first == UNKNOWN or (other_T := substitutes.draw(quote_T, generator(6, number))) is None:
            continue
        drawn += 1
        assert not np.array_equal(other_T, quote_T)
        assert marks.digit_V[other_T].any() == marks.digit_V[quote_T].any()
    assert drawn > 20


@given(passage=st.lists(st.integers(0, 3), max_size=12), old=st.lists(st.integers(0, 3), max_size=3))
def test_replacing_is_what_it_is_for_texts(passage: list[int], old: list[int]) -> None:
    text, word = (bytes(ids).decode() for ids in (passage, old))
    expected = text.replace(word, bytes([9, 9]).decode()) if word else text
    made = replaced(*(np.array(ids, dtype=np.uint16) for ids in (passage, old, [9, 9])))
    assert bytes(made.tolist()).decode() == expected


def passages_of(ids: list[int]) -> list[Ids]:
    """What stands between the marks of a prompt."""
    marks = [place for place, token in enumerate(ids) if token in (*FORM.passage, *FORM.question)]
    between = zip(marks, [*marks[1:], len(ids)], strict=True)
    return [np.array(ids[start + 1 : end], dtype=np.uint16) for start, end in between if ids[start] in FORM.passage]


def test_rows_of_like_length_share_a_group_and_none_is_lost() -> None:
    rows = [
        Asked(number, Row([1] * length, 0, refused=False), remembered=True)
        for number, length in enumerate([9, 2, 7, 1, 3])
    ]
    groups = grouped([*rows, Asked(5, None, remembered=False)], 3)
    assert [[asked.question for asked in group] for group in groups] == [[5, 3], [1, 4], [2, 0]]


def test_memory_rows_hold_the_question_and_the_beginning_of_its_answer_only(
    sets: QuestionSets, reading: Reading
) -> None:
    window = AskedWindows(sets, {"squad_v1_train": 1.0}, [303]).draw(generator(4, 0), 8, SIZE, 8)
    for ask in window.asks:
        row = reading.memory_row(window, ask)
        assert row.ids[: row.answer_from] == [*FORM.question, *ask.ids, *FORM.answer]
        assert 0 < len(row.ids) - row.answer_from <= MEMORY_ANSWER


def test_distractors_that_share_rare_words_with_the_question_come_more_often(
    sets: QuestionSets, reading: Reading
) -> None:
    window = AskedWindows(sets, {"squad_v1_train": 1.0}, [303]).draw(generator(5, 0), 8, SIZE, 8)
    words = window.tokens_T[2 * SIZE : 3 * SIZE].tolist()
    ask = Ask(ids=words, spans=(), gold=(7,))
    weights = reading._temptation(window, ask, [0, 2, 4])
    assert weights[1] == weights.max()
    assert weights[1] > 2 * weights[0]


def test_made_questions_point_at_what_surrounded_them(texts: TokenStore) -> None:
    windows = MadeWindows(LongTexts(texts), Marks.of(TOKENIZER))
    asked = 0
    for step in range(30):
        window = windows.draw(generator(3, step), 8, SIZE, 8)
        asked += len(window.asks)
        for ask in window.asks:
            assert ask.ids
            assert 0 <= ask.spans[0][0] <= ask.spans[0][1] < len(window.tokens_T)
    assert asked > 60


@given(rows=st.integers(1, 40), piece=st.integers(1, 17), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_loss_in_pieces_is_the_loss_at_once(rows: int, piece: int, seed: int) -> None:
    generator_ = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, 8, generator=generator_, requires_grad=True)
    weight = torch.randn(11, 8, generator=generator_, requires_grad=True)
    labels = torch.randint(0, 11, (rows,), generator=generator_)
    labels[::3] = IGNORED
    total, count = token_loss(hidden, weight, labels, piece=piece)
    whole = torch.nn.functional.cross_entropy(hidden @ weight.T, labels, ignore_index=IGNORED, reduction="sum")
    torch.testing.assert_close(total, whole)
    assert int(count) == int((labels != IGNORED).sum())
    ours, theirs = (torch.autograd.grad(value, (hidden, weight)) for value in (total, whole))
    torch.testing.assert_close(ours, theirs)


def test_contrast_ignores_what_is_not_allowed_and_questions_without_evidence() -> None:
    scores = torch.tensor([[2.0, 1.0, 50.0], [1.0, 2.0, 3.0]])
    positive = torch.tensor([[True, False, False], [False, False, False]])
    allowed = torch.tensor([[True, True, False], [True, True, True]])
    total, count = contrast_loss(scores, positive, allowed)
    torch.testing.assert_close(total, -torch.tensor([2.0, 1.0]).log_softmax(0)[0])
    assert int(count) == 1


def test_every_token_but_a_documents_first_is_scored() -> None:
    ids = torch.arange(1, 13).view(1, 3, 4)
    labels = token_labels(ids, torch.tensor([[4, 4, 2]]))
    assert labels.tolist() == [[IGNORED, *range(2, 11), IGNORED, IGNORED]]


def test_recipes_change_by_dotted_names() -> None:
    recipe = changed(memory(), {"run.rates.matrices": "0.001", "kind": "rmt", "curriculum": "8x2,4x4@0.5"})
    assert (recipe.run.rates.matrices, recipe.kind.value, recipe.curriculum[1].segments) == (0.001, "rmt", 4)
    with pytest.raises(ValueError, match="no entry"):
        changed(memory(), {"run.speed": "1"})


def test_a_sentence_asks_for_what_the_rest_of_its_passage_says(reading: Reading) -> None:
    text = (
        " The fair began early. In May the town of Arles sent Marcel Durand to the fair in a cart of hay."
        " Nobody knew him there, it seems. Later in the year Marcel Durand came home to Arles with four horses."
    )
    passage_T = np.array(TOKENIZER.encode(text).ids, dtype=np.uint16)
    marks = reading.substitutes.marks
    asked = set()
    for seed in range(40):
        found = recurring(passage_T, marks, reading.blank, generator(seed))
        assert found is not None
        answer, question = TOKENIZER.decode(found.answer_T.tolist()), TOKENIZER.decode(found.ids)
        assert holds(found.passage_T, found.answer_T)
        assert BLANK in question
        assert question.replace(BLANK, answer, 1) in text
        assert question.replace(BLANK, answer, 1) not in TOKENIZER.decode(found.passage_T.tolist())
        asked.add(answer)
    assert asked == {" Arles", " Marcel Durand"}
    assert recurring(passage_T[:4], marks, reading.blank, generator(0)) is None


def test_rows_of_what_recurs_hold_their_answer(reading: Reading) -> None:
    text = " ".join(
        f"In {1900 + year} old Durand sold hay. Then {1900 + year} went by with no rain at all." for year in range(40)
    )
    window = Window(np.array(TOKENIZER.encode(" " + text).ids, dtype=np.uint16), ())
    wide = replace(reading, size=96)
    rows = [row for seed in range(40) if (row := wide.recurring_row(window, generator(seed)))]
    assert len(rows) > 20
    for row in rows:
        answer_T = np.array(row.ids[row.answer_from : -1], dtype=np.uint16)
        assert not row.refused
        assert any(holds(passage_T, answer_T) for passage_T in passages_of(row.ids))
