"""Token ids on disk: documents as one uint16 array with offsets, made once and cached in a work folder.

Shapes: T tokens · N documents.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from hmt_qa.training import jsonl

END = 0  # <|endoftext|>, stored behind every document
BATCH_CHARACTERS = 32_000_000  # a batch keeps all cores busy although only whole documents are spread over them

Ids = npt.NDArray[np.uint16]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TokenStore:
    """Documents of token ids: tokens_T holds them with END behind each, offsets_N1 where each starts (and the end)."""

    tokens_T: Ids
    offsets_N1: Places

    @classmethod
    def open(cls, folder: Path) -> TokenStore:
        """Map a stored folder; nothing is read until it is used."""
        offsets_N1 = np.load(folder / "offsets.npy", allow_pickle=False)
        return cls(np.memmap(folder / "tokens.bin", dtype=np.uint16, mode="r"), offsets_N1)

    def __len__(self) -> int:
        """How many documents."""
        return len(self.offsets_N1) - 1

    @property
    def lengths_N(self) -> Places:
        """Tokens of each document, without END."""
        lengths: Places = np.diff(self.offsets_N1) - 1
        return lengths

    def document(self, number: int) -> Ids:
        """One document's ids, without END."""
        return self.tokens_T[self.offsets_N1[number] : self.offsets_N1[number + 1] - 1]


def open_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in a checkpoint's folder; special-token spellings in a text stay text."""
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    return tokenizer


def text_store(paths: Sequence[Path], work: Path, tokenizer: Tokenizer) -> TokenStore:
    """The field `text` of these files as tokens, from the work folder where it is already there."""
    folder = work / f"text-{jsonl.named(paths)}"

    def documents() -> Iterator[Ids]:
        texts = (str(line["text"]) for path in paths for line in jsonl.lines(path))
        for batch in _batches(texts):
            for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                yield np.array(encoding.ids, dtype=np.uint16)

    return cached(folder, lambda target: write_store(target, documents()))


def cached(folder: Path, build: Callable[[Path], None]) -> TokenStore:
    """Open `folder`; where it is missing build it beside and rename it, so that it is whole or absent."""
    if not folder.exists():
        growing = folder.with_name(f"{folder.name}.{os.getpid()}.part")
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir(parents=True)
        build(growing)
        growing.rename(folder)
    return TokenStore.open(folder)


def write_store(folder: Path, documents: Iterable[Ids]) -> None:
    """Write documents one after another, each closed by END; empty ones are left out."""
    offsets = [0]
    with (folder / "tokens.bin").open("wb") as file:
        for ids_T in documents:
            if len(ids_T):
                file.write(ids_T.tobytes())
                file.write(np.uint16(END).tobytes())
                offsets.append(offsets[-1] + len(ids_T) + 1)
    np.save(folder / "offsets.npy", np.array(offsets, dtype=np.int64), allow_pickle=False)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts in lists of about `BATCH_CHARACTERS`."""
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def chunks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    """Lists of `size` items, the last one shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def generator(seed: int, *place: int) -> np.random.Generator:
    """Randomness that depends on the seed and on a place (step, row) only: resuming draws the same."""
    return np.random.default_rng((seed, *place))
