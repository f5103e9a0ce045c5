"""Contexts to token ids, each one once; knows the tokenizer and no model."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from hmt_qa.evaluation.corpora import Context
from hmt_qa.evaluation.documents import page_of
from hmt_qa.types import EncodedText

_BATCH = 256


class ContextEncoder:
    """Remembers what it encoded: contexts stand in documents of several lengths."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, EncodedText] = {}

    def __call__(self, contexts: Sequence[Context]) -> dict[str, EncodedText]:
        """The pages of these contexts, encoded, by the contexts' ids."""
        new = [context for context in contexts if context.id not in self._known]
        for first in range(0, len(new), _BATCH):
            group = new[first : first + _BATCH]
            texts = [page_of(context, 1).text for context in group]
            for context, code in zip(group, encode(self._tokenizer, texts), strict=True):
                self._known[context.id] = code
        return {context.id: self._known[context.id] for context in contexts}


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[EncodedText]:
    """Texts as the engine encodes them: no special tokens are added or recognised."""
    found = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [EncodedText(ids=encoding.ids, spans=encoding.offsets) for encoding in found]
