"""Which tokens end a sentence or a line, open a heading or a docstring, begin a word, have a digit: by ids alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

LINE, SPACE = "\u010a", "\u0120"  # how a byte-level vocabulary spells newline and space
_ENDS = tuple(".?!")

LONG = 4  # characters of a word that says something alone

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Marks:
    """Flags over the vocabulary, each (V,)."""

    closes_V: Flags
    newline_V: Flags
    heading_V: Flags
    docstring_V: Flags
    digit_V: Flags
    capital_V: Flags
    word_V: Flags
    letters_V: Flags
    long_V: Flags

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Marks:
        """Read the spellings of a byte-level BPE; special tokens have no mark."""
        spelt = [tokenizer.id_to_token(number) or "" for number in range(tokenizer.get_vocab_size())]

        def flags(values: list[bool]) -> Flags:
            return np.array(values, dtype=np.bool_)

        return cls(
            closes_V=flags([LINE in token or token.endswith(_ENDS) for token in spelt]),
            newline_V=flags([LINE in token for token in spelt]),
            heading_V=flags([bool(token) and set(token.lstrip(SPACE)) == {"#"} for token in spelt]),
            docstring_V=flags(['"""' in token for token in spelt]),
            digit_V=flags([any(character.isdigit() for character in token) for token in spelt]),
            capital_V=flags([token.lstrip(SPACE)[:1].isupper() for token in spelt]),
            word_V=flags([token.startswith(SPACE) and token[1:2].isalnum() for token in spelt]),
            letters_V=flags([token.isalnum() for token in spelt]),
            long_V=flags([len(token.lstrip(SPACE)) >= LONG for token in spelt]),
        )
