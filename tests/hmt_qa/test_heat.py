"""A question's weights by page."""

from __future__ import annotations

from collections import defaultdict

import pytest

from hmt_qa.errors import UnknownDocument
from hmt_qa.types import Ranking
from tests.hmt_qa.library import open_qa, three_pages

QUESTION = "Who was the captain of the ferry Corisande?"


def test_the_weights_of_pages_are_those_of_their_segments_and_sum_to_one(tmp_path, engine):
    with open_qa(tmp_path, engine) as qa:
        list(qa.ingest([three_pages(tmp_path / "harbour.txt")]))
        (document,) = qa.documents()
        heat = qa.heat(QUESTION, document=document.id[:6])
        pages = qa.pages(document.id)
        assert [(page.page, page.page_label) for page in heat] == [(page.number, page.label) for page in pages]
        expected: defaultdict[int, float] = defaultdict(float)
        for place in qa.search(QUESTION, using=Ranking.MEMORY, top=10_000):
            for character in range(place.char_start, place.char_end):
                (number,) = (page.number for page in pages if page.char_start <= character < page.char_end)
                expected[number] += place.weight / (place.char_end - place.char_start)
        assert [page.weight for page in heat] == pytest.approx([expected[page.page] for page in heat])
        assert sum(page.weight for page in heat) == pytest.approx(1.0)
        with pytest.raises(UnknownDocument):
            qa.heat(QUESTION, document="ffffffff")
