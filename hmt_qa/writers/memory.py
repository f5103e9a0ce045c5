"""The memory's own model as writer: it alone can read what the memory recalls."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain, islice

from hmt_qa.confidence import BEGINNING, Signs
from hmt_qa.engine import LocalEngine
from hmt_qa.model.streaming import stream_text
from hmt_qa.prompt import PromptFormat
from hmt_qa.types import Mode
from hmt_qa.writers.contract import Request, Unanswerable

ANSWER_TOKENS = 96


class MemoryWriter:
    """Reads `[P ; question ; passages ; question]` once and decodes greedily; as many passages as it was trained on."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._format = PromptFormat.of(engine.tokenizer)

    @property
    def name(self) -> str:
        """The model's name and hash."""
        return self._engine.model_id

    def write(self, request: Request) -> Generator[str, None, float | None]:
        """See `Writer`; the model's own mark for "not answered here" is `Unanswerable`, as is too little confidence.

        Where the model knows its confidence, an answer is held back until its beginning is judged: nothing said is
        taken back for want of it.
        """
        from hmt_qa.model.odds import Overheard

        overheard = Overheard(self._format.unanswerable)
        tokens = self._engine.generate(
            request.prompt_1MD,
            self._ids(request),
            max_new_tokens=ANSWER_TOKENS,
            stop_ids=self._format.ends,
            listener=overheard,
        )
        judge = self._engine.confidence if request.mode is Mode.EVIDENCE else None
        if judge is None:
            yield from self._text(tokens)
            return None
        with closing(tokens):
            held = list(islice(tokens, BEGINNING))
            if held[0] == self._format.unanswerable:
                raise Unanswerable
            odds = overheard.odds
            confidence = judge.of(
                Signs(refusal=odds.refusal, log_probabilities=odds.log_probabilities, share=request.share)
            )
            if confidence < judge.threshold:
                raise Unanswerable(confidence)
            yield from self._text(chain(held, tokens))
        return confidence

    def _text(self, tokens: Iterable[int]) -> Iterator[str]:
        return stream_text(self._until_end(tokens), self._engine.tokenizer)

    def _ids(self, request: Request) -> list[int]:
        """What the model reads, with as many passages as fit: learned positions end hard."""
        read = [passage.segment.token_ids for passage in request.passages[: self._engine.config.evidence_passages]]
        ids = self._format.build(read, request.question_ids)
        if self._engine.context is not None:
            room = self._engine.context - ANSWER_TOKENS - self._engine.config.memories_per_segment
            while read and len(ids) > room:
                read.pop()
                ids = self._format.build(read, request.question_ids)
        return ids

    def _until_end(self, tokens: Iterable[int]) -> Iterator[int]:
        for token in tokens:
            if token == self._format.unanswerable:
                raise Unanswerable
            if token in self._format.stop:
                return
            yield token
