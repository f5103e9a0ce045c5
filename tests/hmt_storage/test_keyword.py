"""Keyword search takes any question and ranks the places of the documents asked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmt_qa.keywords import terms
from hmt_storage import keyword
from hmt_storage.library import SqlLibrary
from tests import postgres

pytestmark = pytest.mark.databases("sqlite", "postgresql")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stored(request, tmp_path_factory, sample):
    url = postgres.new_schema(request.getfixturevalue("postgres_socket")) if request.param == "postgresql" else None
    library = SqlLibrary.open(tmp_path_factory.mktemp("keyword"), url=url)
    document = sample("Der Köder fängt running whales AND NEAR text:memory_id don't 鯨 🐋 1 2 3\n", length=200).ingest(
        library
    )
    yield library, document
    library.close()


@settings(max_examples=200, deadline=None)
@given(query=st.text(max_size=60) | st.text("\"*^:(){}+-\0 ANDORT'", max_size=60))
def test_any_string_is_a_query(stored, query):
    library, document = stored
    library.keyword_search(query, documents=[document.id], top=5)


@pytest.mark.parametrize(
    "query",
    [
        "",
        " ",
        "\0",
        '"',
        '""',
        "🐋🐋",
        "\u0301",
        "\u0301 \u0903",
        "AND",
        "NEAR(a b)",
        "text:",
        "a*",
        "-x",
        "\udcff",
        "SELECT 1; DROP TABLE segments",
        "x " * 5000,
        " ".join(map(str, range(3000))),
        "é" * 10_000,
        "(" * 10_000,
    ],
)
def test_hostile_queries_are_queries(stored, query):
    library, document = stored
    library.keyword_search(query, documents=[document.id], top=5)


@pytest.mark.parametrize(
    "query", ["whales?", "WHALE", "run", "koder", "KÖDER!", "don't", '"whales" OR', "wh*le, whale", "鯨"]
)
def test_words_match_without_case_accents_endings_and_punctuation(stored, query):
    library, document = stored
    (hit,) = library.keyword_search(query, documents=[document.id], top=5)
    assert hit.place.document == document.id


@pytest.mark.parametrize("query", ["submarine", "what is the", "columns", ""])
def test_words_that_are_not_there_find_nothing(stored, query):
    library, document = stored
    assert library.keyword_search(query, documents=[document.id], top=5) == []


def test_the_number_of_a_memory_is_not_a_word_of_its_text(library, sample):
    document = sample("no numeral here\n").ingest(library)
    assert library.keyword_search("1", documents=[document.id], top=5) == []


def test_stop_words_are_dropped_unless_there_is_nothing_else():
    assert terms("Who is the captain of the Pequod?") == ["captain", "pequod"]
    assert terms("To be or not to be") == ["to", "be", "or", "not"]


def test_a_compound_is_a_phrase_beside_its_words():
    assert terms("What does os.path do?") == ["os", "path", "os path"]


def test_the_very_name_ranks_above_its_parts(library, sample):
    parts = sample("right of the fork, bisect the right angle, right away\n", path="/parts.txt", length=200).ingest(
        library
    )
    name = sample("bisect_right is described on this page only\n", path="/name.txt", length=200).ingest(library)
    hits = library.keyword_search("What is bisect_right?", documents=[parts.id, name.id], top=5)
    assert [hit.place.document for hit in hits] == [name.id, parts.id]


def test_the_better_match_comes_first_with_the_higher_score(library, sample):
    filler = "".join(f"nothing of interest {number}\n" for number in range(20))
    written = sample(filler + "harpoon harpoon captain     \nthe captain sleeps all day  \n", length=28)
    document = written.ingest(library)
    best, second = library.keyword_search("the captain's harpoon", documents=[document.id], top=5)[:2]
    assert "harpoon" in library.segments([best.place])[0].text
    assert best.score > second.score > 0
    assert len(library.keyword_search("nothing", documents=[document.id], top=7)) == 7
    assert library.keyword_search("nothing", documents=[document.id], top=0) == []


def test_only_the_documents_asked_are_searched(library, sample):
    one = sample("harpoon one\n", path="/one").ingest(library)
    two = sample("harpoon two\n", path="/two").ingest(library)
    assert [hit.place.document for hit in library.keyword_search("harpoon", documents=[two.id], top=9)] == [two.id]
    both = library.keyword_search("harpoon", documents=[one.id, two.id], top=9)
    assert {hit.place.document for hit in both} == {one.id, two.id}
    assert library.keyword_search("harpoon", documents=[], top=9) == []


def test_very_many_documents_can_be_asked(library, sample):
    ids = [sample(f"harpoon {number}\n", path=f"/{number}").ingest(library).id for number in range(70)]
    left_out = ids.pop(13)
    found = library.keyword_search("harpoon", documents=[*ids, *(f"{n:012x}" for n in range(40_000))], top=100)
    assert {hit.place.document for hit in found} == set(ids)
    assert left_out not in ids


def test_a_shared_memory_gives_a_hit_for_each_document_asked(library, sample):
    one = sample("harpoon\n", path="/one").ingest(library)
    copy = sample("harpoon\n", path="/two")
    two = library.adopt(copy.source, reader="text", model_id="model-1", title="two")
    assert [hit.place.document for hit in library.keyword_search("harpoon", documents=[two.id], top=9)] == [two.id]
    both = library.keyword_search("harpoon", documents=[one.id, two.id], top=9)
    assert {hit.place.document for hit in both} == {one.id, two.id}


def test_segments_of_an_unfinished_document_are_not_found(library, sample):
    done = sample("harpoon\n", path="/done").ingest(library)
    written = sample("harpoon harpoon\n", path="/unfinished", length=100)
    written.commit(written.begin(library), written.segments)
    assert len(library.keyword_search("harpoon", documents=[done.id], top=9)) == 1


@pytest.fixture
def crew(library, sample):
    """Two segments with a rare word, the second with a common one too, before three with the common one alone."""
    lines = [
        "the quahog lay in the sand",
        "a captain found one quahog",
        *(f"captain number {n} slept" for n in range(3)),
    ]
    return sample("".join(f"{line:28}\n" for line in lines), length=29).ingest(library)


def test_where_words_match_more_than_can_be_ranked_rare_ones_find_and_common_ones_add(library, crew, monkeypatch):
    def found() -> list[int]:
        return [hit.place.segment for hit in library.keyword_search("captain quahog", documents=[crew.id], top=9)]

    assert found() == [1, 0, *range(2, 5)]
    monkeypatch.setattr(keyword, "MOST_RANKED", 3)
    assert found() == [1, 0]


def test_a_word_that_nearly_all_have_says_nothing_unless_there_is_no_other(library, crew, monkeypatch):
    monkeypatch.setattr(keyword, "MOST_RANKED", 3)
    monkeypatch.setattr(keyword, "MOST_COUNTED", 4)
    for other in ("quahog", "zebra"):
        hits = library.keyword_search(f"captain {other}", documents=[crew.id], top=9)
        alone = library.keyword_search("quahog" if other == "quahog" else "captain", documents=[crew.id], top=9)
        assert hits == alone != []


def test_of_a_few_documents_every_word_finds_places(library, sample, crew, monkeypatch):
    sample("another captain of another quahog\n", path="/other").ingest(library)
    monkeypatch.setattr(keyword, "MOST_RANKED", 3)
    hits = library.keyword_search("captain quahog", documents=[crew.id], top=9)
    assert [hit.place.segment for hit in hits] == [1, 0, *range(2, 5)]
