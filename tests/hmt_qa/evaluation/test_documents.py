from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hmt_ingest.segmenting import segment_pages
from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.engine import LocalEngine
from hmt_qa.evaluation.corpora import Context, development_sets, quoted
from hmt_qa.evaluation.documents import cut, page_of
from hmt_qa.evaluation.encoding import ContextEncoder, encode
from hmt_qa.evaluation.selection import OWN, Cell, cells

ENGINE = LocalEngine(EMBEDDED_MODEL, device="cpu")


@given(
    st.lists(st.text(st.sampled_from("ab 9.\né€😀\t"), min_size=1, max_size=60), min_size=1, max_size=5),
    st.integers(1, 12),
)
def test_documents_are_cut_as_ingestion_cuts_them(texts: list[str], length: int) -> None:
    pages = [page_of(Context(id=str(n), article="", text=text), n) for n, text in enumerate(texts, 1)]
    wanted = tuple(paged.segment for paged in segment_pages(pages, encode=ENGINE.encode, length=length))
    assert cut(pages, encode(ENGINE.tokenizer, [page.text for page in pages]), length) == wanted


def made(data: Path, *, lengths: tuple[int, ...], questions: int, seed: int = 1) -> list[Cell]:
    sets = development_sets(data)
    encoder = ContextEncoder(ENGINE.tokenizer)
    return [
        cell
        for of in sets
        for cell in cells(of, sets, lengths=lengths, questions=questions, segment_length=16, encode=encoder, seed=seed)
    ]


def test_gold_segments_hold_the_answer(data: Path) -> None:
    asked = 0
    for cell in made(data, lengths=(50, 400), questions=50):
        for one in cell.asked:
            segments = cell.documents[one.document].segments
            text = "".join(segments[number].text for number in one.gold)
            assert any(answer in text for answer in one.question.answers)
            whole = "".join(segment.text for segment in segments)
            assert all(whole[start:end] in one.question.answers for start, end in one.spans)
            asked += 1
    assert asked == 14 * 2 + 4


def test_documents_are_as_long_as_wanted_and_filled_from_other_sets(data: Path) -> None:
    sizes = {
        (cell.name, cell.length): [doc.tokens for doc in cell.documents]
        for cell in made(data, lengths=(120, 900), questions=50)
    }
    assert all(size >= 120 for size in sizes["squad_v1_dev", 120][:-1])
    assert len(sizes["squad_v1_dev", 120]) > len(sizes["squad_v1_dev", 900])
    assert len(sizes["cuad_heldout", OWN]) == 4


def test_the_same_questions_are_asked_at_every_length_and_by_every_run(data: Path) -> None:
    first, again, other = (made(data, lengths=(60, 300), questions=5, seed=seed) for seed in (1, 1, 2))
    assert [cell.asked for cell in first] == [cell.asked for cell in again]
    assert [one.question for one in first[1].asked] == [one.question for one in first[2].asked]
    assert [one.question for cell in first for one in cell.asked] != [q.question for c in other for q in c.asked]


def test_an_answer_off_its_offset_is_found_nearest_to_it() -> None:
    assert quoted("one two one two", "Two", 4) == (4, 7)
    assert quoted("one two one two", "two", 9) == (12, 15)
    assert quoted("one two", " two ", 3) == (4, 7)
    assert quoted("one", "two", 0) is None
    assert quoted("one", "one", -1) is None
