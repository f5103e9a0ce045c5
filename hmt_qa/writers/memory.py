"""The memory's own model as writer: it alone can read what the memory recalls."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain

from hmt_qa.confidence import Confidence
from hmt_qa.engine import LocalEngine
from hmt_qa.model.streaming import stream_text
from hmt_qa.prompt import PromptFormat
from hmt_qa.stretches import Source
from hmt_qa.writers.close_reading import CloseReader, Posed, Reading
from hmt_qa.writers.contract import Passage, Request, Unanswerable

ANSWER_TOKENS = 96


class MemoryWriter:
    """Reads as many passages as the model was trained on and decodes greedily.

    Where the model's confidence was measured it reads closely, as it was measured: see `CloseReader`. Else, and from
    the memory alone, it reads `[P ; question ; passages ; question]` once.
    """

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._format = PromptFormat.of(engine.tokenizer)

    @property
    def name(self) -> str:
        """The model's name and hash."""
        return self._engine.model_id

    def write(self, request: Request) -> Generator[str, None, float | None]:
        """See `Writer`; the model's own mark for "not answered here" is `Unanswerable`, as is too little confidence.

        A closely read answer is held back until its beginning is judged: nothing said is taken back for want of
        confidence.
        """
        read = self._fitting(request)
        judge, refusal = self._engine.confidence, self._format.unanswerable
        if judge is None or refusal is None or not read:
            yield from self._text(self._go_on(request, self._ids(read, request)))
            return None
        return (yield from self._closely(request, read, judge, refusal))

    def _closely(
        self, request: Request, read: Sequence[Passage], judge: Confidence, refusal: int
    ) -> Generator[str, None, float | None]:
        posed = Posed(
            question_ids=request.question_ids,
            prompt_MD=request.prompt_1MD[0],
            sources=[_source(passage) for passage in read],
        )
        (reading,) = CloseReader(self._engine, self._format, refusal=refusal).read([posed])
        if reading is None:
            raise Unanswerable
        confidence = judge.of(reading.signs)
        if confidence < judge.threshold:
            raise Unanswerable(confidence)
        yield from self._text(chain(reading.ids, self._rest(request, reading)))
        return confidence

    def _rest(self, request: Request, reading: Reading) -> Iterator[int]:
        """What comes behind the beginning, nothing where that has ended."""
        if reading.ids[-1] not in self._format.stop:
            yield from self._go_on(request, [*reading.prompt.ids, *reading.ids], written=len(reading.ids))

    def _go_on(self, request: Request, ids: Sequence[int], *, written: int = 0) -> Generator[int]:
        return self._engine.generate(
            request.prompt_1MD, ids, max_new_tokens=ANSWER_TOKENS - written, stop_ids=self._format.ends
        )

    def _text(self, tokens: Iterable[int]) -> Iterator[str]:
        return stream_text(self._until_end(tokens), self._engine.tokenizer)

    def _fitting(self, request: Request) -> list[Passage]:
        """As many passages as fit: learned positions end hard."""
        read = list(request.passages[: self._engine.config.evidence_passages])
        if self._engine.context is not None:
            room = self._engine.context - ANSWER_TOKENS - self._engine.config.memories_per_segment
            while read and len(self._ids(read, request)) > room:
                read.pop()
        return read

    def _ids(self, read: Sequence[Passage], request: Request) -> list[int]:
        return self._format.build([passage.segment.token_ids for passage in read], request.question_ids)

    def _until_end(self, tokens: Iterable[int]) -> Iterator[int]:
        for token in tokens:
            if token == self._format.unanswerable:
                raise Unanswerable
            if token in self._format.stop:
                return
            yield token


def _source(passage: Passage) -> Source:
    segment = passage.segment
    return Source(
        document=segment.place.document,
        start=segment.char_start,
        text=segment.text,
        token_ids=segment.token_ids,
        share=passage.share,
    )
