"""Whether the confidence of answers is right: reliability, risk over coverage, and what the threshold keeps.

Each question is asked of its own document and of another one, which cannot answer it. An answer is right where its F1
against the closest one wanted is at least RIGHT; from the other document none is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hmt_qa.confidence import FILE, Confidence, Signs
from hmt_qa.errors import FileMissing, InvalidCheckpoint
from hmt_qa.evaluation import calibration, statistics
from hmt_qa.evaluation.answers import askers_of, short_answers
from hmt_qa.evaluation.asking import Asker, Way
from hmt_qa.evaluation.closely import read_closely
from hmt_qa.evaluation.corpora import DevelopmentSet, development_sets
from hmt_qa.evaluation.encoding import ContextEncoder
from hmt_qa.evaluation.figures import POOLED, Figure, Results
from hmt_qa.evaluation.options import Options
from hmt_qa.evaluation.plan import LENGTHS, plan
from hmt_qa.evaluation.reliability_picture import draw
from hmt_qa.evaluation.scoring import f1
from hmt_qa.evaluation.selection import Asked, Cell, cells
from hmt_qa.evaluation.subjects import Subject

CONFIDENCE_LIMIT = 400  # questions, each asked twice
RIGHT = 0.5  # F1
KEPT = 0.95  # of the right answers: the threshold lies where so many of those it was fitted on are above it
COVERAGES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One answer: what its reader thought (None where it said nothing), and whether there was one to be had."""

    group: str
    signs: Signs | None
    right: bool
    answerable: bool

    def passes(self, confidence: Confidence, threshold: float) -> bool:
        """Whether the answer would be given."""
        return self.signs is not None and confidence.of(self.signs) >= threshold


def evaluate(options: Options) -> Results:
    """Measure the model's confidence, with `options.fit` after fitting it.

    Raises `FileMissing`, `ModelMissing` and `InvalidCheckpoint`.
    """
    subject = Subject.open(options.model, device=options.device, dtype=options.dtype)
    judged = judge(subject, options)
    path, fingerprint = options.model / FILE, subject.engine.checkpoint.fingerprint
    if options.fit:
        fitted(judged).write(path, fingerprint=fingerprint)
    confidence = Confidence.read(path, fingerprint=fingerprint)
    if confidence is None:
        raise FileMissing(
            f"{options.model} holds no {FILE} of its own.",
            subject=options.model,
            remedy="Fit it first, on questions set apart from training: hmt-qa eval confidence --fit.",
        )
    given = _given(judged)
    if options.picture is not None:
        bins = calibration.reliability(*_pairs(judged, confidence))
        options.picture.write_text(draw(bins, threshold=confidence.threshold), encoding="utf-8")
    groups = dict.fromkeys(one.group for one in judged)
    figures = [
        figure
        for group in (*groups, POOLED)
        for figure in figures_of(group, [one for one in judged if group in {one.group, POOLED}], confidence, options)
    ]
    return Results(figures=figures, sizes={"asked": len(judged), "answered": len(given)}, notes=_notes(confidence))


def judge(subject: Subject, options: Options) -> list[Judged]:
    """Ask every chosen question of its own document and of another."""
    sets = [short_answers(of, subject) for of in development_sets(options.data)]
    planned = plan([of for of in sets if of.questions], options, default=CONFIDENCE_LIMIT)
    encode = ContextEncoder(subject.tokenizer)
    made = [
        _with_strangers(cell)
        for chosen, share in planned.chosen
        for cell in cells(
            chosen,
            sets,
            lengths=options.lengths or LENGTHS[:1],
            questions=share,
            segment_length=subject.engine.segment_length,
            encode=encode,
            seed=options.seed,
        )
    ]
    refusal = _refusal(subject)
    return [one for asker in askers_of(subject, made, _contexts(sets), options) for one in _judged(asker, refusal)]


def _refusal(subject: Subject) -> int:
    if subject.format.unanswerable is None:
        raise InvalidCheckpoint(
            f"{subject.engine.model_id} has no mark for a question that is not answered.",
            subject=subject.engine.model_id,
            remedy="Train it first: hmt-qa train answers.",
        )
    return subject.format.unanswerable


def fitted(judged: Sequence[Judged]) -> Confidence:
    """The regression over the answers given, and a threshold that keeps KEPT of the right ones."""
    given = _given(judged)
    weights, bias = calibration.fit([signs.numbers for signs, _ in given], [is_right for _, is_right in given])
    raw = Confidence(weights=weights, bias=bias, threshold=0.0)
    right = [raw.of(signs) for signs, is_right in given if is_right]
    return replace(raw, threshold=float(np.quantile(right, 1 - KEPT)) if right else 0.0)


def figures_of(group: str, judged: Sequence[Judged], confidence: Confidence, options: Options) -> Iterator[Figure]:
    """Of one set, or of all: curves over the answers given, and what the threshold does beside the model's own mark."""
    confidences, right = _pairs(judged, confidence)

    def figure(method: str, metric: str, estimate: statistics.Estimate) -> Figure:
        return Figure(group=group, length=0, method=method, metric=metric, estimate=estimate)

    measures: dict[str, Callable[[Sequence[float], Sequence[bool]], float]] = {
        "ece": calibration.calibration_error,
        "aurc": calibration.risk_area,
    }
    for metric, statistic in measures.items():
        yield figure("confidence", metric, calibration.estimate(statistic, confidences, right, seed=options.seed))
    for one in calibration.reliability(confidences, right):
        span = f"confidence {one.low:.1f} to {one.low + 1 / calibration.BINS:.1f}"
        yield figure(span, "right", statistics.Estimate(one.right, np.nan, np.nan, one.count))
        yield figure(span, "confidence", statistics.Estimate(one.confidence, np.nan, np.nan, one.count))
    for share, risk in _covered(calibration.risks(confidences, right)):
        yield figure(f"coverage {share:g}", "risk", statistics.Estimate(risk, np.nan, np.nan, len(confidences)))
    for method, threshold in (("without threshold", 0.0), ("with threshold", confidence.threshold)):
        kept = [one.passes(confidence, threshold) for one in judged]
        counted = {
            "wrong of answered": [not one.right for one, is_kept in zip(judged, kept, strict=True) if is_kept],
            "right kept": [is_kept for one, is_kept in zip(judged, kept, strict=True) if one.right],
            "unanswerable accuracy": [
                not is_kept for one, is_kept in zip(judged, kept, strict=True) if not one.answerable
            ],
        }
        for metric, values in counted.items():
            yield figure(method, metric, statistics.mean(list(map(float, values)), seed=options.seed))


def _with_strangers(cell: Cell) -> Cell:
    """The cell with each question asked a second time, of another of its documents; a single one has no other."""
    count = len(cell.documents)
    strangers = [
        replace(asked, document=(asked.document + 1 + number % (count - 1)) % count, gold=(), spans=())
        for number, asked in enumerate(cell.asked if count > 1 else ())
    ]
    return replace(cell, asked=(*cell.asked, *strangers))


def _judged(asker: Asker, refusal: int) -> Iterator[Judged]:
    subject = asker.subject
    posed = [one for place in range(len(asker.cell.asked)) if (one := asker.posed(place, Way.EVIDENCE)) is not None]
    for asked, written in zip(asker.cell.asked, read_closely(subject, posed, refusal=refusal), strict=True):
        text = _text(subject, written.ids)
        yield Judged(
            group=asker.cell.name,
            signs=written.signs if text else None,
            right=_is_answerable(asked) and f1(text, asked.question.answers) >= RIGHT,
            answerable=_is_answerable(asked),
        )


def _is_answerable(asked: Asked) -> bool:
    return bool(asked.gold)


def _text(subject: Subject, ids: Sequence[int]) -> str:
    """What is answered; nothing where the model came to refuse."""
    if subject.format.unanswerable in ids:
        return ""
    kept = [token for token in ids if token not in subject.format.stop]
    return str(subject.tokenizer.decode(kept, skip_special_tokens=True)).strip()


def _given(judged: Sequence[Judged]) -> list[tuple[Signs, bool]]:
    """Of the answers given what their reader thought, and whether they are right."""
    return [(one.signs, one.right) for one in judged if one.signs is not None]


def _pairs(judged: Sequence[Judged], confidence: Confidence) -> tuple[list[float], list[bool]]:
    given = _given(judged)
    return [confidence.of(signs) for signs, _ in given], [is_right for _, is_right in given]


def _covered(risks_N: calibration.Floats) -> Iterator[tuple[float, float]]:
    for share in COVERAGES:
        if (count := round(share * len(risks_N))) > 0:
            yield share, float(risks_N[count - 1])


def _contexts(sets: Sequence[DevelopmentSet]) -> dict[str, str]:
    return {context.id: context.text for of in sets for context in of.contexts}


def _notes(confidence: Confidence) -> list[str]:
    return [
        f"right: F1 of at least {RIGHT:g}; each question is also asked of another document, where no answer is right",
        f"threshold {confidence.threshold:.3f}",
    ]
