"""The memory's own model as writer: it alone can read what the memory recalls."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from hmt_qa.engine import LocalEngine
from hmt_qa.model.streaming import stream_text
from hmt_qa.prompt import PromptFormat
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

    def write(self, request: Request) -> Generator[str]:
        """See `Writer`; the model's own mark for "not answered here" is `Unanswerable`."""
        read = request.passages[: self._engine.config.evidence_passages]
        ids = self._format.build([passage.segment.token_ids for passage in read], request.question_ids)
        tokens = self._engine.generate(
            request.prompt_1MD, ids, max_new_tokens=ANSWER_TOKENS, stop_ids=self._format.ends
        )
        yield from stream_text(self._until_end(tokens), self._engine.tokenizer)

    def _until_end(self, tokens: Iterator[int]) -> Iterator[int]:
        for token in tokens:
            if token == self._format.unanswerable:
                raise Unanswerable
            if token in self._format.stop:
                return
            yield token
