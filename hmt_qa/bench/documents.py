"""Documents of random tokens: never zeros, and no text that would have to be parsed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hmt_qa.engine import LocalEngine
from hmt_qa.types import Segment

FIRST_ID = 16  # marks have ids below


def random_document(engine: LocalEngine, tokens: int, *, seed: int) -> Iterator[Segment]:
    """Segments of a document of so many random tokens, made as they are asked for."""
    chance = np.random.default_rng(seed)
    length = engine.segment_length
    for number, begin in enumerate(range(0, tokens, length)):
        count = min(length, tokens - begin)
        ids = chance.integers(FIRST_ID, engine.config.vocab_size, count)
        yield Segment(
            number=number,
            token_ids=tuple(ids.tolist()),
            char_start=begin,
            char_end=begin + count,
            page_first=1,
            page_last=1,
            text="",
        )
