"""Windows of s x L tokens with questions about them: cut from long texts, or joined from the contexts of question sets.

Everything is drawn from a generator that depends on seed, step and row alone. Shapes: T tokens · N documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from tokenizers import Tokenizer

from hmt_qa.errors import NoTextFound
from hmt_qa.training import jsonl
from hmt_qa.training.data import Ids, Places, TokenStore, text_store
from hmt_qa.training.marks import Marks
from hmt_qa.training.questions import QUESTION_TOKENS, UNKNOWN, QuestionSets
from hmt_qa.training.selfmade import LONGEST, make

FROM_THE_START = 0.25  # share of windows that begin where their document does
ONE_ARTICLE = 0.5  # share of joined documents made of one article's contexts; the rest mix a whole set
SHORTENED = 0.1  # share of windows whose last segment is not full
MOST_GOLD = 3  # segments given to read where the evidence is no quote
WORLDWIDE = frozenset({"squad_v1_train", "medquad"})  # their questions make sense without their document


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question about a window.

    spans: tokens [first, last] of the window that are evidence; none where it is unknown or there is no answer.
    worldwide: other documents' segments are fair negatives.
    question: its row in the question sets, UNKNOWN for a made one. gold: segments needed to read the answer.
    quote: tokens [first, last] of the window that the answer was taken from. context: its context's [start, end).
    """

    ids: list[int]
    spans: tuple[tuple[int, int], ...]
    worldwide: bool = True
    question: int = UNKNOWN
    gold: tuple[int, ...] = ()
    quote: tuple[int, int] = (UNKNOWN, UNKNOWN)
    context: tuple[int, int] = (0, 0)

    def places(self, size: int) -> list[int]:
        """Numbers of the pieces of `size` tokens that hold evidence."""
        return sorted({number for first, last in self.spans for number in range(first // size, last // size + 1)})


@dataclass(frozen=True, slots=True)
class Window:
    """Token ids of one document to be read segment by segment, and what is asked about it."""

    tokens_T: Ids
    asks: tuple[Ask, ...]


class LongTexts:
    """Windows of documents longer than a window, each starting place as likely as any other."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self._lengths_N = store.lengths_N
        self._sums_N: dict[int, Places] = {}

    def draw(self, rng: np.random.Generator, length: int) -> Ids:
        """`length` tokens of one document; raises `NoTextFound` where none has more."""
        if length not in self._sums_N:
            self._sums_N[length] = np.cumsum(np.maximum(self._lengths_N - length, 0))
        sums_N = self._sums_N[length]
        if not len(sums_N) or not sums_N[-1]:
            raise NoTextFound(
                f"No document is longer than {length} tokens.", subject=length, remedy="Lower the number of segments."
            )
        place = int(rng.integers(sums_N[-1]))
        number = int(np.searchsorted(sums_N, place, side="right"))
        start = (
            0 if rng.random() < FROM_THE_START else int(self._lengths_N[number]) - length - int(sums_N[number]) + place
        )
        return self._store.document(number)[start : start + length]


@dataclass(frozen=True, slots=True)
class MixedTexts:
    """Windows of the corpus and, for a share of them, of the filings, which the reference backbone never saw."""

    corpus: LongTexts
    filings: LongTexts | None
    share: float

    @classmethod
    def open(cls, data: Path, work: Path, tokenizer: Tokenizer, *, share: float) -> MixedTexts:
        """The stores of both; a share of 0 looks for no filings. Raises `FileMissing`."""
        corpus, filings = (
            LongTexts(text_store(jsonl.find(data, pattern), work, tokenizer)) if wanted else None
            for pattern, wanted in (("shard_*.jsonl.zst", True), ("sec_filings*.jsonl.zst", share > 0))
        )
        return cls(cast(LongTexts, corpus), filings, share)

    def draw(self, rng: np.random.Generator, length: int) -> Ids:
        """See `LongTexts.draw`."""
        if self.filings is not None and rng.random() < self.share:
            return self.filings.draw(rng, length)
        return self.corpus.draw(rng, length)


@dataclass(frozen=True, slots=True)
class MadeWindows:
    """Windows of long texts with questions made from them."""

    texts: LongTexts | MixedTexts
    marks: Marks

    def draw(self, rng: np.random.Generator, segments: int, size: int, count: int) -> Window:
        """A window of `segments` x `size` tokens with at most `count` questions."""
        length = segments * size
        margin = count * LONGEST // 2  # what is taken out is made up for
        try:
            whole_T = self.texts.draw(rng, length + margin)
        except NoTextFound:
            whole_T = self.texts.draw(rng, length)
        remaining_T, made = make(whole_T, self.marks, rng, count)
        tokens_T = _shortened(remaining_T[:length], size, rng)
        asks = []
        for item in made:
            last = min(item.last, len(tokens_T) - 1)
            if item.first <= last:
                asks.append(Ask(ids=item.ids, spans=((item.first, last),)))
        return Window(tokens_T, tuple(asks))


class AskedWindows:
    """Windows made of question sets' contexts: one article's, or a whole set's mixed; long contexts alone.

    Args:
        sets: the questions. weights: how often each source is drawn; sources that are not there are left out.
        joint: token ids between two contexts.
    """

    def __init__(self, sets: QuestionSets, weights: Mapping[str, float], joint: list[int]) -> None:
        self._sets = sets
        self._joint = np.array(joint, dtype=np.uint16)
        self._of_source = []
        shares = []
        for number, source in enumerate(sets.sources.tolist()):
            there = [int(c) for c in np.flatnonzero(sets.source_C == number) if sets.asked_of[c]]
            if there and weights.get(source, 0.0) > 0:
                self._of_source.append(there)
                shares.append(weights[source])
        self._shares = np.array(shares) / sum(shares)

    def draw(self, rng: np.random.Generator, segments: int, size: int, count: int) -> Window:
        """A window of at most `segments` x `size` tokens with at most `count` questions."""
        length = segments * size
        there = self._of_source[int(rng.choice(len(self._shares), p=self._shares))]
        anchor = there[int(rng.integers(len(there)))]
        skip = self._skip(anchor, length, size, rng)
        pieces: list[Ids] = []
        begins: list[tuple[int, int]] = []  # context, its first token's place in the window
        total = -skip
        for context in self._order(anchor, there, rng):
            if total >= length:
                break
            ids_T = self._sets.context(context)
            begins.append((context, total))
            pieces += [ids_T, self._joint]
            total += len(ids_T) + len(self._joint)
        tokens_T = _shortened(np.concatenate(pieces)[skip : skip + length], size, rng)
        found = [ask for context, begin in begins for ask in self._asks(context, begin, len(tokens_T), size)]
        chosen = rng.permutation(len(found))[:count]
        return Window(tokens_T, tuple(found[place] for place in np.sort(chosen).tolist()))

    def _skip(self, anchor: int, length: int, size: int, rng: np.random.Generator) -> int:
        """Tokens left out at the beginning: part of a segment, or all before some question's evidence."""
        ids_T = self._sets.context(anchor)
        asked = self._sets.asked_of[anchor]
        spans_E2 = self._sets.evidence(asked[int(rng.integers(len(asked)))])
        if len(ids_T) <= length or not len(spans_E2):
            return int(rng.integers(min(size, max(len(ids_T) // 2, 1))))
        first, last = int(spans_E2[0, 0]), int(spans_E2[0, 1])
        return int(
            np.clip(rng.integers(last - length, first) if last - length < first else first, 0, len(ids_T) - length)
        )

    def _order(self, anchor: int, there: list[int], rng: np.random.Generator) -> Iterator[int]:
        """The anchor, then the rest of its article from there on, then others of its set; none comes twice."""
        seen = {anchor}
        yield anchor
        if rng.random() < ONE_ARTICLE:
            members = self._sets.members[int(self._sets.group_C[anchor])]
            place = members.index(anchor)
            for context in [*members[place + 1 :], *members[:place]]:
                seen.add(context)
                yield context
        for _ in range(4 * len(there)):
            context = there[int(rng.integers(len(there)))]
            if context not in seen:
                seen.add(context)
                yield context

    def _asks(self, context: int, begin: int, length: int, size: int) -> Iterator[Ask]:
        """Questions of a context whose evidence lies in the window, or that have no answer there."""
        sets = self._sets
        end = min(begin + len(sets.context(context)), length)
        worldwide = str(sets.sources[sets.source_C[context]]) in WORLDWIDE
        for number in sets.asked_of[context]:
            spans_E2 = sets.evidence(number) + begin
            inside = bool(len(spans_E2)) and spans_E2.min() >= 0 and spans_E2.max() < length
            refused = bool(sets.unanswerable_Q[number])
            if not (inside or (refused and end - max(begin, 0) >= size)):
                continue
            spans = tuple((int(first), int(last)) for first, last in spans_E2.tolist())
            first, last = sets.answer_span_Q2[number].tolist()
            quoted = not refused and first != UNKNOWN and begin + first >= 0 and begin + last < length
            quote = (begin + first, begin + last) if quoted else (UNKNOWN, UNKNOWN)
            asked = Ask(
                ids=sets.question(number).tolist()[:QUESTION_TOKENS],
                spans=spans,
                worldwide=worldwide,
                question=number,
                quote=quote,
                context=(max(begin, 0), end),
            )
            gold = range(quote[0] // size, quote[1] // size + 1) if quoted else asked.places(size)[:MOST_GOLD]
            yield replace(asked, gold=tuple(gold))


def _shortened(tokens_T: Ids, size: int, rng: np.random.Generator) -> Ids:
    """Now and then without a part of the last segment, as documents end."""
    if len(tokens_T) > size and rng.random() < SHORTENED:
        return tokens_T[: len(tokens_T) - int(rng.integers(size))]
    return tokens_T
