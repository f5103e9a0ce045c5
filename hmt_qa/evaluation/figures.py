"""One measured figure: what of, by whom, with its interval. Every evaluation returns a list of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hmt_qa.evaluation.statistics import Estimate

POOLED = "pooled"
HEADLINE = "squad_v1_dev"  # the set that the bars of reading are set on
REPORTS = "annual_reports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`method` names who is measured, or "a - b" and "a / b" for a comparison, always of the same things.

    `group` is a set (or `pooled`, the mean over all questions of all sets), `length` the documents' wanted tokens:
    0 where each context is a document of its own, or where no document matters.
    """

    group: str
    length: int
    method: str
    metric: str
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Figures, what was measured (sizes, by name), and remarks on what was left out and why."""

    figures: Sequence[Figure]
    sizes: dict[str, int]
    notes: Sequence[str] = ()
