"""Lets the most promising stretches answer, each read alone, and takes what all passages together believe too.

A small model that is given four passages is misled by three of them; given one paragraph it reads better, but cannot
tell whether that was the right one. `docs/decisions/0029-two-readings-must-agree.md` has the figures.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from math import exp, log
from typing import TYPE_CHECKING, TypeVar

from hmt_qa.agreeing import LEAST, Belief, agreed, log_sum, mixed
from hmt_qa.confidence import Signs
from hmt_qa.engine import LocalEngine
from hmt_qa.prompt import PromptFormat
from hmt_qa.stretches import Source, stretches

if TYPE_CHECKING:
    from torch import Tensor

    from hmt_qa.model.prompts import Prompt
    from hmt_qa.model.side_by_side import Begun, SideBySide

ALONE = 2  # stretches that are read by themselves
STRETCH = 320  # tokens of one, at most
BEGINNING = 24  # tokens of an answer that it is chosen and judged by: a longer one is not held back to its end

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """A question, what the memory recalls for it, (M, D), and the passages found, best first; one at least."""

    question_ids: Sequence[int]
    prompt_MD: Tensor
    sources: Sequence[Source]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The beginning of the answer taken, the prompt behind which it goes on, and what both readings thought of it."""

    ids: tuple[int, ...]
    prompt: Prompt
    signs: Signs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Views:
    """Of one question: all passages, and stretches of them; weights: how likely the answer is in each, summing to 1."""

    together: Prompt
    alone: Sequence[Prompt]
    weights: Sequence[float]


class CloseReader:
    """Reads with one engine, whose model has the mark `refusal` for "not answered here"."""

    def __init__(self, engine: LocalEngine, form: PromptFormat, *, refusal: int) -> None:
        self._engine, self._form, self._refusal = engine, form, refusal

    def read(self, posed: Sequence[Posed]) -> list[Reading | None]:
        """Of each question the answer taken, None where only silence was offered; all are read in common passes."""
        views = [self._views(one) for one in posed]
        sizes = [len(of.alone) for of in views]
        alone = self._side_by_side([prompt for of in views for prompt in of.alone], most=BEGINNING)
        offered = [self._offered(begun) for begun in _split(alone.begun, sizes)]
        to_each = [answers for answers, size in zip(offered, sizes, strict=True) for _ in range(size)]
        parts = _split(_beliefs(alone, to_each), sizes)
        mixtures = [mixed(beliefs, of.weights) for of, beliefs in zip(views, parts, strict=True)]
        together = _beliefs(self._side_by_side([of.together for of in views], most=1), offered)
        return [_reading(*of) for of in zip(posed, views, offered, together, mixtures, strict=True)]

    def _offered(self, begun: Sequence[Begun]) -> dict[tuple[int, ...], int]:
        """Answers that say something, with the place of the first stretch that offers each."""
        offered: dict[tuple[int, ...], int] = {}
        for place, of in enumerate(begun):
            if of.ids[0] not in self._form.stop:
                offered.setdefault(of.ids, place)
        return offered

    def _views(self, one: Posed) -> _Views:
        from hmt_qa.model.prompts import Prompt

        def prompt(passages: Sequence[Sequence[int]]) -> Prompt:
            return Prompt(one.prompt_MD, tuple(self._form.build(passages, one.question_ids)))

        together = prompt([source.token_ids for source in one.sources])
        likely = self._likely(one)
        total = log_sum([score for score, _ in likely]) if likely else 0.0
        return _Views(
            together=together,
            alone=[prompt([ids]) for _, ids in likely] or [together],
            weights=[exp(score - total) for score, _ in likely] or [1.0],
        )

    def _likely(self, one: Posed) -> list[tuple[float, list[int]]]:
        """The ALONE stretches that the question most likely speaks of: log of share times likelihood, and tokens.

        A question is likely behind a stretch that answers it (Sachan et al. 2022, arXiv 2204.07496).
        """
        from hmt_qa.model.likelihoods import likelihoods

        cut = stretches(one.sources)
        if not cut:
            return []
        ids = [list(self._engine.encode(stretch.text).ids[:STRETCH]) for stretch in cut]
        question = [*self._form.question, *one.question_ids]
        told = likelihoods(self._engine.model, [([*self._form.passage, *of], question) for of in ids])
        scores = [log(max(stretch.share, LEAST)) + of for stretch, of in zip(cut, told, strict=True)]
        return sorted(zip(scores, ids, strict=True), reverse=True)[:ALONE]

    def _side_by_side(self, prompts: Sequence[Prompt], *, most: int) -> SideBySide:
        from hmt_qa.model.side_by_side import SideBySide

        return SideBySide.read(self._engine.model, prompts, most=most, stop_ids=self._form.stop, refusal=self._refusal)


def _beliefs(read: SideBySide, answers: Sequence[Collection[tuple[int, ...]]]) -> list[Belief]:
    weighed = read.weigh([list(of) for of in answers])
    return [Belief(refusal=begun.refusal, answers=of) for begun, of in zip(read.begun, weighed, strict=True)]


def _split(items: Sequence[T], sizes: Sequence[int]) -> list[list[T]]:
    iterator = iter(items)
    return [list(islice(iterator, size)) for size in sizes]


def _reading(
    posed: Posed, views: _Views, offered: dict[tuple[int, ...], int], together: Belief, alone: Belief
) -> Reading | None:
    if not offered:
        return None
    taken = agreed(together, alone)
    ids, place = list(offered.items())[taken]
    signs = Signs(
        refusals=(together.refusal, alone.refusal),
        log_probabilities=(together.answers[taken] / len(ids), alone.answers[taken] / len(ids)),
        share=max(source.share for source in posed.sources),
    )
    return Reading(ids=ids, prompt=views.alone[place], signs=signs)
