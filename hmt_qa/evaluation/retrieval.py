"""Who finds the evidence: recall at 1, 5, 10, 20 and MRR of memory, keywords, both, and the MiniLM baselines.

A question is found at k where any of its gold segments is among the first k. All rankings end at CANDIDATES places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import exp

import numpy as np

from hmt_qa.evaluation import minilm, statistics
from hmt_qa.evaluation.corpora import development_sets
from hmt_qa.evaluation.encoding import ContextEncoder
from hmt_qa.evaluation.figures import POOLED, Figure, Results
from hmt_qa.evaluation.keyword import KeywordIndex
from hmt_qa.evaluation.options import Options
from hmt_qa.evaluation.plan import RETRIEVAL_LIMIT, plan
from hmt_qa.evaluation.recalling import Recalled, recall_cells
from hmt_qa.evaluation.scoring import first_rank, hit, reciprocal
from hmt_qa.evaluation.selection import Cell, cells
from hmt_qa.evaluation.subjects import Subject
from hmt_qa.fusion import fuse
from hmt_qa.retrieval import CANDIDATES

MEMORY, KEYWORD, HYBRID = "memory", "keyword", "hybrid"
FAISS, FAISS_BM25 = "MiniLM+FAISS", "MiniLM+BM25"
CUTS = (1, 5, 10, 20)
TRUSTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 2.0)
SHARPNESS, BASELINE_TRUST = 10.0, 0.5  # of MiniLM's cosines and of BM25 beside them: chosen as the product's trust was
_COMPARED = (
    (MEMORY, KEYWORD),
    (MEMORY, FAISS),
    (HYBRID, MEMORY),
    (HYBRID, KEYWORD),
    (HYBRID, FAISS),
    (HYBRID, FAISS_BM25),
)

Rankings = Mapping[str, Sequence[Sequence[int]]]
"""For each method, the segment numbers that it found for each question, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Ranks of the first gold thing for each method and question of one set at one length."""

    group: str
    length: int
    ranks: Mapping[str, Sequence[int]]


def evaluate(options: Options) -> Results:
    """Measure every set at every length, and pooled.

    Raises `FileMissing`, `ModelMissing` and `InvalidCheckpoint`.
    """
    subject = Subject.open(options.model, device=options.device, dtype=options.dtype)
    sets = development_sets(options.data)
    planned = plan(sets, options, default=RETRIEVAL_LIMIT)
    encode = ContextEncoder(subject.tokenizer)
    made = [
        cell
        for chosen, share in planned.chosen
        for cell in cells(
            chosen,
            sets,
            lengths=planned.lengths,
            questions=share,
            segment_length=subject.engine.segment_length,
            encode=encode,
            seed=options.seed,
        )
    ]
    encoder, notes = _baseline(options, subject)
    trust = subject.keyword_trust if options.keyword_trust is None else options.keyword_trust
    rankings = rank_cells(subject, made, trust=trust, encoder=encoder, sweep=TRUSTS)
    swept_names = {_swept(trust) for trust in TRUSTS}
    scored = [
        _scored(cell, _only(found, lambda name: name not in swept_names))
        for cell, found in zip(made, rankings, strict=True)
    ]
    swept = [_scored(cell, _only(found, swept_names.__contains__)) for cell, found in zip(made, rankings, strict=True)]
    figures = [figure for of in with_pools(scored) for figure in _figures(of, options.seed)]
    figures += [figure for of in with_pools(swept) if of.group == POOLED for figure in _rates(of, options.seed)]
    if options.reports:
        from hmt_qa.evaluation import reports

        figures += reports.figures(options, subject, trust=trust, encoder=encoder)
    return Results(figures=figures, sizes=_sizes(made), notes=[*notes, f"hybrid: trust in keywords {trust:g}"])


def rank_cells(
    subject: Subject,
    made: Sequence[Cell],
    *,
    trust: float,
    encoder: minilm.MiniLM | None,
    sweep: Sequence[float] = (),
) -> list[dict[str, list[list[int]]]]:
    """Every method's rankings for every cell; `sweep` adds hybrids with other trusts in keywords."""
    ids = [[subject.ids(asked.question.text) for asked in cell.asked] for cell in made]
    recalled = recall_cells(subject.model, made, ids, batching=subject.batching)
    found = []
    for cell, of in zip(made, recalled, strict=True):
        words = search_keywords(cell)
        rankings = {
            MEMORY: [one.ranking for one in of],
            KEYWORD: [list(scores) for scores in words],
            HYBRID: hybrid(of, words, trust),
        }
        rankings |= {_swept(other): hybrid(of, words, other) for other in sweep}
        if encoder is not None:
            cosines = _cosines(cell, encoder)
            sharp = [[exp(SHARPNESS * cosine) for cosine in row] for row in cosines]
            rankings[FAISS] = [np.argsort(-row, kind="stable")[:CANDIDATES].tolist() for row in cosines]
            rankings[FAISS_BM25] = [
                _joined(row, scores, BASELINE_TRUST) for row, scores in zip(sharp, words, strict=True)
            ]
        found.append(rankings)
    return found


def search_keywords(cell: Cell) -> list[dict[int, float]]:
    """For each question of a cell, the segments that hold its words with their BM25 scores, best first."""
    with KeywordIndex(cell.documents) as index:
        return [index.search(a.question.text, document=a.document, top=CANDIDATES) for a in cell.asked]


def hybrid(recalled: Sequence[Recalled], words: Sequence[Mapping[int, float]], trust: float) -> list[list[int]]:
    """The product's ranking for each question."""
    return [list(of) for of in hybrid_shares(recalled, words, trust)]


def hybrid_shares(
    recalled: Sequence[Recalled], words: Sequence[Mapping[int, float]], trust: float
) -> list[dict[int, float]]:
    """The product's ranking for each question, with each place's share among all that were proposed."""
    return [_best(_shares(one.weights, scores, trust)) for one, scores in zip(recalled, words, strict=True)]


def _shares(weights: Sequence[float], words: Mapping[int, float], trust: float) -> dict[int, float]:
    """Of the heaviest segments and of those that hold the question's words."""
    heaviest = sorted(range(len(weights)), key=lambda segment: -weights[segment])[:CANDIDATES]
    return fuse({segment: weights[segment] for segment in {*heaviest, *words}}, words, trust=trust)


def _joined(weights: Sequence[float], words: Mapping[int, float], trust: float) -> list[int]:
    return list(_best(_shares(weights, words, trust)))


def _best(shares: Mapping[int, float]) -> dict[int, float]:
    """The CANDIDATES best of them, in order."""
    ordered = sorted(shares, key=lambda segment: (-shares[segment], segment))[:CANDIDATES]
    return {segment: shares[segment] for segment in ordered}


def _swept(trust: float) -> str:
    return f"hybrid, trust {trust:g}"


def _baseline(options: Options, subject: Subject) -> tuple[minilm.MiniLM | None, list[str]]:
    folder = minilm.find(options.minilm)
    if folder is None:
        return None, [f"{FAISS} and {FAISS_BM25} left out: no {minilm.PACKAGE} installed, no folder given"]
    exact = f"{FAISS}: exact inner products by numpy, which a flat FAISS index equals"
    return minilm.MiniLM(folder, device=subject.engine.machine.device), [exact]


def _cosines(cell: Cell, encoder: minilm.MiniLM) -> list[minilm.Vectors]:
    """Of each question with the segments of its document."""
    questions = encoder.vectors([asked.question.text for asked in cell.asked])
    documents = encoder.vectors([segment.text for document in cell.documents for segment in document.segments])
    bounds = np.cumsum([0, *(len(document.segments) for document in cell.documents)])
    return [
        documents[bounds[asked.document] : bounds[asked.document + 1]] @ vector
        for asked, vector in zip(cell.asked, questions, strict=True)
    ]


def _scored(cell: Cell, rankings: Rankings) -> Scored:
    return Scored(
        group=cell.name,
        length=cell.length,
        ranks={
            method: [first_rank(row, asked.gold) for row, asked in zip(rows, cell.asked, strict=True)]
            for method, rows in rankings.items()
        },
    )


def _only(rankings: Rankings, wanted: Callable[[str], bool]) -> Rankings:
    return {name: rows for name, rows in rankings.items() if wanted(name)}


def with_pools(scored: Sequence[Scored]) -> list[Scored]:
    """The sets, then all of a length together; sets whose contexts are documents of their own are in each pool."""
    lengths = sorted({of.length for of in scored} - {0}) or [0]
    return [*scored, *(_pooled([of for of in scored if of.length in {length, 0}], length) for length in lengths)]


def _pooled(scored: Sequence[Scored], length: int) -> Scored:
    methods = scored[0].ranks
    return Scored(
        group=POOLED,
        length=length,
        ranks={method: [rank for of in scored for rank in of.ranks[method]] for method in methods},
    )


def _metrics(ranks: Sequence[int]) -> Iterator[tuple[str, list[float]]]:
    for top in CUTS:
        yield f"recall@{top}", [hit(rank, top) for rank in ranks]
    yield "mrr", [reciprocal(rank) for rank in ranks]


def _rates(of: Scored, seed: int) -> Iterator[Figure]:
    for method, ranks in of.ranks.items():
        for metric, values in _metrics(ranks):
            estimate = statistics.mean(values, seed=seed)
            yield Figure(group=of.group, length=of.length, method=method, metric=metric, estimate=estimate)


def _figures(of: Scored, seed: int) -> Iterator[Figure]:
    yield from _rates(of, seed)
    for first, second in _COMPARED:
        if first in of.ranks and second in of.ranks:
            for (metric, mine), (_, theirs) in zip(_metrics(of.ranks[first]), _metrics(of.ranks[second]), strict=True):
                estimate = statistics.difference(mine, theirs, seed=seed)
                yield Figure(
                    group=of.group, length=of.length, method=f"{first} - {second}", metric=metric, estimate=estimate
                )


def figures_of(scored: Scored, seed: int) -> list[Figure]:
    """Rates and paired differences of one set."""
    return list(_figures(scored, seed))


def _sizes(made: Sequence[Cell]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name, group in groupby(made, key=lambda cell: f"{cell.name}/{cell.length or 'own'}"):
        of = list(group)
        sizes[f"{name} questions"] = sum(len(cell.asked) for cell in of)
        sizes[f"{name} documents"] = sum(len(cell.documents) for cell in of)
        sizes[f"{name} tokens"] = sum(document.tokens for cell in of for document in cell.documents)
    return sizes
