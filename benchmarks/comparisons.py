"""Whether both documents of a comparison are read: made reports, questions that name two, and questions that name one.

    python benchmarks/comparisons.py [--reports 12] [--json]

Each report is of one company: six subjects, each a paragraph among others, with figures of its own. A comparison is
answered where the paragraphs of both companies are among the four places read; a plain question where its one is.
Beside it the same without spreading. Run on the packaged model.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from time import perf_counter

from hmt_qa import DocumentQA
from hmt_qa.evidence import SPARE, Evidence, choose
from hmt_qa.spanning import spanned
from hmt_qa.types import Ranking

NAMES = "Aurora Borealis Cobalt Dunmore Elbrus Farland Galloway Hestia Ironwood Juniper Kestrel Larkspur".split()
SUBJECTS = {
    "revenue": "The revenue of the year was {} million, which the board calls a fair result in a hard market.",
    "wages": "Wages and pensions of all who work for the company came to {} million in these twelve months.",
    "ships": "The fleet has {} ships, of which two lie in dock and one was sold after the end of the year.",
    "patents": "Engineers were granted {} patents, most of them for pumps that run without lubrication.",
    "complaints": "Customers sent {} complaints, and the service desk answered nine of ten within a week.",
    "emissions": "Emissions fell to {} thousand tonnes, since two furnaces now burn wood instead of coal.",
}
PADDING = (
    "The chair thanks everyone for their patience. The weather was mild, the harbour stayed open, and the meeting in "
    "spring elected the same members as before. Notes on methods follow the rules of the association of accountants. "
)
QUESTIONS = "Compare the {} of {} and {}.", "What does the report say about {} at {}?"
TOP = 4


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the evidence of comparisons.")
    parser.add_argument("--reports", type=int, default=len(NAMES))
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, DocumentQA.open(folder) as qa:
        figures = measure(qa, NAMES[: chosen.reports], random.Random(4))  # noqa: S311 (repeatable, not secret)
    print(
        json.dumps(figures) if chosen.json else "\n".join(f"{name:36} {value:.3f}" for name, value in figures.items())
    )


def measure(qa: DocumentQA, names: Sequence[str], chance: random.Random) -> dict[str, float]:
    begun = perf_counter()
    said = {
        name: {subject: line.format(chance.randint(11, 98)) for subject, line in SUBJECTS.items()} for name in names
    }
    for name in names:
        text = "\n\n".join(f"{PADDING * 3}{line}{PADDING * 3}" for line in said[name].values())
        qa.ingest_text(text, name=f"{name} annual report")
    pairs = list(itertools.combinations(names, 2))
    comparisons = [(subject, chance.choice(pairs)) for subject in SUBJECTS for _ in range(5)]
    plain = [(subject, (chance.choice(names),)) for subject in SUBJECTS for _ in range(5)]
    figures = {"reading_seconds": perf_counter() - begun}
    for kind, asked, question in zip(("comparison", "one document"), (comparisons, plain), QUESTIONS, strict=True):
        hits = [list(found(qa, question.format(subject, *of), [said[n][subject] for n in of])) for subject, of in asked]
        for place, way in enumerate(("spread", "by rank alone")):
            figures[f"{kind}, {way}"] = sum(hit[place] for hit in hits) / len(hits)
    return figures


def found(qa: DocumentQA, question: str, wanted: Sequence[str]) -> Iterator[bool]:
    """Whether everything wanted is read, with spreading and without."""
    documents = list(qa.library.document_ids())
    each = spanned(question, qa.library.titles(documents), chosen=False)
    ids = qa.engine.encode(question).ids
    for spread in (each, []):
        places = qa._retriever.find(
            question, ids, documents=documents, using=Ranking.HYBRID, top=SPARE * TOP, each=spread
        ).places
        segments = qa.library.segments([ranked.place for ranked in places])
        evidence = [Evidence(place, segment) for place, segment in zip(places, segments, strict=True)]
        read = " ".join(item.segment.text for item in choose(evidence, top=TOP, spanned=spread))
        yield all(line[:40] in read or line[-40:] in read for line in wanted)


if __name__ == "__main__":
    main()
