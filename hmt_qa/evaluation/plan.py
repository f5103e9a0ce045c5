"""Shares a limit out over sets and lengths, so that few questions also mean few documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hmt_qa.evaluation.corpora import DevelopmentSet
from hmt_qa.evaluation.options import Options

LENGTHS = (5_000, 20_000, 100_000)
QUICK = 100  # a smaller limit is a try: short documents only
FEWEST = 10  # questions of a set, below which it is left out of a try
ALL = 1_000_000
RETRIEVAL_LIMIT = 2_800
ANSWERS_LIMIT = 1_000
# The order in which sets are given up when the limit is small.
_FIRST = ("squad_v1_dev", "omos_test", "medquad_heldout", "fairytaleqa_val", "covidqa", "cuad_heldout", "qmsum_val")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sets with how many questions of each, and the lengths of joined documents."""

    chosen: tuple[tuple[DevelopmentSet, int], ...]
    lengths: tuple[int, ...]


def plan(sets: Sequence[DevelopmentSet], options: Options, *, default: int) -> Plan:
    """Even shares of `options.limit` (or of `default`) for as many sets as get FEWEST questions."""
    limit = ALL if options.limit == 0 else options.limit or default
    known = {name: place for place, name in enumerate(_FIRST)}
    ordered = sorted(sets, key=lambda of: (known.get(of.name, len(known)), of.name))
    ordered = ordered[: max(1, limit // FEWEST)]
    share = -(-limit // max(1, len(ordered)))
    lengths = options.lengths or (LENGTHS if limit >= QUICK else LENGTHS[:1])
    return Plan(chosen=tuple((of, share) for of in ordered), lengths=lengths)
