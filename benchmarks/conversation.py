"""Measures how follow-up questions find their place, by several ways of using what was asked before.

    python benchmarks/conversation.py --data FOLDER [--model DIR] [--articles 16] [--questions 20] [--home DIR]

Follow-ups are made by rule from pairs of SQuAD questions about one paragraph: every content word that the question
before has too is left out of the second, as a speaker leaves it out. Beside them the whole second question is asked
(after a question of the same paragraph, and after one of another article), because a way that helps follow-ups must
not harm those. Half of the articles are for choosing, the other half for reporting. All articles are one library.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hmt_qa import DocumentQA
from hmt_qa.evaluation.corpora import Context, Question, development_sets
from hmt_qa.keywords import STOP_WORDS, terms
from hmt_qa.retrieval import EARLIER_TRUST, SAME_TOPIC
from hmt_qa.types import Place, Segment

SET = "squad_v1_dev"
PARAGRAPHS = range(12, 46)  # of an article: long enough to have many places, short enough to read on a CPU
TRUST = 0.5  # of keywords against the memory, as in the product
OTHERS = 3  # turns about other articles, among which memory must find the right one


@dataclass(frozen=True)
class Pair:
    """A question, the one before it, and one of another article; `gold` are numbers of places."""

    article: str
    before: Question
    asked: Question
    follow_up: str
    elsewhere: Question
    gold: frozenset[int]


@dataclass(frozen=True)
class Scores:
    """log weights and BM25 of every place for one text, each (places,)."""

    weights: Tensor
    words: Tensor


Way = Callable[[Scores, Scores, Scores], Tensor]
"""Scores of the question alone, of the one before, and of both together, to a ranking's score of every place."""


def mixed(trust_before: float) -> Way:
    return lambda alone, before, joined: (
        (alone.weights + joined.weights) / 2 + TRUST * (alone.words + trust_before * before.words)
    )


WAYS: dict[str, Way] = {
    "alone": lambda alone, before, joined: alone.weights + TRUST * alone.words,
    "joined": lambda alone, before, joined: joined.weights + TRUST * joined.words,
    "joined, keywords only": lambda alone, before, joined: alone.weights + TRUST * joined.words,
    "joined, memory only": lambda alone, before, joined: joined.weights + TRUST * alone.words,
    **{f"half-way, keywords before x {trust}": mixed(trust) for trust in (0.25, 0.5, 0.75, 1.0)},
}


class Library:
    """Articles read into memory, and what each text points at."""

    def __init__(self, qa: DocumentQA, articles: dict[str, list[Context]]) -> None:
        self.qa = qa
        self.document: dict[str, str] = {}
        self.begins: dict[str, int] = {}
        for name, contexts in articles.items():
            text = ""
            for context in contexts:
                self.begins[context.id] = len(text)
                text += context.text + "\n\n"
            self.document[name] = qa.ingest_text(text, name=name).id
        self.places = [
            Place(document=identity, segment=number)
            for identity in self.document.values()
            for number in range(qa.document(identity).segments)
        ]
        self.number = {place: number for number, place in enumerate(self.places)}
        self.segments = qa.library.segments(self.places)
        self._scores: dict[str, Scores] = {}
        self.rows = torch.cat([qa.engine.bank(qa.library.memory(identity)) for identity in self.document.values()])

    def gold(self, article: str, question: Question) -> frozenset[int]:
        """Places that hold an answer."""
        at = self.begins[question.context]
        return frozenset(
            self.number[segment.place]
            for segment in self.segments
            if segment.place.document == self.document[article]
            and any(segment.char_start < at + end and segment.char_end > at + start for start, end in question.spans)
        )

    def scores(self, text: str) -> Scores:
        """What a text points at."""
        if text not in self._scores:
            self._scores[text] = self._scored(text)
        return self._scores[text]

    def _scored(self, text: str) -> Scores:
        ids = self.qa.engine.encode(text).ids[-self.qa.engine.segment_length :]
        _, weights = self.qa.engine.recall(self.qa.engine.summarise(ids), self.rows)
        words = torch.zeros(len(self.places))
        documents = list(self.document.values())
        for hit in self.qa.library.keyword_search(text, documents=documents, top=len(self.places)):
            words[self.number[hit.place]] = hit.score
        return Scores(torch.tensor(weights).clamp(min=1e-38).log(), words)


def shortened(before: str, asked: str) -> str:
    """`asked` without the content words that `before` has too."""
    known = set(terms(before)) - STOP_WORDS
    return " ".join(word for word in asked.split() if not terms(word) or not set(terms(word)) <= known)


def pairs(library: Library, articles: dict[str, list[Context]], asked: Sequence[Question], most: int) -> list[Pair]:
    chance = random.Random(0)  # noqa: S311 - a sample, not a secret
    of_context: defaultdict[str, list[Question]] = defaultdict(list)
    for question in asked:
        of_context[question.context].append(question)
    found: list[tuple[str, Question, Question, str]] = []
    for name, contexts in articles.items():
        here = [
            (name, before, question, follow_up)
            for context in contexts
            for before, question in zip(of_context[context.id], of_context[context.id][1:], strict=False)
            if (follow_up := shortened(before.text, question.text)) != question.text
            and set(terms(follow_up)) - STOP_WORDS
        ]
        found += chance.sample(here, min(most, len(here)))
    return [
        Pair(
            article=name,
            before=before,
            asked=question,
            follow_up=follow_up,
            elsewhere=chance.choice([other[1] for other in found if other[0] != name]),
            gold=library.gold(name, question),
        )
        for name, before, question, follow_up in found
    ]


def rank(score: Tensor, gold: frozenset[int]) -> int:
    return 1 + int((score > max(float(score[number]) for number in gold)).sum())


def figures(ranks: Sequence[int]) -> str:
    at_1, at_4 = (sum(rank <= top for rank in ranks) / len(ranks) for top in (1, 4))
    return f"{at_1:.3f} / {at_4:.3f} / {sum(1 / rank for rank in ranks) / len(ranks):.3f}"


def picked(library: Library, pair: Pair, others: Sequence[Question], question: str, chance: random.Random) -> bool:
    """Whether the turn's own memory, among turns about other articles in any order, is the heaviest."""
    engine, turns = library.qa.engine, [pair.before, *others]
    chance.shuffle(turns)
    said = [engine.encode(f"Question: {turn.text}\nAnswer: {turn.answers[0]}\n").ids for turn in turns]
    segments = [
        Segment(number=n, token_ids=tuple(ids), char_start=0, char_end=0, page_first=1, page_last=1, text="")
        for n, ids in enumerate(said)
    ]
    raw = b"".join(row for _, row in engine.read(segments, committed=0, tail=b""))
    _, weights = engine.recall(engine.summarise(engine.encode(question).ids), engine.rows(raw, engine.hidden))
    return turns[max(range(len(turns)), key=weights.__getitem__)] is pair.before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds dev/squad_v1_dev")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--home", type=Path, help="a library that is kept: another run need not read the articles")
    parser.add_argument("--articles", type=int, default=16)
    parser.add_argument("--questions", type=int, default=20, help="of an article, at most")
    arguments = parser.parse_args()
    (questions,) = (found for found in development_sets(arguments.data) if found.name == SET)
    by_article: defaultdict[str, list[Context]] = defaultdict(list)
    for context in questions.contexts:
        by_article[context.article].append(context)
    fit = sorted(name for name, contexts in by_article.items() if len(contexts) in PARAGRAPHS)
    random.Random(1).shuffle(fit)  # noqa: S311
    names = fit[: arguments.articles]
    articles = {name: by_article[name] for name in names}
    with (
        tempfile.TemporaryDirectory() as passing,
        DocumentQA.open(arguments.home or passing, model=arguments.model, device="cpu", dtype="float32") as qa,
    ):
        library = Library(qa, articles)
        asked = pairs(library, articles, questions.questions, arguments.questions)
        print(f"{len(library.places)} places, {len(asked)} pairs of questions; recall@1 / @4 / MRR", flush=True)
        report(library, asked, set(names[::2]))


def report(library: Library, asked: Sequence[Pair], choosing: set[str]) -> None:
    kinds: dict[str, Callable[[Pair], tuple[str, str]]] = {
        "follow-up": lambda pair: (pair.before.text, pair.follow_up),
        "whole, same paragraph before": lambda pair: (pair.before.text, pair.asked.text),
        "whole, another article before": lambda pair: (pair.elsewhere.text, pair.asked.text),
    }
    for kind, texts in kinds.items():
        ranks: defaultdict[tuple[str, bool], list[int]] = defaultdict(list)
        going_on: defaultdict[bool, list[bool]] = defaultdict(list)
        for pair in asked:
            before, question = texts(pair)
            scores = [library.scores(text) for text in (question, before, f"{before} {question}")]
            for name, way in WAYS.items():
                ranks[name, pair.article in choosing].append(rank(way(*scores), pair.gold))
            best, words = int(mixed(EARLIER_TRUST)(*scores).argmax()), scores[1].words
            going_on[pair.article in choosing].append(bool(words[best] >= SAME_TOPIC * words.max() > 0))
        print(f"\n{kind:36} {'for choosing':26} for reporting")
        for name in WAYS:
            print(f"  {name:34} {figures(ranks[name, True]):26} {figures(ranks[name, False])}")
        shares = [f"{sum(going_on[part]) / max(len(going_on[part]), 1):.3f}" for part in (True, False)]
        print(f"  {'taken for the same topic':34} {shares[0]:26} {shares[1]}")
    chance = random.Random(2)  # noqa: S311
    reported = [pair for pair in asked if pair.article not in choosing]
    for kind, text in (("follow-up", "follow_up"), ("whole question", "asked")):
        right = 0
        for pair in reported:
            others = chance.sample([one.before for one in asked if one.article != pair.article], OTHERS)
            question = getattr(pair, text)
            right += picked(library, pair, others, question if isinstance(question, str) else question.text, chance)
        print(f"the turn it goes with, of {OTHERS + 1}, by memory, {kind}: {right / len(reported):.3f}")


if __name__ == "__main__":
    main()
