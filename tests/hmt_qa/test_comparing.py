"""Two versions of a document: what differs is named, what does not is not, and the further change comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmt_qa.app import DocumentQA
from hmt_qa.comparing import GAP, _aligned
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import UnknownDocument
from hmt_qa.types import Change, IngestOptions
from tests.hmt_qa.library import open_qa

TOPICS = (
    "The harbour of Lerwick took in four hundred ships this year, most carrying wool and dried fish to Bergen.",
    "The bakery sells rye bread, cinnamon buns and cheese pies from six in the morning; the oven burns birch.",
    "A violin has four strings tuned in fifths; the bow has horse hair that is rubbed with rosin before playing.",
    "Quarterly revenue rose by a tenth to 420 million while operating costs fell, so the margin was a record.",
    "The glacier lost nine metres of ice during the summer, and the river below carried more silt than ever.",
    "Install the package with pip, set the home directory and run the command with the verbose flag.",
)
OTHER = "The jury found the defendant guilty on two counts of fraud; the judge will pronounce the sentence in October."


@pytest.fixture(scope="module")
def qa(tmp_path_factory: pytest.TempPathFactory, embedded: LocalEngine) -> Iterator[DocumentQA]:
    with open_qa(tmp_path_factory.mktemp("home"), embedded) as opened:
        yield opened


@pytest.fixture
def write(qa: DocumentQA, tmp_path: Path) -> Callable[..., str]:
    def written(name: str, pages: list[str], *, times: int = 4) -> str:
        path = tmp_path / f"{name}.txt"
        path.write_text("\f".join(f"{(text + ' ') * times}\n" for text in pages))
        (result,) = qa.ingest([path])
        return result.document

    return written


def changes(qa: DocumentQA, old: str, new: str) -> list[tuple[Change, int | None, int | None]]:
    return [(row.change, row.old and row.old.number, row.new and row.new.number) for row in qa.compare(old, new)]


def test_equal_documents_have_no_difference(qa, write):
    assert qa.compare(write("one", list(TOPICS)), write("two", list(TOPICS))) == []


def test_a_replaced_page_is_named_and_ranks_above_a_page_with_one_other_word(qa, write):
    old = write("old", list(TOPICS))
    edited = [*TOPICS]
    edited[1] = edited[1].replace("rye", "wheat")
    edited[4] = OTHER
    rows = qa.compare(old, write("new", edited))
    assert [row.rank for row in rows] == list(range(1, len(rows) + 1))
    assert [row.distance for row in rows] == sorted((row.distance for row in rows), reverse=True)
    (other_word,) = (row for row in rows if row.change is Change.CHANGED and row.old.number == 2)
    replaced = [row for row in rows if row is not other_word]
    assert {row.old.number for row in replaced if row.old} == {row.new.number for row in replaced if row.new} == {5}
    assert min(row.distance for row in replaced) > other_word.distance


def test_added_and_removed_pages_are_named_and_those_around_them_are_not(qa, write):
    old = write("old", list(TOPICS))
    assert changes(qa, old, write("more", [*TOPICS[:2], OTHER, *TOPICS[2:]])) == [(Change.ADDED, None, 3)]
    assert changes(qa, old, write("less", [*TOPICS[:3], *TOPICS[4:]])) == [(Change.REMOVED, 4, None)]
    assert changes(qa, old, write("longer", [*TOPICS, OTHER])) == [(Change.ADDED, None, 7)]


def test_documents_are_named_by_path_where_only_one_collection_has_it(qa, write, tmp_path):
    old, new = write("here", list(TOPICS)), write("there", [*TOPICS[:5], OTHER])
    paths = [str(tmp_path / name) for name in ("here.txt", "there.txt")]
    assert qa.compare(*paths) == qa.compare(old, new) != []
    list(qa.ingest([paths[0]], options=IngestOptions(collection="again")))
    with pytest.raises(UnknownDocument, match="in several collections"):
        qa.compare(*paths)
    with pytest.raises(UnknownDocument):
        qa.compare(old, str(tmp_path / "none.txt"))


def test_without_text_the_chain_and_the_memories_tell(qa, write, tmp_path):
    ids = [write("old", list(TOPICS), times=12), write("new", [*TOPICS[:4], OTHER, TOPICS[5]], times=12)]
    qa.export(tmp_path / "bare.hmt", documents=ids, with_text=False)
    bare = {taken.document.path: taken.document.id for taken in qa.take_in(tmp_path / "bare.hmt")}
    old, new = (bare[f"imported:{tmp_path}/{name}.txt"] for name in ("old", "new"))
    assert qa.compare(old, old) == []
    rows = qa.compare(old, new)
    assert 5 in {row.new and row.new.number for row in rows[:2]}
    assert not {1, 2, 3} & {row.old and row.old.number for row in rows}


def cost(distances: np.ndarray, pairs: list[tuple[int | None, int | None]]) -> float:
    return sum(GAP if None in pair else float(distances[pair]) for pair in pairs)


def cheapest(distances: np.ndarray) -> float:
    """By definition, over every pairing that keeps the order."""
    olds, news = distances.shape
    if not (olds and news):
        return GAP * (olds + news)
    return min(
        distances[-1, -1] + cheapest(distances[:-1, :-1]),
        GAP + cheapest(distances[:-1]),
        GAP + cheapest(distances[:, :-1]),
    )


@given(
    st.tuples(st.integers(0, 4), st.integers(0, 4)).flatmap(
        lambda shape: st.lists(
            st.lists(st.floats(0, 2, width=32), min_size=shape[1], max_size=shape[1]),
            min_size=shape[0],
            max_size=shape[0],
        ).map(lambda rows: np.array(rows, dtype=np.float32).reshape(shape))
    )
)
def test_the_pairing_of_pages_is_the_cheapest_that_keeps_their_order(distances):
    pairs = _aligned(distances)
    assert [old for old, _ in pairs if old is not None] == list(range(distances.shape[0]))
    assert [new for _, new in pairs if new is not None] == list(range(distances.shape[1]))
    assert cost(distances, pairs) == pytest.approx(cheapest(distances), abs=1e-4)
