"""Exact match and F1 of answers by mode and document length, with the right passage given beside, and refusals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from hmt_qa.evaluation import statistics
from hmt_qa.evaluation.asking import LACKING, OF_EACH_LENGTH, OF_EACH_QUESTION, PLAIN, Asker, Way
from hmt_qa.evaluation.closely import read_closely
from hmt_qa.evaluation.corpora import DevelopmentSet, development_sets
from hmt_qa.evaluation.decoding import decode
from hmt_qa.evaluation.encoding import ContextEncoder
from hmt_qa.evaluation.figures import HEADLINE, POOLED, Figure, Results
from hmt_qa.evaluation.options import Options
from hmt_qa.evaluation.plan import ANSWERS_LIMIT, QUICK, Plan, plan
from hmt_qa.evaluation.recalling import recall_cells
from hmt_qa.evaluation.retrieval import hybrid_shares, search_keywords
from hmt_qa.evaluation.scoring import exact_match, f1
from hmt_qa.evaluation.selection import Cell, cells
from hmt_qa.evaluation.subjects import Subject
from hmt_qa.writers.memory import ANSWER_TOKENS

_LONG_ANSWERS = frozenset({"qmsum_val"})  # summaries, which exact match and F1 say nothing about


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: empty where the model refused, which `refused` says."""

    text: str
    refused: bool
    exact: float
    f1: float


Table = dict[tuple[str, int, str], list[Said]]
"""Answers in the questions' order by set, length and method."""


def evaluate(options: Options) -> Results:
    """Measure every way of asking; raises `FileMissing`, `ModelMissing` and `InvalidCheckpoint`."""
    subject = Subject.open(options.model, device=options.device, dtype=options.dtype)
    sets = [short_answers(of, subject) for of in development_sets(options.data) if of.name not in _LONG_ANSWERS]
    planned = _plan(sets, options)
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
    contexts = {context.id: context.text for of in sets for context in of.contexts}
    askers = askers_of(subject, made, contexts, options)
    table = ask(subject, _wanted(askers))
    notes = [
        f"answers of at most {ANSWER_TOKENS} tokens; questions whose shortest answer is longer are left out",
        "without P, what follows a question mark of the format is cut off: a backbone goes on asking by itself",
    ]
    for baseline in options.baselines:
        other = Subject.open(baseline.directory, device=options.device, dtype=options.dtype)
        of = [replace(asker, subject=other) for asker in _first_of_each_set(askers)]
        answered = ask(other, [(asker, way, 0) for asker in of for way in PLAIN])
        name = baseline.directory.resolve().name
        table |= {(group, length, f"{name}: {method}"): said for (group, length, method), said in answered.items()}
        notes.append(f"{name}: the backbone alone, read without P; no document is searched for it")
    return Results(figures=figures_of(table, options.seed), sizes=_sizes(made), notes=notes)


def short_answers(of: DevelopmentSet, subject: Subject) -> DevelopmentSet:
    """The set without questions that nobody could answer in ANSWER_TOKENS tokens."""
    kept = [q for q in of.questions if min(len(subject.ids(answer)) for answer in q.answers) < ANSWER_TOKENS]
    return replace(of, questions=tuple(kept), left_out=of.left_out + len(of.questions) - len(kept))


def _plan(sets: Sequence[DevelopmentSet], options: Options) -> Plan:
    """Half of the questions are the headline set's; a quick try asks that set alone."""
    limit = ANSWERS_LIMIT if options.limit is None else options.limit
    headline = [of for of in sets if of.name == HEADLINE]
    others = [of for of in sets if of.name != HEADLINE]
    if limit == 0 or not headline:
        return plan(sets, options, default=limit)
    first = plan(headline, replace(options, limit=limit if limit < QUICK else limit // 2), default=limit)
    lengths = options.lengths or plan([], options, default=limit).lengths
    rest = plan(others, replace(options, limit=limit // 2), default=limit).chosen if others and limit >= QUICK else ()
    return Plan(chosen=(*first.chosen, *rest), lengths=lengths)


def askers_of(subject: Subject, made: Sequence[Cell], contexts: dict[str, str], options: Options) -> list[Asker]:
    """Read every document, recall for every question, rank as the product does."""
    trust = subject.keyword_trust if options.keyword_trust is None else options.keyword_trust
    ids = [[subject.ids(asked.question.text) for asked in cell.asked] for cell in made]
    recalled = recall_cells(subject.model, made, ids, batching=subject.batching)
    return [
        Asker(subject, cell, of, hybrid_shares(of, search_keywords(cell), trust), contexts, options.seed)
        for cell, of in zip(made, recalled, strict=True)
        if cell.asked
    ]


def _wanted(askers: Sequence[Asker]) -> list[tuple[Asker, Way, int]]:
    """What differs with the length is asked at each; the rest once a set, and reported with length 0."""
    wanted = [(asker, way, asker.cell.length) for asker in askers for way in OF_EACH_LENGTH]
    first = _first_of_each_set(askers)
    return wanted + [(asker, way, 0) for asker in first for way in (*OF_EACH_QUESTION, *LACKING)]


def _first_of_each_set(askers: Sequence[Asker]) -> list[Asker]:
    return list({asker.cell.name: asker for asker in reversed(askers)}.values())[::-1]


def ask(subject: Subject, wanted: Sequence[tuple[Asker, Way, int]]) -> Table:
    """Decode all prompts together. Each question is refused near or far, in turns: both are half the price of each."""
    places = [
        (asker, way, length, place)
        for asker, way, length in wanted
        for place in range(len(asker.cell.asked))
        if way not in LACKING or LACKING[place % 2] is way
    ]
    written = _written(subject, [(asker, way, place) for asker, way, _, place in places])
    table: Table = defaultdict(list)
    for (asker, way, length, place), new in zip(places, written, strict=True):
        said = _first_answer(subject, new) if way in PLAIN else new
        table[asker.cell.name, length, way.value].append(_said(subject, said, asker.cell.asked[place].question.answers))
    return dict(table)


def _written(subject: Subject, places: Sequence[tuple[Asker, Way, int]]) -> list[Sequence[int]]:
    """Tokens of each answer, as the product writes them: closely read where the model's confidence was measured."""
    closely = _closely(subject, places)
    others = [number for number in range(len(places)) if number not in closely]
    prompts = [asker.prompt(place, way) for asker, way, place in (places[number] for number in others)]
    decoded = decode(
        subject.model,
        prompts,
        max_new_tokens=ANSWER_TOKENS,
        stop_ids=subject.format.ends,
        batching=subject.batching,
    )
    found = closely | dict(zip(others, decoded, strict=True))
    return [found[number] for number in range(len(places))]


def _closely(subject: Subject, places: Sequence[tuple[Asker, Way, int]]) -> dict[int, Sequence[int]]:
    """By the number of its place; what is less confident than the model's threshold says nothing."""
    judge, refusal = subject.engine.confidence, subject.format.unanswerable
    if judge is None or refusal is None:
        return {}
    posed = {
        number: one for number, (asker, way, place) in enumerate(places) if (one := asker.posed(place, way)) is not None
    }
    written = read_closely(subject, list(posed.values()), refusal=refusal)
    return {
        number: one.ids if one.signs is not None and judge.of(one.signs) >= judge.threshold else ()
        for number, one in zip(posed, written, strict=True)
    }


def _first_answer(subject: Subject, new: Sequence[int]) -> list[int]:
    """What stands before a next question: a backbone that saw several of a passage asks and answers on by itself."""
    return list(takewhile(lambda token: token not in subject.format.question[:1], new))


def _said(subject: Subject, new: Sequence[int], answers: Sequence[str]) -> Said:
    """As the product does: its own mark, or nothing said, is a refusal."""
    refused = subject.format.unanswerable is not None and subject.format.unanswerable in new
    kept = [token for token in new if token not in subject.format.stop]
    text = "" if refused else str(subject.tokenizer.decode(kept, skip_special_tokens=True)).strip()
    return Said(text, refused or not text, exact_match(text, answers), f1(text, answers))


def figures_of(table: Table, seed: int) -> list[Figure]:
    """Every set and the pools of each length: scores, then comparisons on the same questions."""
    whole = _with_pools(table)
    return [figure for found in (_scores(whole, seed), _comparisons(whole, seed)) for figure in found]


def _with_pools(table: Table) -> Table:
    """Pools over sets; what has no length stands with length 0."""
    lengths = sorted({length for _, length, _ in table} - {0})
    methods = dict.fromkeys(method for _, _, method in table)
    groups = dict.fromkeys(group for group, _, _ in table)
    pools: Table = {}
    if len(groups) > 1:
        for method in methods:
            for length in [*lengths, 0]:
                rows = [_row(table, group, length, method) for group in groups]
                if all(rows) and (not length or any((group, length, method) in table for group in groups)):
                    pools[POOLED, length, method] = [said for row in rows for said in row]
    return {**table, **pools}


def _row(table: Mapping[tuple[str, int, str], list[Said]], group: str, length: int, method: str) -> list[Said]:
    """A set's answers at this length, or those that do not depend on it."""
    return table.get((group, length, method)) or table.get((group, 0, method)) or []


def _scores(table: Table, seed: int) -> Iterator[Figure]:
    for (group, length, method), said in table.items():
        lacking = any(method == way.value for way in LACKING)
        metrics = {"refused": [float(one.refused) for one in said]}
        if not lacking:
            metrics = {"f1": [one.f1 for one in said], "exact match": [one.exact for one in said]} | metrics
        for metric, values in metrics.items():
            estimate = statistics.mean(values, seed=seed)
            yield Figure(group=group, length=length, method=method, metric=metric, estimate=estimate)
    for group in dict.fromkeys(group for group, _, _ in table):
        values = [float(one.refused) for way in LACKING for one in table.get((group, 0, way.value), [])]
        if values:
            estimate = statistics.mean(values, seed=seed)
            yield Figure(
                group=group, length=0, method="passages lack it", metric="unanswerable accuracy", estimate=estimate
            )


def _comparisons(table: Table, seed: int) -> Iterator[Figure]:
    """Modes against no document (of this model and of baselines), and against what the right passage gives."""
    methods = dict.fromkeys(method for _, _, method in table)
    nothing = [m for m in methods if m == Way.NOTHING or m.endswith(f": {Way.PLAIN_NOTHING}")]
    pairs = [(first, second, "-") for first in (Way.MEMORY, Way.EVIDENCE) for second in nothing]
    pairs += [(Way.EVIDENCE, gold, "/") for gold in (Way.GOLD_SEGMENT, Way.GOLD_PARAGRAPH)]
    for group, length in dict.fromkeys((group, length) for group, length, _ in table):
        for first, second, sign in pairs:
            mine = [one.f1 for one in table.get((group, length, first), [])]
            theirs = [one.f1 for one in _row(table, group, length, second)]
            if mine and len(mine) == len(theirs):
                compare = statistics.ratio if sign == "/" else statistics.difference
                estimate = compare(mine, theirs, seed=seed)
                yield Figure(
                    group=group, length=length, method=f"{first} {sign} {second}", metric="f1", estimate=estimate
                )


def _sizes(made: Sequence[Cell]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for cell in made:
        name = f"{cell.name}/{cell.length or 'own'}"
        sizes[f"{name} questions"] = len(cell.asked)
        sizes[f"{name} documents"] = len(cell.documents)
        sizes[f"{name} tokens"] = sum(document.tokens for document in cell.documents)
    return sizes
