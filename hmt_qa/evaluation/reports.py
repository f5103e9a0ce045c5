"""Retrieval in the real PDF reports: read by the product's own reader, judged by the pages that hold the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hmt_qa import plugins
from hmt_qa.evaluation.corpora import Question, report_questions
from hmt_qa.evaluation.documents import LongDocument, cut
from hmt_qa.evaluation.figures import REPORTS, Figure
from hmt_qa.evaluation.minilm import MiniLM
from hmt_qa.evaluation.options import Options
from hmt_qa.evaluation.retrieval import Scored, figures_of, rank_cells
from hmt_qa.evaluation.scoring import first_rank
from hmt_qa.evaluation.selection import Asked, Cell
from hmt_qa.evaluation.subjects import Subject

PAGES = f"{REPORTS}, pages"


def figures(options: Options, subject: Subject, *, trust: float, encoder: MiniLM | None) -> list[Figure]:
    """Segment level (a segment is gold where it touches a gold page) and page level; nothing without reports.

    Raises `HmtQaError` where no PDF reader is installed.
    """
    questions = report_questions(options.data)[: options.limit or None]
    if not questions:
        return []
    paths = list(dict.fromkeys(question.pdf for question in questions))
    documents = [read_pdf(path, subject) for path in paths]
    asked = []
    for question in questions:
        place = paths.index(question.pdf)
        of = Question(context=question.pdf.name, text=question.text, answers=question.answers, spans=())
        asked.append(Asked(question=of, document=place, gold=documents[place].on_pages(question.pages), spans=()))
    cell = Cell(name=REPORTS, length=0, documents=tuple(documents), asked=tuple(asked))
    (rankings,) = rank_cells(subject, [cell], trust=trust, encoder=encoder)
    by_segment = {
        method: [first_rank(row, one.gold) for row, one in zip(rows, asked, strict=True)]
        for method, rows in rankings.items()
    }
    by_page = {
        method: [
            first_rank(pages_of(documents[one.document], row), question.pages)
            for row, one, question in zip(rows, asked, questions, strict=True)
        ]
        for method, rows in rankings.items()
    }
    return [
        figure
        for group, ranks in ((REPORTS, by_segment), (PAGES, by_page))
        for figure in figures_of(Scored(group=group, length=0, ranks=ranks), options.seed)
    ]


def read_pdf(path: Path, subject: Subject) -> LongDocument:
    """A PDF's segments, as `hmt-qa ingest` makes them."""
    reader = plugins.load("hmt_qa.readers", "pdf")()
    with reader.open(path) as text:
        pages = list(text)
    encoded = [subject.engine.encode(page.text) for page in pages]
    return LongDocument(name=path.name, segments=cut(pages, encoded, subject.engine.segment_length))


def pages_of(document: LongDocument, ranking: Sequence[int]) -> list[int]:
    """Pages in the order in which a ranking of segments first touches them."""
    touched = (document.segments[number] for number in ranking)
    return list(dict.fromkeys(page for s in touched for page in range(s.page_first, s.page_last + 1)))
